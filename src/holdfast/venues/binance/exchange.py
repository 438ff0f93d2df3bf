"""How one request ended, as a value. What it proves is judged in `classify`, nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

STATUS_OK = 200


class Reach(Enum):
    """How far a request got whose answer never came."""

    UNWRITTEN = "unwritten"
    """Not one byte of it was handed to a connection: it cannot have been executed."""
    WRITTEN = "written"
    """At least one byte may have left: anything may have happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The venue (or something before it) answered, completely."""

    status: int
    body: bytes
    retry_after: str | None = None
    """The header's text."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A transport failure or a time-out."""

    reach: Reach
    detail: str
    """Never holds an address with its query: the signature is in there."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Not sent: the venue asked us to wait, and the wait is not over."""

    retry_after_ms: int


Exchange = Answer | NoAnswer | Blocked
