"""Identifiers, and the one rule that turns a plan's id into an order's client id.

Invariant: same account, same plan id, same client order id, on every machine and every restart (DESIGN
"exactly once"): that is what lets an order without an answer be asked about instead of sent again.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NewType

AccountId = NewType("AccountId", str)
Symbol = NewType("Symbol", str)
PlanId = NewType("PlanId", str)
HoldId = NewType("HoldId", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", int)
"""The venue's number of an order: grows per symbol, unique only together with the symbol."""
TradeId = NewType("TradeId", int)
"""The venue's number of a trade: unique and growing per symbol."""

CLIENT_ORDER_PREFIX = "hf-"
_PLAN_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_SYMBOL = re.compile(r"[A-Z0-9_]{2,32}")


def client_order_id(account: AccountId, plan_id: PlanId) -> ClientOrderId:
    """Derive the order's client id: `hf-` and 26 letters of a SHA-256 over account and plan id.

    29 characters of `[a-z2-7-]`: inside the venue's 36, and free of the characters (`:` `/`) that its client
    libraries sign in two different ways (venue fact sheet, exactly-once rules).
    """
    digest = hashlib.sha256(f"{account}\x00{plan_id}".encode()).digest()
    return ClientOrderId(CLIENT_ORDER_PREFIX + base64.b32encode(digest[:20]).decode("ascii").lower()[:26])


def is_our_client_order_id(text: str) -> bool:
    """Tell whether an order at the venue carries our prefix, so that it must be in the journal."""
    return text.startswith(CLIENT_ORDER_PREFIX)


def is_plan_id(text: str) -> bool:
    """Tell whether `text` may name a plan: 1 to 128 of letters, digits and `. _ : / -`."""
    return _PLAN_ID.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Tell whether `text` has the form of a symbol (whether the venue lists it is another question)."""
    return _SYMBOL.fullmatch(text) is not None
