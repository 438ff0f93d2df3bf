"""Several jobs in one transaction: each in its savepoint, one common commit, nobody told anything before it.

    begin fails, lock held        JournalBusy to all, nothing was changed
    one job raises                its savepoint is undone, its caller gets the exception; the others go on
    the database fails in a job   JournalLost to all
    commit fails                  JournalLost to all
    after JournalLost             every further job is refused: what is on disk is known only after reopening

The account's row is read once a batch, checked against the newest entry, kept in memory, and written before the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.domain.errors import ChainBroken, HoldfastError, JournalBusy, JournalLost, Unclassified
from holdfast.journal import statements as sql
from holdfast.journal.chain import genesis_hash
from holdfast.journal.reads import load_account
from holdfast.journal.rows import account_row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session
    from holdfast.ports.journal import AccountState


@dataclass(frozen=True, slots=True)
class Done:
    """A job's value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """What a job's caller gets raised."""

    error: BaseException


Outcome = Done | Failed


@dataclass(frozen=True, slots=True)
class WriteJob:
    """One step or lease operation."""

    account: AccountId
    run: Callable[[Session, Accounts], Any]


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One consistent read."""

    run: Callable[[Session], Any]


class Accounts:
    """The account rows of one batch."""

    __slots__ = ("_changed", "_session", "_states")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._states: dict[AccountId, AccountState] = {}
        self._changed: set[AccountId] = set()

    def lock(self, account: AccountId) -> None:
        """Lock and read the account. Raises ChainBroken if its newest entry is not the one its row names."""
        if account in self._states:
            return
        self._session.lock_account(account)
        state = load_account(self._session, account)
        check_head(self._session, state)
        self._states[account] = state

    def state(self, account: AccountId) -> AccountState:
        """The state as the batch's jobs left it so far."""
        return self._states[account]

    def keep(self, state: AccountState) -> None:
        """Take over what a job that succeeded made of it."""
        self._states[state.account] = state
        self._changed.add(state.account)

    def write(self) -> None:
        """Write the changed rows."""
        for account in sorted(self._changed):
            self._session.run(sql.ACCOUNT_PUT, account_row(self._states[account]))


def check_head(session: Session, state: AccountState) -> None:
    """Raise ChainBroken if the entry that the account's row calls its newest is missing or another."""
    if state.last_seq == 0:
        found = genesis_hash(state.account)
    else:
        row = session.one(sql.ENTRY_HASH, (state.account, state.last_seq))
        found = "" if row is None else row[0]
    if found != state.head_hash:
        raise ChainBroken(
            f"journal of {state.account}: entry {state.last_seq} is not the head that the account names", state.last_seq
        )


class BatchWriter:
    """Runs batches of write jobs on one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lost: str | None = None

    def run(self, jobs: Sequence[WriteJob]) -> list[Outcome]:
        """Run the jobs in one transaction; one outcome each, in order. Never raises."""
        if self._lost is not None:
            return _all_failed(JournalLost, self._lost, len(jobs))
        try:
            return self._transact(jobs)
        except JournalBusy as error:
            self._roll_back()
            return _all_failed(JournalBusy, str(error), len(jobs))
        except BaseException as error:  # noqa: BLE001 whatever ended the transaction, every caller is told
            self._roll_back()
            self._lost = f"{error} (nothing more is written until the journal was reopened)"
            return _all_failed(JournalLost, self._lost, len(jobs))

    def _transact(self, jobs: Sequence[WriteJob]) -> list[Outcome]:
        session = self._session
        try:
            session.begin_write()
            accounts = Accounts(session)
            outcomes = [self._step(job, accounts) for job in jobs]
            accounts.write()
            session.commit()
        except HoldfastError:
            raise
        except BaseException as error:
            raise JournalLost(str(session.classify(error) or repr(error))) from error
        return outcomes

    def _step(self, job: WriteJob, accounts: Accounts) -> Outcome:
        try:
            accounts.lock(job.account)
        except ChainBroken as error:
            return Failed(error)
        self._session.begin_step()
        try:
            value = job.run(self._session, accounts)
        except BaseException as error:
            named = self._session.classify(error)
            if isinstance(named, JournalLost):
                raise named from error
            self._session.undo_step()
            return Failed(_raisable(error if named is None else named))
        self._session.keep_step()
        return Done(value)

    def _roll_back(self) -> None:
        try:
            self._session.roll_back()
        except BaseException as error:  # noqa: BLE001 the transaction's own failure is what callers are told
            self._lost = f"a failed transaction could not be rolled back: {error}"

    def close(self) -> None:
        """End the session."""
        self._session.close()


class BatchReader:
    """Runs batches of read jobs on one session, each batch on one consistent state."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, jobs: Sequence[ReadJob]) -> list[Outcome]:
        """Run the jobs in one read transaction; one outcome each, in order. Never raises."""
        try:
            self._session.begin_read()
            outcomes = [self._look(job) for job in jobs]
            self._session.roll_back()
        except BaseException as error:  # noqa: BLE001 every caller is told
            named = self._session.classify(error) or JournalLost(repr(error))
            return _all_failed(type(named), str(named), len(jobs))
        return outcomes

    def _look(self, job: ReadJob) -> Outcome:
        try:
            return Done(job.run(self._session))
        except BaseException as error:  # noqa: BLE001 it is raised again where the job came from
            return Failed(_raisable(self._session.classify(error) or error))

    def close(self) -> None:
        """End the session."""
        self._session.close()


def _all_failed(kind: type[HoldfastError], text: str, count: int) -> list[Outcome]:
    """One exception each: a shared one would collect every caller's traceback."""
    return [Failed(kind(text)) for _ in range(count)]


def _raisable(error: BaseException) -> BaseException:
    if isinstance(error, StopIteration):  # a future refuses it
        return Unclassified("a step raised StopIteration")
    return error
