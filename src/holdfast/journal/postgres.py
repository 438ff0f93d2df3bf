"""PostgreSQL: transactions, locks, the server's clock, and what its errors mean.

Durability: `synchronous_commit = on`, so COMMIT returns after the server's log is on disk. A writing transaction is
READ COMMITTED and locks its account before it reads anything of it: a transaction-level advisory lock (it also covers
an account without a row) and the account's row. Every statement after the lock sees all that was committed before it.
A reading transaction is REPEATABLE READ, READ ONLY: one state, that of its first statement.

    LOCK_NOT_AVAILABLE, QUERY_CANCELED, DEADLOCK_DETECTED, SERIALIZATION_FAILURE   JournalBusy   nothing was changed
    connection lost, server ending, disk full, read-only, may not, damaged         JournalLost   a person must look
    constraint, wrong data, wrong statement                                        Unclassified  a bug of ours

Every wait is bounded: by the server's timeouts set at the connection, by TCP's own where the server is gone, and by
`break_off` where it stands still.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper
from psycopg.pq import TransactionStatus

from holdfast.domain.errors import HoldfastError, JournalBusy, JournalLost, Unclassified

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from holdfast.journal.sql import Row

    Connection = psycopg.Connection[tuple[Any, ...]]

STATEMENTS_CACHED = 512
NOW_MS = b"SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_LOCK_ROW = "SELECT 1 FROM account WHERE account = ? FOR UPDATE"
_LOCK_ACCOUNT = "SELECT pg_advisory_xact_lock(?)"

_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected, errors.SerializationFailure)
_LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, errors.InsufficientPrivilege)


class _PlainInt(Dumper):
    """Integers without a type of their own, as text has none: else each width and each NULL is another statement."""

    def dump(self, obj: int) -> bytes:
        return b"%d" % obj


@lru_cache(maxsize=STATEMENTS_CACHED)
def _placed(statement: str) -> bytes:
    """The statement with the driver's placeholders. No statement of ours has a `?` or `%` of its own."""
    return statement.replace("?", "%s").encode()


@lru_cache(maxsize=STATEMENTS_CACHED)
def lock_number(name: str) -> int:
    """A name as a 64-bit number for an advisory lock: the same in every process, nobody else's by accident."""
    return int.from_bytes(hashlib.sha256(f"holdfast:{name}".encode()).digest()[:8], "big", signed=True)


