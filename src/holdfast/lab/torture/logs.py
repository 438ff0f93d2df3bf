"""The product's own log, written as in life, in the few histories that have one: what stands there no secret may be."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.telemetry.log import open_log

if TYPE_CHECKING:
    from holdfast.lab.torture.unit import Unit
    from holdfast.ports.telemetry import Log
    from holdfast.telemetry.redact import Redactor


class _Kept(io.StringIO):
    """A stream whose lines are kept."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def write(self, text: str) -> int:
        """Keep one line."""
        self._lines.append(text)
        return len(text)


@dataclass(slots=True)
class Logs:
    """All lines of a history."""

    lines: list[str] = field(default_factory=list)

    def of(self, unit: Unit, redactor: Redactor) -> Log:
        """The log of one life, with the redactor that the product itself keeps."""
        return open_log(
            clock=unit.machine.clock,
            line_format=LogFormat.JSON,
            level=LogLevel.DEBUG,
            stream=_Kept(self.lines),
            redactor=redactor,
        )
