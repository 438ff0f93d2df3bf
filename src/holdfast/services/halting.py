"""Halting one account: nothing is sent any more but what a person approves, until a person resumes.

Three findings halt by themselves, all of one kind: the journal is not the newest truth.

    - the venue shows an order with our prefix that the journal does not know
    - the bus carries a mark of this journal that is ahead of it (a restored backup)
    - the bus carries a mark that is not in this journal's chain (another journal was here)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.sides import TradingState
from holdfast.domain.way_out import HALTED_COMMANDS, HALTED_PAGE, RUNBOOKS
from holdfast.ports.bus import StateCopy
from holdfast.services.holding import new_alert

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.ports.bus import Bus
    from holdfast.ports.journal import AccountState, Journal, Reads, Tx
    from holdfast.ports.telemetry import Log

MARK_KEY = "holdfast:journal"
"""Where the mark stands: `<sequence>:<hash>` of the newest entry that was published."""


async def halt_account(journal: Journal, account: AccountId, log: Log, why: str) -> None:
    """Halt the account and tell a person; an account that is halted already keeps its first reason."""

    def write(tx: Tx, _choice: None, state: AccountState) -> None:
        if state.trading_state is TradingState.HALTED:
            return
        tx.set_trading_state(TradingState.HALTED, why)
        text = f"{why}. Type: {', then '.join(HALTED_COMMANDS)} ({RUNBOOKS}/{HALTED_PAGE})"
        tx.put_alert(new_alert(tx, f"{account} is halted", text))
        tx.append(Entry(EntryKind.HALTED, account, body={"who": "holdfast", "why": why}))

    await journal.transact(account, None, read=lambda reads: reads.account(), decide=lambda _: None, write=write)
    log.error("account_halted", account=account, why=why)


def mark_of(state: AccountState) -> StateCopy:
    """The journal's mark, as it is published."""
    return StateCopy(MARK_KEY, text=f"{state.last_seq}:{state.head_hash}")


async def check_journal_is_newest(journal: Journal, bus: Bus, account: AccountId, log: Log) -> None:
    """Compare the journal with the mark on the bus; halt if the mark is ahead of it or not of it.

    No mark (a new or wiped bus) says nothing. Raises BusUnavailable.
    """
    text = await bus.read_text(MARK_KEY)
    sequence, _, digest = (text or "").partition(":")
    if not sequence.isdecimal() or not digest:
        return

    def read(reads: Reads) -> str | None:
        state = reads.account()
        if int(sequence) > state.last_seq:
            return f"the journal ends at entry {state.last_seq}, but entry {sequence} was published: an older copy?"
        found = reads.entries_after(int(sequence) - 1, 1)
        if found and found[0].hash != digest:
            return f"entry {sequence} of the journal is not the one that was published: another journal?"
        return None

    why = await journal.query(account, read)
    if why is not None:
        await halt_account(journal, account, log, why)
