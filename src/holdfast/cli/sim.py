"""`holdfast sim`: the exchange simulator as a program of its own.

Invariants: the first line of `--json` holds the addresses and the admin face; SIGTERM and SIGINT end it with status
0; a busy port or bad option is one clear line and status 2.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

__all__ = ["sim"]

BAD_OPTION = 2


def _amount(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise typer.BadParameter(f"{name} must be a number from 0 up, not {text!r}")
    return value


def sim(  # noqa: PLR0917 - Typer reads options from parameters, by name
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 9400,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line with addresses first.")] = False,  # noqa: FBT002 - a flag of the command line
    account: Annotated[list[str] | None, typer.Option(help="key:secret[:read|trade[:name]]; may be repeated.")] = None,
    symbols: Annotated[int, typer.Option(help="Invented symbols (SYM001USDT ...) besides BTCUSDT, ETHUSDT.")] = 0,
    limits: Annotated[str, typer.Option(help="Factor on the venue's rate limits.")] = "1",
    seed: Annotated[int, typer.Option(help="Seed of prices and ids.")] = 1,
    volatility: Annotated[str, typer.Option(help="Largest price move a second, as a fraction.")] = "0.0001",
    latency_ms: Annotated[int, typer.Option(help="Wait before each request reaches the engine.")] = 0,
    balance: Annotated[str, typer.Option(help="USDT in each account.")] = "100000",
    hedge: Annotated[bool, typer.Option("--hedge", help="Open the accounts in hedge mode.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Serve a Binance USD-M futures exchange to test against, until stopped."""
    from holdfast.sim.core.account import Mode  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.sim.core.symbols import standard_symbols  # noqa: PLC0415 - as above
    from holdfast.sim.server import DEMO_ACCOUNT, SimConfig, read_account, serve  # noqa: PLC0415 - as above

    factor = _amount("--limits", limits)
    if not factor:
        raise typer.BadParameter("--limits must be above 0")
    try:
        accounts = tuple(read_account(text) for text in account or ()) or (DEMO_ACCOUNT,)
        standard_symbols(symbols)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if len({spec.key for spec in accounts}) != len(accounts):
        raise typer.BadParameter("each --account needs a key of its own")
    config = SimConfig(
        host=host,
        port=port,
        accounts=accounts,
        balance=_amount("--balance", balance),
        symbols=symbols,
        limits=factor,
        seed=seed,
        volatility=_amount("--volatility", volatility),
        latency_ms=max(0, latency_ms),
        mode=Mode.HEDGE if hedge else Mode.ONE_WAY,
    )
    raise typer.Exit(serve(config, json_line=json))
