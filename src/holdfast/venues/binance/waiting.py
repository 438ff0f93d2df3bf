"""How long the venue asks us to wait: its Retry-After header, else the time in its text, else a named default.

Facts: 429 is a broken limit, 418 a ban of the address (2 minutes to 3 days, "IP banned until <ms>" by the venue's
clock). Retry-After is documented for Spot only, so its absence must do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from holdfast.venues.binance.wire import decode_word

if TYPE_CHECKING:
    from holdfast.venues.binance.exchange import Answer

STATUS_LIMITED = 429
STATUS_BANNED = 418
CODE_TOO_MUCH_WEIGHT = -1003
CODE_TOO_MANY_ORDERS = -1015
LIMITED_MS_DEFAULT = 10_000
"""The shorter of the venue's counting intervals."""
BANNED_MS_DEFAULT = 120_000
"""The shortest ban."""
WAIT_MS_MAX = 3 * 24 * 3_600_000
"""The longest ban; a number above it is an accident."""
_BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")
_SECONDS = re.compile(r"[0-9]{1,7}")


def wait_ms(answer: Answer, venue_now_ms: int) -> int:
    """Milliseconds to wait after an answer that says "too much"; at least 1."""
    header = answer.retry_after
    if header is not None and _SECONDS.fullmatch(header) is not None:
        return _bounded(int(header) * 1_000)
    word = decode_word(answer.body)
    until = _BANNED_UNTIL.search(word.msg) if word is not None else None
    if until is not None:
        return _bounded(int(until.group(1)) - venue_now_ms)
    return BANNED_MS_DEFAULT if answer.status == STATUS_BANNED else LIMITED_MS_DEFAULT


def _bounded(wait: int) -> int:
    return min(max(wait, 1), WAIT_MS_MAX)
