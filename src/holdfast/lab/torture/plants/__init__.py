"""Bugs that are planted to prove that the world can fail. A source checkout has them; no wheel does.

Each is one function, method or row of the product's code that is another meanwhile; nothing of the world or of its
oracle is touched.

    permits   what lets an EXECUTE become an order
    guards    the guardrails of closes
    orders    before an order leaves, while it has no answer, what is said of it
    ledgers   what fills and others' trades do to the ledger
    holds     how holds end and what views are believed
    edges     what is written where it must not be, what is not counted
    found     bugs that our own code had, as they were; each shows in a story (`stories`), not by a hunt
    hunt      looks for the first history that shows each; caught: what it found, and the page in the docs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.plants.edges import EDGES
from holdfast.lab.torture.plants.found import FOUND
from holdfast.lab.torture.plants.guards import GUARDS
from holdfast.lab.torture.plants.holds import HOLDS
from holdfast.lab.torture.plants.ledgers import LEDGERS
from holdfast.lab.torture.plants.orders import ORDERS
from holdfast.lab.torture.plants.permits import PERMITS

if TYPE_CHECKING:
    from holdfast.lab.torture.plants.catalogue import Plant

PLANTS: Final[dict[str, Plant]] = {**PERMITS, **GUARDS, **ORDERS, **LEDGERS, **HOLDS, **EDGES}
"""Those that are hunted by seeds, by name."""
ALL: Final[dict[str, Plant]] = {**PLANTS, **FOUND}
"""With those that our own code had, each of which has a story."""
