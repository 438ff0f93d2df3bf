"""The API key and the secret, as values that never show what they hold, and the one place that signs.

Invariant: no `repr`, `str` or exception text of these contains the value.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from holdfast.domain.errors import CannotStart

_FORM = re.compile(r"[\x21-\x7e]{1,256}")
"""Printable ASCII without spaces: fits a header, so that no line break can be smuggled into one."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What names us to the venue; sent in the header of every keyed request."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise CannotStart if the text cannot be a key."""
        _require_form(self.value, "API key")


@dataclass(frozen=True, slots=True)
class ApiSecret:
    """What proves us to the venue; never sent."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise CannotStart if the text cannot be a secret."""
        _require_form(self.value, "API secret")

    def sign(self, payload: str) -> str:
        """HMAC-SHA256 over exactly the text that is sent, as lower-case hex (fact: query string, then body)."""
        return hmac.new(self.value.encode("ascii"), payload.encode("ascii"), hashlib.sha256).hexdigest()


def _require_form(text: str, what: str) -> None:
    if _FORM.fullmatch(text) is None:
        raise CannotStart(f"the {what} is empty, too long, or holds spaces or line breaks: check where it is read from")
