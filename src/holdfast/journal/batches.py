"""Several jobs in one transaction: each in its savepoint, one common commit, nobody told anything before it.

    begin fails, lock held        JournalBusy to all, nothing was changed
    an account's lock is held     JournalBusy to all, nothing was changed (where `lock_account` waits for it)
    one job raises                its savepoint is undone, its caller gets the exception; the others go on
    the database fails in a job   JournalLost to all
    commit fails                  JournalLost to all: what became of it is not known
    after JournalLost             every further job is refused: what is on disk is known only after reopening

The account's row is read once a batch, checked against the newest entry, kept in memory, and written before the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.domain.errors import ChainBroken, JournalBusy, JournalLost, Unclassified
from holdfast.journal import statements as sql
from holdfast.journal.chain import genesis_hash
from holdfast.journal.reads import load_account
from holdfast.journal.rows import account_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.errors import HoldfastError
    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session
    from holdfast.ports.journal import AccountState

Found = TypeVar("Found")

LOCK_TRIES_MAX = 4_000
"""Tries for the write lock while another process has it, half a millisecond apart: at least 2 s."""


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

    def put_back(self, state: AccountState) -> None:
        """Forget what a job that was undone made of it."""
        self._states[state.account] = state

    def write(self) -> None:
        """Write the changed rows."""
        for account in sorted(self._changed):
            self._session.run(sql.ACCOUNT_PUT, account_row(self._states[account]))


def check_head(session: Session, state: AccountState) -> None:
    """Raise ChainBroken if the account's row does not name the newest entry there is."""
    rows = session.all(sql.ENTRY_HASHES_FROM, (state.account, state.last_seq))
    if state.last_seq == 0:
        found = genesis_hash(state.account)
    else:
        found = rows.pop(0)[1] if rows and rows[0][0] == state.last_seq else ""
    if found != state.head_hash:
        raise ChainBroken(
            f"journal of {state.account}: entry {state.last_seq} is not the head that the account names", state.last_seq
        )
    if rows:
        following = rows[0][0]
        raise ChainBroken(f"journal of {state.account}: entry {following} stands after its head", following)


class BatchWriter:
    """Runs batches of write jobs on one session: `open_now` or `open_waiting`, `add` each, `seal`, `take_outcomes`.

    None of these raises for the database: whatever ends the transaction becomes every job's outcome.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lost: str | None = None
        self._ended_by: HoldfastError | None = None
        self._accounts = Accounts(session)
        self._outcomes: list[Outcome] = []

    def run(self, job: WriteJob) -> Outcome:
        """One job, one transaction, here and now."""
        if not self.open_now():
            self.open_waiting()
        self.add(job)
        self.seal()
        return self.take_outcomes(None)[0]

    def open_now(self) -> bool:
        """Begin a transaction; False if another process holds the lock."""
        return self._begin(lock_tries=1)

    def open_waiting(self) -> None:
        """Begin a transaction, waiting for the lock; then it is open or has ended with JournalBusy."""
        if not self._begin(lock_tries=LOCK_TRIES_MAX):
            self._ended_by = JournalBusy("another process holds the journal's write lock")

    def _begin(self, lock_tries: int) -> bool:
        self._accounts = Accounts(self._session)
        self._outcomes = []
        self._ended_by = None if self._lost is None else JournalLost(self._lost)
        if self._ended_by is not None:
            return True
        try:
            return self._session.begin_write(lock_tries)
        except BaseException as error:  # noqa: BLE001 every caller is told
            self._end_before_commit(error)
            return True

    def add(self, job: WriteJob) -> None:
        """Run one job in its savepoint."""
        if self._ended_by is not None:
            self._outcomes.append(Failed(self._ended_by))
            return
        try:
            self._outcomes.append(self._step(job))
        except BaseException as error:  # noqa: BLE001 every caller is told
            self._end_before_commit(error)
            self._outcomes.append(Failed(error))

    def seal(self) -> None:
        """Write the account rows and commit. The one call that blocks for long."""
        if self._ended_by is not None:
            return
        try:
            self._accounts.write()
        except BaseException as error:  # noqa: BLE001 every caller is told
            self._end_before_commit(error)
            return
        try:
            self._session.commit()
        except BaseException as error:  # noqa: BLE001 every caller is told
            self._end(error)

    def take_outcomes(self, error: BaseException | None) -> list[Outcome]:
        """One outcome a job, in order. `error` is what ended the thread's part, if anything did."""
        if error is not None:
            self._end(error)
        ended = self._ended_by
        if ended is None:
            return self._outcomes
        # One exception each: a shared one would collect every caller's traceback.
        return [Failed(type(ended)(str(ended))) for _ in self._outcomes]

    def _step(self, job: WriteJob) -> Outcome:
        session = self._session
        try:
            self._accounts.lock(job.account)
        except ChainBroken as error:
            return Failed(error)
        before = self._accounts.state(job.account)
        session.begin_step()
        try:
            value = job.run(session, self._accounts)
            session.keep_step()
        except BaseException as error:
            named = session.classify(error)
            if isinstance(named, JournalLost):
                raise
            session.undo_step()
            self._accounts.put_back(before)  # a statement of the step may fail after the step itself has ended well
            return Failed(_raisable(error if named is None else named))
        return Done(value)

    def _end_before_commit(self, error: BaseException) -> None:
        """The transaction failed as a whole, and was surely not committed: what is only busy may be asked again."""
        named = self._session.classify(error)
        if not isinstance(named, JournalBusy):
            self._end(error)
            return
        try:
            self._session.roll_back()
        except BaseException as second:  # noqa: BLE001 every caller is told
            self._end(second)
        else:
            self._ended_by = named

    def _end(self, error: BaseException) -> None:
        """The transaction failed as a whole: undo it, and write nothing more until the journal was reopened."""
        named = self._session.classify(error) or error
        self._lost = f"{named} (nothing more is written until the journal was reopened)"
        try:
            self._session.roll_back()
        except BaseException as second:  # noqa: BLE001 it adds to what callers are told
            self._lost += f" (and could not be rolled back: {second})"
        self._ended_by = JournalLost(self._lost)

    def close(self) -> None:
        """End the session."""
        self._session.close()


class Reader:
    """Runs reads on one session, each on one consistent state."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, look: Callable[[Session], Found]) -> Found:
        """One read transaction. Raises what `look` raises, JournalBusy, JournalLost."""
        try:
            self._session.begin_read()
            return look(self._session)
        except BaseException as error:
            named = self._session.classify(error)
            if named is None:
                raise
            raise named from error
        finally:
            self._session.roll_back()

    def close(self) -> None:
        """End the session."""
        self._session.close()


def _raisable(error: BaseException) -> BaseException:
    if isinstance(error, StopIteration):  # a future refuses it
        return Unclassified("a step raised StopIteration")
    return error
