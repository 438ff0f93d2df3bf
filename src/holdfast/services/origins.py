"""Whose orders are behind the trades that the ledger lacks.

    | known of the order                                        | asked                                        |
    |-----------------------------------------------------------|----------------------------------------------|
    | the stream or an earlier look showed it                   | nothing                                      |
    | nothing                                                   | the order, by its number                     |
    | nothing, and the venue says that it does not exist        | the venue's list of forced orders, once a look |

Bounds: at most `ORDERS_ASKED_MAX` orders a look. What was learnt is remembered, and what was asked in vain comes last,
so that the next look goes on with the others: every look makes progress, whatever the venue forgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.names import Symbol, VenueOrderId
    from holdfast.ports.venue import VenueReader
    from holdfast.services.picture import Origin, Picture

ORDERS_ASKED_MAX = 20


async def learn_origins(
    reader: VenueReader, picture: Picture, symbol: Symbol, numbers: tuple[VenueOrderId, ...]
) -> dict[VenueOrderId, Origin]:
    """Learn what can be learnt now; orders that are missing in the answer are not known. Raises VenueUnavailable."""
    unknown = [number for number in numbers if picture.origin(symbol, number) is None]
    unknown.sort(key=lambda number: picture.is_asked_in_vain(symbol, number))
    in_vain = False
    for number in unknown[:ORDERS_ASKED_MAX]:
        report = await reader.order_by_number(symbol, number)
        if report is not None:
            picture.meet_order(report)
        else:
            picture.ask_in_vain(symbol, number)
            in_vain = True
    if in_vain:
        for report in await reader.forced_orders(symbol):
            picture.meet_order(report)
    found = {number: picture.origin(symbol, number) for number in numbers}
    return {number: origin for number, origin in found.items() if origin is not None}
