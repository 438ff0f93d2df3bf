"""Several processes on one journal, and processes that die in the middle."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.journal.samples import ACCOUNT, LEG, D, add_one, get

if TYPE_CHECKING:
    from holdfast.journal.store import SqlJournal
    from tests.contract.journal.places import LastingPlace

SECONDS_MAX = 60
ROOT = Path(__file__).parents[3]


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.contract.journal.child", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 our own child


def _finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0
    return output


def test_two_processes_build_one_chain_and_one_ledger(lasting_place: LastingPlace) -> None:
    """Two processes that write the same account at the same time lose nothing and break nothing."""
    each = 150
    children = [_start("add", lasting_place.shared_url, service, str(each)) for service in ("apply", "reconcile")]
    for child in children:
        _finish(child)

    async def judge(journal: SqlJournal) -> None:
        leg = await get(journal, lambda reads: reads.leg(LEG))
        assert (leg.amt, leg.version) == (D(2 * each), 2 * each)
        assert await journal.verify(ACCOUNT) == 2 * each + 2  # the leases are entries too
        entries = await get(journal, lambda reads: reads.entries_after(0, 1_000))
        befores = [kept.entry.body["before"] for kept in entries if "before" in kept.entry.body]
        assert befores == list(range(2 * each))

    lasting_place.run(judge)


def test_new_journal_is_created_once_by_many_processes(new_place: LastingPlace) -> None:
    """Processes that open a missing journal at the same moment all end with the same, working one."""
    children = [_start("open", new_place.shared_url) for _ in range(4)]
    for child in children:
        _finish(child)

    assert new_place.run(add_one) == 0


def test_sigkill_loses_nothing_that_was_acknowledged(lasting_place: LastingPlace) -> None:
    """After SIGKILL in a stream of grouped steps every acknowledged one is there, and the chain holds."""
    child = _start("stream", lasting_place.shared_url)
    acknowledged: list[str] = []
    if child.stdout is not None:
        acknowledged = [child.stdout.readline().strip() for _ in range(300)]
    child.kill()
    rest, _ = child.communicate(timeout=SECONDS_MAX)
    acknowledged += rest.split("\n")[:-1]  # a last line without its end was cut by the kill
    assert len(acknowledged) >= 300

    async def judge(journal: SqlJournal) -> None:
        journaled = {
            kept.entry.body["text"] for kept in await get(journal, lambda reads: reads.entries_after(0, 10**6))
        }
        assert set(acknowledged) <= journaled
        assert await journal.verify(ACCOUNT) == len(journaled)

    lasting_place.run(judge)


def test_journal_that_may_not_be_written_says_so() -> None:
    """A process without the right to write the file gets JournalLost with the path, at the start."""
    # pytest's own directory is closed to others
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = Path(directory) / "journal.sqlite"
        _finish(_start("open", f"sqlite:///{path}"))
        Path(directory).chmod(0o755)
        path.chmod(0o444)
        assert (
            _finish(_start("nobody", f"sqlite:///{path}"))
            == f"JournalLost: the journal {path} may not be written: Permission denied"
        )
