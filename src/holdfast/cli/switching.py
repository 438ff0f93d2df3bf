"""The kill switch: one transaction of the command line itself, so that it works when no service runs.

A service that runs reads the account's row in every transaction, so the switch counts from its commit on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.asking import signed_by
from holdfast.cli.exit_status import DONE
from holdfast.cli.journal_access import open_desk
from holdfast.cli.operating import Manner, confirm
from holdfast.cli.printing import print_json, print_line
from holdfast.cli.wording import reason_of
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.sides import TradingState

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.ports.journal import AccountState, Journal, Tx

_KINDS = {TradingState.HALTED: EntryKind.HALTED, TradingState.ACTIVE: EntryKind.RESUMED}
_DONE = {
    TradingState.HALTED: "is HALTED: nothing is sent but what a person approves",
    TradingState.ACTIVE: "is ACTIVE: trading goes on where no hold stands",
}
_ALREADY = {TradingState.HALTED: "was HALTED already", TradingState.ACTIVE: "was ACTIVE already"}


async def switch(state: TradingState, reason: str, name: str, manner: Manner) -> int:
    """Halt or resume the account, or all of them if none is named."""
    who, why = signed_by(name), reason_of(reason)
    async with open_desk(manner.settings) as desk:
        accounts = desk.accounts(manner.account)
        if state is TradingState.ACTIVE and not manner.is_confirmed:
            confirm(f"RESUME trading on {', '.join(accounts)}")
        changed = {account: await _switch(desk.journal, account, state, who=who, why=why) for account in accounts}
    if manner.is_json:
        found: list[JsonValue] = [
            {"account": account, "trading_state": state.value, "changed": is_new} for account, is_new in changed.items()
        ]
        print_json({"accounts": found})
    else:
        for account, is_new in changed.items():
            print_line(f"account {account} {_DONE[state] if is_new else _ALREADY[state]}")
    return DONE


async def _switch(journal: Journal, account: AccountId, state: TradingState, *, who: str, why: str) -> bool:
    """True if it changed anything; a second halt keeps the first one's reason."""

    def write(tx: Tx, is_new: bool, _facts: AccountState) -> None:  # noqa: FBT001 - the decision's own value
        if is_new:
            tx.set_trading_state(state, f"{who}: {why}" if state is TradingState.HALTED else "")
            tx.append(Entry(_KINDS[state], account, body={"who": who, "why": why}))

    return await journal.transact(
        account,
        None,
        read=lambda reads: reads.account(),
        decide=lambda facts: facts.trading_state is not state,
        write=write,
    )
