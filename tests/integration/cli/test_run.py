"""`holdfast run`: whatever keeps it from starting is said, trades nothing, and is not status 0; and how it ends."""

from __future__ import annotations

import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.command_line import DEADLINE_S, KEYS, House, process, say, settings_text, until

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def start(settings: Path, *words: str) -> tuple[int, str]:
    """Start it in this process and wait for its end; status and standard error."""
    ended = say("run", "--settings", str(settings), *words)
    assert "holdfast runs" not in ended.out
    assert "Traceback" not in ended.err
    return ended.status, ended.err


def written(folder: Path, text: str) -> Path:
    """Write settings."""
    path = folder / "holdfast.toml"
    path.write_text(text)
    return path


def test_an_unreachable_exchange_keeps_it_from_starting(tmp_path: Path) -> None:
    """The message names the address and what to check; the status is 2."""
    status, err = start(written(tmp_path, settings_text(NOBODY)))
    assert status == 2
    assert f"the exchange at {NOBODY} gave no usable answer" in err
    assert "nothing was traded" in err


@pytest.mark.parametrize(("name", "code"), [("T_KEY_A", "-2015"), ("T_SECRET_A", "-1022")])
def test_wrong_keys_keep_it_from_starting(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    """A key or secret that the exchange refuses is named by the venue's code; the value stays unsaid."""
    monkeypatch.setenv(name, "wrong-value")
    status, err = start(written(tmp_path, settings_text(home.exchange["base_url"])))
    assert status == 2
    assert code in err
    assert "wrong-value" not in err


def test_a_missing_key_is_named_with_its_line(home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable that is not set is named, and where the settings ask for it."""
    monkeypatch.setenv("T_KEY_A", "")
    status, err = start(written(tmp_path, settings_text(home.exchange["base_url"])))
    assert status == 2
    assert "holdfast.toml:7: accounts.auto.read_key_env" in err


def test_an_unknown_symbol_keeps_it_from_starting(home: House, tmp_path: Path) -> None:
    """A symbol that the exchange does not list is named."""
    text = settings_text(home.exchange["base_url"]).replace("SYM060USDT", "NOSUCHUSDT")
    status, err = start(written(tmp_path, text))
    assert (status, "lists no NOSUCHUSDT" in err) == (2, True)


def test_an_unknown_key_is_named_with_its_line(tmp_path: Path) -> None:
    """A slip in the settings is refused with file, line and the nearest key."""
    status, err = start(written(tmp_path, settings_text(NOBODY, more="[metrics]\nprot = 0\n")))
    assert status == 2
    assert "holdfast.toml:16: metrics.prot: unknown key; did you mean port?" in err


def test_a_busy_metrics_port_keeps_it_from_starting(home: House, tmp_path: Path) -> None:
    """A port that another program has is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = settings_text(home.exchange["base_url"], more=f"[metrics]\nport = {port}\n")
        status, err = start(written(tmp_path, text))
    assert (status, f"metrics.port = {port} is taken" in err) == (2, True)


def test_an_unreachable_bus_keeps_it_from_starting(home: House, tmp_path: Path) -> None:
    """A bus of one's own that does not answer is said with what to check."""
    text = settings_text(home.exchange["base_url"], more='[bus]\nurl = "redis://127.0.0.1:9/0"\n')
    status, err = start(written(tmp_path, text))
    assert (status, "check bus.url" in err) == (2, True)


def test_a_file_that_is_no_journal_keeps_it_from_starting(tmp_path: Path) -> None:
    """Garbage in the journal's place is no journal, and is left as it is."""
    (tmp_path / "holdfast-data").mkdir()
    journal = tmp_path / "holdfast-data" / "journal.sqlite"
    journal.write_text("garbage " * 200)
    status, err = start(written(tmp_path, settings_text(NOBODY)))
    assert (status, "not a database" in err) == (2, True)
    assert journal.read_text() == "garbage " * 200


def test_a_tampered_journal_keeps_it_from_starting(lonely: Path) -> None:
    """A chain that does not hold is never built upon."""
    assert say("halt", "--reason", "an entry", "--account", "auto", "--settings", str(lonely)).status == 0
    with closing(sqlite3.connect(lonely.parent / "holdfast-data" / "journal.sqlite")) as changed, changed:
        changed.execute("UPDATE entry SET at_ms = at_ms + 1")
    status, err = start(lonely)
    assert (status, "holdfast audit verify" in err) == (2, True)


def test_a_locked_journal_keeps_it_from_starting(lonely: Path) -> None:
    """A journal that another process holds is said after a bounded wait."""
    with closing(sqlite3.connect(lonely.parent / "holdfast-data" / "journal.sqlite", isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        status, err = start(lonely)
    assert (status, "another process holds the journal" in err) == (2, True)


def test_services_apart_need_a_bus_of_their_own(tmp_path: Path) -> None:
    """One service alone without bus.url is refused; a service of another name too."""
    settings = written(tmp_path, settings_text(NOBODY))
    status, err = start(settings, "--service", "apply")
    assert (status, "set bus.url" in err) == (2, True)
    assert start(settings, "--service", "everything")[0] == 2


def test_a_second_run_on_the_same_folder_says_so_and_harms_nothing(home: House) -> None:
    """The first goes on: its bus's address stays in the file, and plans are executed."""
    address = Path(home.services["bus_file"]).read_text()
    status, err = start(home.settings)
    assert (status, "another bus server runs" in err) == (2, True)
    assert Path(home.services["bus_file"]).read_text() == address
    words = ("plan", "submit", "--symbol", home.symbol(), "--side", "BUY", "--qty", "1")
    assert home.ask("auto", *words).status == 0


def test_sigterm_ends_it_in_order(home: House, tmp_path: Path) -> None:
    """SIGTERM is status 0; the bus's server and its address are gone."""
    settings = written(tmp_path, settings_text(home.exchange["base_url"]))
    with process("run", "--json", "--settings", str(settings), log=tmp_path / "run.log") as running:
        until(lambda: say("status", "--settings", str(settings)).status != 3, "the accounts are watched")
        assert running.end() == 0
    assert not Path(running.first["bus_file"]).exists()
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_sigkill_leaves_no_server_behind(home: House, tmp_path: Path) -> None:
    """The embedded bus dies with its parent: nobody listens at its address any more."""
    settings = written(tmp_path, settings_text(home.exchange["base_url"]))
    with process("run", "--json", "--settings", str(settings), log=tmp_path / "run.log") as running:
        port = int(Path(running.first["bus_file"]).read_text().rsplit(":", 1)[1].split("/")[0])
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S).close()
        assert running.end(signal.SIGKILL) == -signal.SIGKILL

    def is_gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    until(is_gone, "the server is gone")
