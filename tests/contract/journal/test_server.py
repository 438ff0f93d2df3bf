"""PostgreSQL: what is refused as a journal, what locks, crashes and lost lines do, and that its order is SQLite's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from holdfast.clock import SystemClock
from holdfast.domain.errors import CannotStart, JournalBusy, JournalLost
from holdfast.domain.ledger import MoveCause
from holdfast.domain.names import Symbol
from holdfast.journal import open_journal
from holdfast.journal.away import QUEUE_MAX, AwayRunner
from holdfast.journal.migrate import SCHEMA_VERSION
from holdfast.journal.postgres import lock_number
from holdfast.journal.postgres_opening import PostgresDatabase
from holdfast.journal.schema import metadata
from tests.contract.journal.line import BreakingLine
from tests.contract.journal.places import ServerPlace, SetClock
from tests.contract.journal.samples import ACCOUNT, LEG, LONG, OTHER_ACCOUNT, D, add_one, drift_entry, get, put
from tests.postgres import PASSWORD, QUOTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Tx
    from tests.contract.journal.places import Place
    from tests.postgres import PostgresServer

SECONDS_MAX = 20


def _refused(url: str) -> str:
    """Open, be refused, and what was said; never the password."""
    with pytest.raises(CannotStart) as caught:
        asyncio.run(open_journal(url, SystemClock()))
    assert PASSWORD not in str(caught.value)
    assert QUOTED not in str(caught.value)
    return str(caught.value)


# --- what is refused ------------------------------------------------------------------------------------------


def test_server_that_can_not_be_reached_is_named_with_what_to_do(server: PostgresServer) -> None:
    """A wrong password, a missing database or user, a closed port and an unreadable address each say what to do."""
    port = str(server.port)
    assert "password_env" in _refused(server.url(password="wrong"))
    assert "createdb" in _refused(server.url("nowhere"))
    assert "password_env" in _refused(server.url(user="nobody"))
    assert "check that the server runs" in _refused(server.url().replace(port, "9"))
    assert "no address" in _refused(f"postgresql://holdfast:{QUOTED}@[x/%zz")
    assert port in _refused(server.url("nowhere"))


def test_database_that_is_not_ours_or_newer_is_left_alone(server: PostgresServer) -> None:
    """Foreign tables, a newer schema, another encoding and a user without rights are refused with words."""
    name = server.new_database()
    server.execute("CREATE TABLE song (title text)", name)
    assert "no Holdfast journal" in _refused(server.url(name))
    server.execute("DROP TABLE song; CREATE TABLE alembic_version (version_num text)", name)
    server.execute("INSERT INTO alembic_version VALUES ('9999')", name)
    assert "run the newer Holdfast" in _refused(server.url(name))
    server.execute("DROP TABLE alembic_version", name)
    server.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    assert "GRANT CREATE" in _refused(server.url(name, user="guest", password="guest"))
    server.execute("DROP ROLE guest")
    server.drop_database(name)
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    assert "server_encoding is LATIN1" in _refused(server.url("latin"))
    server.drop_database("latin")


def test_failed_migration_leaves_an_empty_database_empty(server: PostgresServer) -> None:
    """Tables that could be made in part only are all taken back, and the next start begins anew."""
    name = server.new_database()
    server.execute("CREATE SCHEMA mine; CREATE VIEW pg_temp.nothing AS SELECT 1", name)
    server.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF EXISTS (SELECT FROM pg_tables WHERE tablename = 'orders') THEN RAISE 'enough'; END IF; END $$",
        name,
    )
    server.execute("CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()", name)
    assert "cannot be made" in _refused(server.url(name))
    database = PostgresDatabase(server.url(name), SystemClock())
    assert database.version() is None
    server.execute("DROP EVENT TRIGGER refuse", name)
    database.prepare()
    assert database.version() == SCHEMA_VERSION
    server.drop_database(name)


def test_clock_that_is_off_can_not_start(server_place: ServerPlace) -> None:
    """A server whose clock is far from ours is refused: no age could be told right."""
    late = SetClock(server_place.clock.ms + 400)
    with pytest.raises(CannotStart, match="off from this machine's by -400 ms"):
        asyncio.run(open_journal(server_place.url, late))


# --- the schema -----------------------------------------------------------------------------------------------


def test_migrations_end_at_the_metadata_and_order_is_binary(server_place: ServerPlace) -> None:
    """The migrated tables are what the metadata says, and every text column is ordered by its bytes."""
    server_place.run(add_one)
    url = server_place.shared_url.replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        others = connection.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            )
        )
        assert others.all() == []


def test_legs_are_ordered_by_bytes_everywhere(place: Place) -> None:
    """Capitals, small letters, signs and accents come in the order of their code points, whatever the database."""
    legs = [
        replace(leg, symbol=Symbol(name))
        for name in ("b", "B", "_b", "a", "Ab", "aB", "É", "A_B")
        for leg in (LONG, LEG)
    ]

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            for leg in legs:
                tx.move_ledger(leg, D(1), MoveCause.FILL, "")

        await put(journal, write)
        found = [state.leg for state in await get(journal, lambda reads: reads.legs())]
        assert found == sorted(legs, key=lambda leg: leg.sort_key())

    place.run(body)


def test_each_side_imports_only_its_own_driver(server_place: ServerPlace, tmp_path: object) -> None:
    """A start on an existing journal imports no migration tool, and a start on SQLite no PostgreSQL driver."""
    server_place.run(add_one)
    script = (
        "import asyncio, sys\n"
        "from holdfast.clock import SystemClock\n"
        "from holdfast.journal import open_journal\n"
        "async def main():\n"
        "    await (await open_journal(sys.argv[1], SystemClock())).close()\n"
        "asyncio.run(main())\n"
        "print([name for name in ('alembic', 'sqlalchemy', 'psycopg') if name in sys.modules])\n"
    )
    sqlite = f"sqlite:///{tmp_path}/journal.sqlite"
    said = []
    for url in (server_place.shared_url, sqlite, sqlite):
        command = [sys.executable, "-c", script, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 our own code
        said.append(done.stdout.strip())
    assert said == ["['psycopg']", "['alembic', 'sqlalchemy']", "[]"]


# --- locks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["SELECT pg_advisory_lock(%s)", "SELECT 1 FROM account WHERE %s <> 0 FOR UPDATE"])
def test_lock_held_elsewhere_is_busy_and_passes(server_place: ServerPlace, lock: str) -> None:
    """While another session holds the account, its steps end as JournalBusy, other work goes on; then they work."""

    async def body(journal: SqlJournal) -> None:
        await add_one(journal)
        with psycopg.connect(server_place.shared_url) as other:
            other.execute(lock.encode(), (lock_number(f"account:{ACCOUNT}"),))
            steps = [asyncio.ensure_future(add_one(journal)) for _ in range(3)]
            while not all(step.done() for step in steps):
                assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1
            outcomes = await asyncio.gather(*steps, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [JournalBusy] * 3
            await put(journal, lambda tx: tx.set_stamp(1), account=OTHER_ACCOUNT)
        assert await add_one(journal) == 1

    server_place.run(body)


def test_full_queue_is_busy_and_cancelled_steps_never_run(server_place: ServerPlace) -> None:
    """Above its bound the queue refuses with JournalBusy; of the steps it took, those cancelled in time never run."""

    async def body(journal: SqlJournal) -> None:
        await add_one(journal)
        with psycopg.connect(server_place.shared_url) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (lock_number(f"account:{ACCOUNT}"),))
            first = asyncio.ensure_future(put(journal, lambda tx: tx.append(drift_entry("first"))))
            await asyncio.sleep(0)
            tasks = [asyncio.ensure_future(add_one(journal)) for _ in range(QUEUE_MAX + 2)]
            refused = await asyncio.gather(*tasks[-3:], return_exceptions=True)
            assert [type(one) for one in refused] == [JournalBusy] * 3
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await first
        assert await add_one(journal) == 1
        assert await journal.verify(ACCOUNT) == 3

    server_place.run(body)


def test_two_journals_on_two_accounts_never_lock_each_other_out(server_place: ServerPlace) -> None:
    """Two processes' worth of steps on two accounts in opposite orders all end well."""

    async def body(one: SqlJournal) -> None:
        other = await open_journal(server_place.url, server_place.clock)
        accounts = (ACCOUNT, OTHER_ACCOUNT)
        try:
            await asyncio.gather(
                *(
                    put(
                        journal,
                        lambda tx: tx.append(replace(drift_entry(), account=tx.account().account)),
                        account=account,
                    )
                    for _ in range(60)
                    for journal, order in ((one, accounts), (other, accounts[::-1]))
                    for account in order
                )
            )
        finally:
            await other.close()
        assert [await one.verify(account) for account in accounts] == [120, 120]

    server_place.run(body)


