"""`holdfast resolve`: a person's word on an order without an answer, once the venue itself can say nothing more.

Exit status: 0 resolved; 1 refused (it says why); 2 wrong input or not confirmed; 3 nobody answered.
"""

from typing import Annotated

import typer

from holdfast.cli.options import (
    SETTINGS_DEFAULT,
    TIMEOUT_S_DEFAULT,
    AccountName,
    AsJson,
    SettingsPath,
    TimeoutS,
    Who,
    Why,
    Yes,
)

__all__ = ["resolve"]


def resolve(
    order: Annotated[str, typer.Argument(help="The order's client id, hf-...", metavar="ORDER")],
    *,
    reason: Why,
    filled: Annotated[bool, typer.Option("--filled", help="It was filled, all of it.")] = False,
    ended: Annotated[bool, typer.Option("--ended", help="It rested and is over, with the fills booked.")] = False,
    not_accepted: Annotated[bool, typer.Option("--not-accepted", help="It never reached the book.")] = False,
    name: Who = "",
    yes: Yes = False,
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Say what became of an order whose fate nobody could prove.

    Look at the exchange first: your word moves the ledger. Exit status: 0 resolved; 1 refused; 2 wrong input or not
    confirmed; 3 nobody answered.
    """
    import asyncio  # noqa: PLC0415 - heavy: loaded for this command only

    from holdfast.cli.operating import Manner, Order, operate  # noqa: PLC0415 - as above
    from holdfast.cli.wording import client_order_id_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    words = (
        (filled, RequestKind.RESOLVE_FILLED),
        (ended, RequestKind.RESOLVE_ENDED),
        (not_accepted, RequestKind.RESOLVE_NOT_ACCEPTED),
    )
    said = [kind for is_said, kind in words if is_said]
    if len(said) != 1:
        raise typer.BadParameter("pass one of --filled, --ended and --not-accepted")
    (kind,) = said
    manner = Manner(settings, account, timeout, is_confirmed=yes, is_json=as_json)
    asked = Order(kind, reason, name, client_order_id=client_order_id_of(order))
    raise typer.Exit(asyncio.run(operate(asked, manner)))
