"""`holdfast plan`: hand in an EXECUTE or CANCEL plan, as any strategy does: over the bus, without any authority.

Exit status of submit: 0 executed (in part counts); 1 refused or not filled; 2 wrong input, not sent; 3 no outcome in
time: it may still be executed, the same --id asks again safely.
"""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AccountName, AsJson, SettingsPath, SideName, Why

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def plan() -> None:
    """Hand in plans."""


@app.command()
def submit(
    *,
    symbol: Annotated[str, typer.Option(help="For instance BTCUSDT.")],
    side: Annotated[str, typer.Option(help="BUY, SELL, or close: whatever shrinks the position.")],
    qty: Annotated[str, typer.Option(help="How much, base asset.")],
    plan_id: Annotated[str, typer.Option("--id", help="The plan's id; the same id is executed once.")] = "",
    price: Annotated[str, typer.Option(help="Makes it a LIMIT plan, whose outcome comes at its order's end.")] = "",
    time_in_force: Annotated[
        str, typer.Option("--time-in-force", help="GTC, IOC, FOK or GTX (post-only); with --price only.")
    ] = "",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only ever shrink the position.")] = False,
    position_side: SideName = "",
    reason: Why = "operator",
    wait: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait for the outcome.")] = 5.0,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Hand in a MARKET plan, or with --price a LIMIT plan, and wait for its outcome.

    Exit status: 0 executed; 1 refused or not filled; 2 wrong input, not sent; 3 no outcome in time: it may still be
    executed, asking again with the same --id is safe.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli.submitting import Ticket, submit_plan  # noqa: PLC0415 - heavy: as above

    ticket = Ticket(
        symbol=symbol,
        side=side,
        qty=qty,
        price=price,
        time_in_force=time_in_force,
        plan_id=plan_id,
        is_reduce_only=reduce_only,
        position_side=position_side,
        reason=reason,
        wait_s=wait,
    )
    raise typer.Exit(asyncio.run(submit_plan(ticket, account, settings, as_json=as_json)))


@app.command()
def cancel(
    plan_to_cancel: Annotated[str, typer.Argument(metavar="PLAN_ID", help="The plan whose resting order is to end.")],
    *,
    symbol: Annotated[str, typer.Option(help="For instance BTCUSDT.")],
    plan_id: Annotated[str, typer.Option("--id", help="This cancel's own id.")] = "",
    reason: Why = "operator",
    wait: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait for the outcome.")] = 5.0,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Hand in a CANCEL plan and wait for its outcome.

    Exit status: 0 the order ended, not filled or not whole; 1 there was nothing to cancel; 2 wrong input, not sent; 3
    no outcome in time.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli.submitting import CancelTicket, submit_cancel  # noqa: PLC0415 - heavy: as above

    ticket = CancelTicket(symbol=symbol, cancels=plan_to_cancel, plan_id=plan_id, reason=reason, wait_s=wait)
    raise typer.Exit(asyncio.run(submit_cancel(ticket, account, settings, as_json=as_json)))