def test_waits_are_bounded_by_the_server(server_place: ServerPlace) -> None:
    """Every connection commits durably, and the server ends locks, statements and idle transactions that last."""
    names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout")
    database = PostgresDatabase(server_place.url + "&application_name=x", server_place.clock)
    shown = []
    for session in (database.writer(), database.reader()):
        with closing(session):
            shown.append([session.one(f"SHOW {name}", ()) for name in names])
            assert session.one("SHOW application_name", ()) == ("holdfast",)
    assert shown == [
        [("on",), ("2s",), ("3s",), ("5s",)],
        [("on",), ("2s",), ("3s",), ("1min",)],
    ]


# --- lines and servers that are lost --------------------------------------------------------------------------


async def _is_lost_for_good(journal: SqlJournal, words: str) -> None:
    for late in (add_one(journal), journal.acquire(ACCOUNT, "apply", "one", 1_000)):
        with pytest.raises(JournalLost, match=words):
            await late


@pytest.mark.parametrize("words", [b"COMMIT\0", b"SAVEPOINT"])
def test_line_that_breaks_after_the_server_took_it_sends_nothing_twice(server_place: ServerPlace, words: bytes) -> None:
    """A COMMIT or a statement whose answer is lost is sent once; nobody is told of success, and nothing more runs."""
    server_place.run(add_one)
    with BreakingLine(server_place.server.port) as line:

        async def body(journal: SqlJournal) -> None:
            assert await add_one(journal) == 1
            line.words = words
            outcomes = await asyncio.gather(*(add_one(journal) for _ in range(5)), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [JournalLost] * 5
            assert len({id(outcome) for outcome in outcomes}) == 5
            await _is_lost_for_good(journal, "until the journal was reopened")

        url = server_place.url.replace(f":{server_place.server.port}/", f":{line.port}/")
        asyncio.run(_run_at(url, server_place, body))
        assert line.passed == 1

    async def reopened(journal: SqlJournal) -> int:
        await journal.verify(ACCOUNT)
        return int((await get(journal, lambda reads: reads.leg(LEG))).amt)

    assert server_place.run(reopened) == (7 if words == b"COMMIT\0" else 2)  # taken as a whole, or not at all


async def _run_at(url: str, place: ServerPlace, body: Callable[[SqlJournal], object]) -> None:
    journal = await open_journal(url, place.clock)
    try:
        await body(journal)  # type: ignore[misc]  # a coroutine function
    finally:
        await journal.close()


def test_server_that_dies_and_comes_back_has_all_that_was_acknowledged(own_server: PostgresServer) -> None:
    """Killed under load, the server leaves every waiting step JournalLost; started again it has what was told."""
    acknowledged: list[int] = []
    enough = asyncio.Event()

    async def body(journal: SqlJournal) -> None:
        async def many() -> None:
            while True:
                acknowledged.append(await add_one(journal))
                if len(acknowledged) > 100:
                    enough.set()

        assert (await get(journal, lambda reads: reads.leg(LEG))).version == 0
        streams = [asyncio.ensure_future(many()) for _ in range(8)]
        await enough.wait()
        await asyncio.to_thread(own_server.kill)
        ends = await asyncio.gather(*streams, return_exceptions=True)
        assert [type(end) for end in ends] == [JournalLost] * 8
        await _is_lost_for_good(journal, "database failed")
        with pytest.raises(JournalLost, match="database failed"):
            await get(journal, lambda reads: reads.leg(LEG))

    async def after(journal: SqlJournal) -> None:
        amt = int((await get(journal, lambda reads: reads.leg(LEG))).amt)
        assert set(acknowledged) <= set(range(amt))
        assert len(acknowledged) == len(set(acknowledged))
        assert await journal.verify(ACCOUNT) == amt
        assert await add_one(journal) == amt

    place = ServerPlace(own_server, "postgres")
    with closing(place.clock):
        place.run(body)
    assert "check that the server runs" in _refused(own_server.url())
    own_server.start()
    with closing(ServerPlace(own_server, "postgres")) as place:
        place.run(after)


def test_server_that_stands_still_is_left_after_a_bound(server_place: ServerPlace) -> None:
    """A server process that does not answer at all is JournalLost after the bound, not waited for without end."""

    async def body(journal: SqlJournal) -> None:
        stopped: list[int] = []

        def stop_it(tx: Tx) -> None:
            rows = tx._session.all("SELECT pg_backend_pid()", ())  # type: ignore[attr-defined]  # the writer's own
            stopped.append(int(rows[0][0]))
            os.kill(stopped[0], signal.SIGSTOP)

        step = asyncio.ensure_future(put(journal, stop_it, lambda tx: tx.set_stamp(1)))
        try:
            with pytest.raises(JournalLost, match=r"no answer within 0\.5 s"):
                await asyncio.wait_for(step, SECONDS_MAX)
            assert (await get(journal, lambda reads: reads.account())).stamp_ms is None
        finally:
            os.kill(stopped[0], signal.SIGCONT)

    server_place.run(body, runner=lambda database: AwayRunner(database, 0.5))  # type: ignore[arg-type]  # its line can be cut
