"""Reaching a PostgreSQL database, proving that it can be a journal, creating or migrating its tables.

Everything that keeps it from starting is CannotStart with what to do; no message ever holds the password. What is
proven before a journal is handed out: version, encoding, durable commits, a clock that agrees with ours (the ages of
stamps are told by the server's clock, the stamps are made by ours), the schema, the tails of all chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from holdfast.domain.errors import CannotStart
from holdfast.journal.audit import verify_tails
from holdfast.journal.batches import Reader
from holdfast.journal.migrate import is_current, upgrade
from holdfast.journal.postgres import NOW_MS, PostgresSession, classify, lock_number, said_of

if TYPE_CHECKING:
    from holdfast.journal.postgres import Connection
    from holdfast.ports.clock import Clock

VERSION_MIN = 140_000
CONNECT_S_MAX = 5
LOCK_MS_MAX = 2_000
"""How long a step waits for its account while another process has it, as on SQLite."""
WRITE_STATEMENT_MS_MAX = 5_000
READ_STATEMENT_MS_MAX = 60_000
"""An audit reads the whole history; a read holds no lock that anybody waits for."""
IDLE_MS_MAX = 3_000
"""A process that stands still inside a transaction loses it after this long: less than a lease, so that its successor
finds the account unlocked."""
CLOCK_SKEW_MS_MAX = 250
"""Half of what an input may be old by default: with more, permits would be denied without anybody seeing why."""

_TCP = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_DEFAULTS: dict[str, str | int] = {
    **_TCP,
    "tcp_user_timeout": 10_000,
    "connect_timeout": CONNECT_S_MAX,
    "target_session_attrs": "read-write",
}
_TABLES = b"SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
_ADVICE = (
    ("password authentication failed", "check the user in journal.url and its password (password_env, password_file)"),
    ("no password supplied", "name the password by journal.password_env or journal.password_file"),
    ("does not exist", "create it (`createdb --encoding UTF8 NAME`, `createuser NAME`), or change journal.url"),
    ("pg_hba.conf", "the server's pg_hba.conf does not let this host and user in"),
    ("read-only", "this is a standby: name the primary in journal.url"),
    ("starting up", "the server is starting: start again in a moment"),
    ("too many", "the server has no free connection: raise max_connections"),
)
_ADVICE_DEFAULT = "check that the server runs, and host and port in journal.url"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is. `shown` may be told to anybody; the rest holds the password."""

    parameters: dict[str, Any]
    shown: str

    def without_password(self, text: str) -> str:
        """The text, without the password wherever it may stand."""
        password = str(self.parameters.get("password") or "")
        return text.replace(password, "***") if password else text


def address_of(url: str) -> Address:
    """Read `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?...`. Raises CannotStart."""
    scheme, _, rest = url.partition("://")
    try:
        given = conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
    except psycopg.Error:  # its words may quote the address, and with it the password
        raise CannotStart("journal.url is no address that PostgreSQL's library can read") from None
    place = given.get("host") or given.get("hostaddr") or "the local socket"
    port = f":{given['port']}" if given.get("port") else ""
    shown = f"PostgreSQL at {place}{port}, database {given.get('dbname') or given.get('user') or '(default)'}"
    fixed = {"client_encoding": "UTF8", "application_name": "holdfast"}
    return Address({**_DEFAULTS, **given, **fixed}, shown)


def connect(address: Address, statement_ms_max: int) -> Connection:
    """A connection whose commits are durable and whose waits are bounded. Raises CannotStart."""
    try:
        connection = psycopg.connect(make_conninfo(**address.parameters), autocommit=True)
    except psycopg.Error as error:
        said = address.without_password(" ".join(str(error).split()))
        advice = next((words for sign, words in _ADVICE if sign in said), _ADVICE_DEFAULT)
        raise CannotStart(f"the journal ({address.shown}) cannot be opened: {said}: {advice}") from None
    try:
        _set_up(connection, address, statement_ms_max)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Connection, address: Address, statement_ms_max: int) -> None:
    if connection.info.server_version < VERSION_MIN:
        raise CannotStart(f"{address.shown} is version {connection.info.server_version}: 14 or newer is needed")
    settings = {
        "synchronous_commit": "on",
        "lock_timeout": LOCK_MS_MAX,
        "statement_timeout": statement_ms_max,
        "idle_in_transaction_session_timeout": IDLE_MS_MAX,
        "idle_session_timeout": 0,
    }
    try:
        connection.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()).encode())
    except psycopg.Error as error:
        raise CannotStart(f"the journal ({address.shown}) cannot be set up: {said_of(error)}") from error