class PostgresSession:
    """`backend.Session` over one connection in autocommit mode, which `postgres_opening.connect` has set up.

    A transaction is a pipeline: what has no result is sent without waiting and travels with the next statement that
    has one. The error of such a statement is raised by a later one, at the latest by `keep_step` or `commit`.
    """

    def __init__(self, connection: Connection) -> None:
        connection.adapters.register_dumper(int, _PlainInt)
        connection.prepared_max = STATEMENTS_CACHED
        self.connection = connection
        self._pipe: AbstractContextManager[psycopg.Pipeline] | None = None
        self._pipeline: psycopg.Pipeline | None = None
        self._is_reading = False
        self._cut_why = ""

    def one(self, statement: str, values: Row) -> Row | None:
        """The first row, or None."""
        return self._send(_placed(statement), values).fetchone()

    def all(self, statement: str, values: Row) -> list[Row]:
        """All rows."""
        return self._send(_placed(statement), values).fetchall()

    def run(self, statement: str, values: Row) -> None:
        """Execute, with the next statement that has a result."""
        self._send(_placed(statement), values)

    def run_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute once a row."""
        for values in rows:
            self._send(_placed(statement), values)

    def now_ms(self) -> int:
        """The server's clock, not that of the transaction's start."""
        row = self._send(NOW_MS, ()).fetchone()
        if row is None:
            raise Unclassified("PostgreSQL did not tell the time")
        return int(row[0])

    def begin_write(self, lock_tries: int) -> bool:  # noqa: ARG002 nothing is locked yet
        """Begin. What others wait for is the account's lock, see `lock_account`."""
        self._is_reading = False
        self._enter()
        self._command(b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        return True

    def begin_read(self) -> None:
        """Begin; the first statement fixes the state that all see, before it reads a clock."""
        self._is_reading = True
        self._enter()
        self._command(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def lock_account(self, account: str) -> None:
        """Ask for the account's lock; the next statement waits for it, within `lock_timeout`, and sees what stands."""
        self.run(_LOCK_ACCOUNT, (lock_number(f"account:{account}"),))
        self.run(_LOCK_ROW, (account,))

    def begin_step(self) -> None:
        """Savepoint."""
        self._command(b"SAVEPOINT step")

    def keep_step(self) -> None:
        """Keep; whatever the step sent has been executed on return."""
        self._command(b"RELEASE SAVEPOINT step")
        self._sync()

    def undo_step(self) -> None:
        """Undo, also after a statement that failed."""
        with contextlib.suppress(psycopg.Error):  # what the step sent is undone, however it ended
            self._sync()
        self._command(b"ROLLBACK TO SAVEPOINT step")
        self._command(b"RELEASE SAVEPOINT step")
        self._sync()

    def commit(self) -> None:
        """Commit; durable on return. A server answers ROLLBACK, and no error, to the COMMIT of a failed transaction."""
        said = self._command(b"COMMIT")
        self._leave()
        if said.statusmessage != "COMMIT":
            raise psycopg.InternalError("the server did not commit the transaction but rolled it back")

    def roll_back(self) -> None:
        """End what is open. A connection that is gone has ended its transaction with it."""
        with contextlib.suppress(psycopg.Error):  # it was told to whoever sent what failed; what counts is the status
            if self._pipe is not None and self._is_reading:
                # The driver forgets its prepared statements at a ROLLBACK; a read has nothing to undo.
                self._command(b"COMMIT")
        with contextlib.suppress(psycopg.Error):
            self._leave()
        if self.connection.closed or self.connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            self._command(b"ROLLBACK")
        except psycopg.Error:
            if not self.connection.closed:
                raise

    def classify(self, error: BaseException) -> HoldfastError | None:
        """See the module's table."""
        named = classify(error)
        if self._cut_why and isinstance(named, JournalLost):
            return JournalLost(f"{named}: {self._cut_why}")
        return named

    def break_off(self, why: str) -> None:
        """Cut the line, from any thread: whoever waits for an answer on it finds the connection lost, and `why`."""
        self._cut_why = why
        with (
            contextlib.suppress(psycopg.Error, OSError, ValueError),  # it is gone already
            socket.socket(fileno=os.dup(self.connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def _send(self, text: bytes, values: Row) -> psycopg.Cursor[Row]:
        return self.connection.cursor().execute(text, values, prepare=True)

    def _command(self, text: bytes) -> psycopg.Cursor[Row]:
        return self.connection.cursor().execute(text, prepare=False)

    def _enter(self) -> None:
        self._pipe = self.connection.pipeline()
        self._pipeline = self._pipe.__enter__()

    def _sync(self) -> None:
        """Wait until everything that was sent has been executed. Raises the first error among it."""
        if self._pipeline is not None:
            self._pipeline.sync()

    def _leave(self) -> None:
        """Wait for everything that was sent, then end the pipeline. Raises the first error among it."""
        pipe, self._pipe, self._pipeline = self._pipe, None, None
        if pipe is not None:
            pipe.__exit__(None, None, None)


def classify(error: BaseException) -> HoldfastError | None:
    """The journal's name for the driver's error; None if it is none of the driver's."""
    if not isinstance(error, psycopg.Error):
        return None
    said = said_of(error)
    if isinstance(error, _BUSY):
        return JournalBusy(f"the journal's database is busy ({said})")
    if isinstance(error, _LOST):
        return JournalLost(f"the journal's database failed ({said})")
    return Unclassified(f"a step broke a rule of the journal ({said})")


def said_of(error: psycopg.Error) -> str:
    """The error's kind and its first line; never a value of a row, which stands in further lines."""
    text = error.diag.message_primary or (str(error).strip() or "no words").splitlines()[0]
    return f"{type(error).__name__}: {text}"
