"""What a person may do: close, adopt, release, approve, hold; halt and resume.

Exit status: 0 done; 1 refused (it says why); 2 wrong input, or not confirmed: nothing was tried; 3 nobody answered
(is `holdfast run` running?): the request was withdrawn.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.options import (
    SETTINGS_DEFAULT,
    TIMEOUT_S_DEFAULT,
    AccountName,
    AsJson,
    SettingsPath,
    SideName,
    SymbolName,
    TimeoutS,
    Who,
    Why,
    Yes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.cli.operating import Manner, Order
    from holdfast.domain.sides import TradingState

__all__ = ["adopt", "approve", "close", "halt", "hold", "release", "resume"]


def close(
    symbol: SymbolName,
    *,
    reason: Why,
    qty: Annotated[str, typer.Option(help="How much, base asset; left out: all of it.")] = "",
    position_side: SideName = "",
    name: Who = "",
    yes: Yes = False,
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Close a position by your word, during a hold or a halt too.

    Exit status: 0 closed; 1 refused; 2 wrong input or not confirmed; 3 nobody answered.
    """
    from holdfast.cli.operating import Order  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.cli.wording import leg_of, qty_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    named, side = leg_of(symbol, position_side)
    order = Order(RequestKind.CLOSE, reason, name, symbol=named, position_side=side, qty=qty_of(qty))
    _operate(order, _manner(settings, account, timeout, yes=yes, as_json=as_json))


def adopt(
    symbol: Annotated[str, typer.Argument(help="As in `close`.", metavar="[SYMBOL]")] = "",
    *,
    reason: Why,
    every: Annotated[bool, typer.Option("--all", help="Every leg on which exchange and ledger differ.")] = False,
    position_side: SideName = "",
    name: Who = "",
    yes: Yes = False,
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Set the ledger to what the exchange holds.

    Exit status: 0 adopted; 1 refused; 2 wrong input or not confirmed; 3 nobody answered.
    """
    from holdfast.cli.operating import Order  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.cli.wording import leg_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    if bool(symbol) == every:
        raise typer.BadParameter("name one SYMBOL, or pass --all")
    if every and position_side:
        raise typer.BadParameter("--all means every leg: leave --position-side out, or name one SYMBOL")
    named, side = leg_of(symbol, position_side) if symbol else (None, None)
    order = Order(RequestKind.ADOPT, reason, name, symbol=named, position_side=side)
    _operate(order, _manner(settings, account, timeout, yes=yes, as_json=as_json))


def release(
    symbol: SymbolName,
    *,
    reason: Why,
    position_side: SideName = "",
    name: Who = "",
    yes: Yes = False,
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """End a hold that waits for a person.

    Refused while exchange and ledger differ. Exit status: 0 released; 1 refused; 2 wrong input or not confirmed; 3
    nobody answered.
    """
    from holdfast.cli.operating import Order  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.cli.wording import leg_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    named, side = leg_of(symbol, position_side)
    order = Order(RequestKind.RELEASE, reason, name, symbol=named, position_side=side)
    _operate(order, _manner(settings, account, timeout, yes=yes, as_json=as_json))


def approve(
    hold_id: Annotated[str, typer.Argument(help="As `holdfast status` shows it.", metavar="HOLD_ID")],
    *,
    reason: Why,
    name: Who = "",
    yes: Yes = False,
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Let a hold close above close_notional_max, or try anew.

    Exit status: 0 approved; 1 refused; 2 wrong input or not confirmed; 3 nobody answered.
    """
    from holdfast.cli.operating import Order  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.cli.wording import hold_id_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    order = Order(RequestKind.APPROVE, reason, name, hold_id=hold_id_of(hold_id))
    _operate(order, _manner(settings, account, timeout, yes=yes, as_json=as_json))


def hold(
    symbol: SymbolName,
    *,
    reason: Why,
    position_side: SideName = "",
    name: Who = "",
    timeout: TimeoutS = TIMEOUT_S_DEFAULT,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Stop trading on one symbol.

    Exit status: 0 held; 1 refused; 2 wrong input; 3 nobody answered (then `holdfast halt` works without a service).
    """
    from holdfast.cli.operating import Order  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.cli.wording import leg_of  # noqa: PLC0415 - as above
    from holdfast.domain.operator import RequestKind  # noqa: PLC0415 - as above

    named, side = leg_of(symbol, position_side)
    order = Order(RequestKind.HOLD, reason, name, symbol=named, position_side=side)
    _operate(order, _manner(settings, account, timeout, yes=True, as_json=as_json))


def halt(
    *,
    reason: Why,
    name: Who = "",
    as_json: AsJson = False,
    account: Annotated[str, typer.Option("--account", help="One account; left out: all of them.")] = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Stop trading on the account: the kill switch.

    Works when no service runs. Nothing is sent any more but what a person approves (`holdfast close`). Never asked
    back for. Exit status: 0 halted (or was already); 2 it could not be written; 3 the journal is busy.
    """
    from holdfast.domain.sides import TradingState  # noqa: PLC0415 - heavy: loaded for this command only

    _switch(TradingState.HALTED, reason, name, _manner(settings, account, 0, yes=True, as_json=as_json))


def resume(
    *,
    reason: Why,
    name: Who = "",
    yes: Yes = False,
    as_json: AsJson = False,
    account: Annotated[str, typer.Option("--account", help="One account; left out: all of them.")] = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """End a halt.

    Works when no service runs. Exit status: 0 active (or was already); 2 not confirmed, or it could not be written;
    3 the journal is busy.
    """
    from holdfast.domain.sides import TradingState  # noqa: PLC0415 - heavy: loaded for this command only

    _switch(TradingState.ACTIVE, reason, name, _manner(settings, account, 0, yes=yes, as_json=as_json))


def _manner(settings: "Path", account: str, timeout_s: float, *, yes: bool, as_json: bool) -> "Manner":
    from holdfast.cli.operating import Manner  # noqa: PLC0415 - heavy: loaded for these commands only

    return Manner(settings, account, timeout_s, is_confirmed=yes, is_json=as_json)


def _operate(order: "Order", manner: "Manner") -> None:
    import asyncio  # noqa: PLC0415 - heavy: loaded for these commands only

    from holdfast.cli.operating import operate  # noqa: PLC0415 - as above

    raise typer.Exit(asyncio.run(operate(order, manner)))


def _switch(state: "TradingState", reason: str, name: str, manner: "Manner") -> None:
    import asyncio  # noqa: PLC0415 - heavy: loaded for these commands only

    from holdfast.cli.switching import switch  # noqa: PLC0415 - as above

    raise typer.Exit(asyncio.run(switch(state, reason, name, manner)))