def version_of(connection: Connection, shown: str) -> str | None:
    """The schema version of the journal in the current schema; None if that is empty.

    Raises CannotStart if it holds tables but no journal's.
    """
    if connection.execute(b"SELECT current_schema()").fetchone() == (None,):
        raise CannotStart(f"{shown} has no schema to put tables into: check the user's search_path")
    names = {row[0] for row in connection.execute(_TABLES)}
    if not names:
        return None
    if "alembic_version" not in names:
        raise CannotStart(f"{shown} holds tables, but no Holdfast journal: give journal.url a database of its own")
    row = connection.execute(b"SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


class PostgresDatabase:
    """Sessions of one database."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._address = address_of(url)
        self._clock = clock

    @property
    def shown(self) -> str:
        """What may be told of the address."""
        return self._address.shown

    def prepare(self) -> None:
        """Create or migrate the tables and prove the database.

        Raises CannotStart, ChainBroken, JournalBusy, JournalLost.
        """
        session = self.reader()
        try:
            self._check_server(session.connection)
            self._migrate(session.connection)
            Reader(session).run(verify_tails)
        except psycopg.Error as error:
            raise (classify(error) or error) from error
        finally:
            session.close()

    def version(self) -> str | None:
        """The schema version that stands there; see `version_of`."""
        connection = connect(self._address, WRITE_STATEMENT_MS_MAX)
        try:
            return version_of(connection, self.shown)
        except psycopg.Error as error:
            raise (classify(error) or error) from error
        finally:
            connection.close()

    def writer(self) -> PostgresSession:
        """A connection for steps."""
        return PostgresSession(connect(self._address, WRITE_STATEMENT_MS_MAX))

    def reader(self) -> PostgresSession:
        """A connection for reads; one that reads for long holds up nobody."""
        return PostgresSession(connect(self._address, READ_STATEMENT_MS_MAX))

    def close(self) -> None:
        """Nothing is shared."""

    def _check_server(self, connection: Connection) -> None:
        for name, wanted in (("server_encoding", "UTF8"), ("fsync", "on")):
            found = connection.execute(f"SHOW {name}".encode()).fetchone()
            if found != (wanted,):
                raise CannotStart(f"{self.shown}: {name} is {found and found[0]}, a journal needs {wanted}")
        before_ms = self._clock.now_ms()
        row = connection.execute(NOW_MS).fetchone()
        after_ms = self._clock.now_ms()
        server_ms = 0 if row is None else int(row[0])
        if not before_ms - CLOCK_SKEW_MS_MAX <= server_ms <= after_ms + CLOCK_SKEW_MS_MAX:
            raise CannotStart(
                f"the clock of {self.shown} is off from this machine's by {server_ms - after_ms} ms, at most "
                f"{CLOCK_SKEW_MS_MAX} are allowed: keep both right (NTP)"
            )

    def _migrate(self, connection: Connection) -> None:
        """One process at a time brings the tables up to date; the others wait for it, and find the work done."""
        if is_current(version_of(connection, self.shown)):
            return
        lock = str(lock_number("migrate")).encode()
        connection.execute(b"SET lock_timeout = 30000")
        connection.execute(b"SELECT pg_advisory_lock(" + lock + b")")
        try:
            if not is_current(version_of(connection, self.shown)):
                self._upgrade()
        finally:
            connection.execute(b"SELECT pg_advisory_unlock(" + lock + b")")

    def _upgrade(self) -> None:
        from sqlalchemy import create_engine  # noqa: PLC0415 slow to import, and needed once in a journal's life
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 as above
        from sqlalchemy.pool import StaticPool  # noqa: PLC0415 as above

        connection = connect(self._address, READ_STATEMENT_MS_MAX)
        try:
            connection.autocommit = False
            engine = create_engine(
                "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, use_native_hstore=False
            )
            upgrade(engine)
        except DBAPIError as error:
            original = error.orig
            said = said_of(original) if isinstance(original, psycopg.Error) else str(original)
            raise CannotStart(
                f"the tables of the journal ({self.shown}) cannot be made or migrated: {said}: the user must own the "
                "database, or be allowed to create in its schema (GRANT CREATE ON SCHEMA ...)"
            ) from error
        finally:
            connection.close()
