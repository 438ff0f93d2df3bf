"""What the journal asks of a database session; everything that differs between databases lies behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.domain.errors import HoldfastError
    from holdfast.journal.sql import Row


class Session(Protocol):
    """One connection, used by one thread at a time. Errors are the driver's; `classify` names them."""

    def one(self, statement: str, values: Row) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, statement: str, values: Row) -> list[Row]:
        """All rows."""
        ...

    def run(self, statement: str, values: Row) -> None:
        """Execute a statement whose result nobody asks for; what it raises may be raised later in the step."""
        ...

    def run_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute a statement once a row."""
        ...

    def now_ms(self) -> int:
        """The journal's clock, epoch ms."""
        ...

    def begin_write(self, lock_tries: int) -> bool:
        """Start a transaction that others' writes wait for; False if the lock was held at every try."""
        ...

    def begin_read(self) -> None:
        """Start a transaction that sees one state, the one that is there now."""
        ...

    def lock_account(self, account: str) -> None:
        """Make others' steps of the account wait (where `begin_write` does not do it for all)."""
        ...

    def begin_step(self) -> None:
        """Set the savepoint of one step."""
        ...

    def keep_step(self) -> None:
        """Keep what was done since the savepoint; all of it has been executed on return."""
        ...

    def undo_step(self) -> None:
        """Undo what was done since the savepoint."""
        ...

    def commit(self) -> None:
        """Make the transaction durable."""
        ...

    def roll_back(self) -> None:
        """End the transaction, if one is open, without a change."""
        ...

    def classify(self, error: BaseException) -> HoldfastError | None:
        """The journal's own name for a driver's error; None if it is none of the driver's."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Database(Protocol):
    """Where sessions come from."""

    def writer(self) -> Session:
        """The session of the one writer."""
        ...

    def reader(self) -> Session:
        """A session for reads, which waits for no writer."""
        ...

    def close(self) -> None:
        """End what the sessions share."""
        ...
