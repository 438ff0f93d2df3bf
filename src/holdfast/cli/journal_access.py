"""The command line's way to the journal: settings, account, an existing file. It never creates or migrates one.

Invariant: nothing here needs a service, the bus or the exchange to run; everything it raises says what to do.
"""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.clock import SystemClock
from holdfast.domain.errors import CannotStart, JournalLost
from holdfast.journal import InlineRunner
from holdfast.journal.migrate import version_of
from holdfast.journal.opening import FileDatabase, check_version, is_postgres, open_standing_server, sqlite_path
from holdfast.journal.sqlite import check_library, classify, connect_file
from holdfast.journal.store import SqlJournal
from holdfast.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from holdfast.domain.limits import Limits
    from holdfast.domain.names import AccountId
    from holdfast.ports.journal import Journal
    from holdfast.settings import Settings

WAIT_MS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings and an open journal."""

    settings: Settings
    journal: Journal

    def account(self, name: str) -> AccountId:
        """The account that was named, or the only one. Raises CannotStart."""
        return one_account(self.settings, name)

    def accounts(self, name: str) -> tuple[AccountId, ...]:
        """The account that was named, or all of them. Raises CannotStart."""
        return (one_account(self.settings, name),) if name else self.settings.accounts

    def limits(self, account: AccountId) -> Limits:
        """One account's limits."""
        return self.settings.limits(account)


def one_account(settings: Settings, name: str) -> AccountId:
    """The account that was named, or the only one. Raises CannotStart naming those there are."""
    names = settings.accounts
    if not name and len(names) == 1:
        return names[0]
    found = next((each for each in names if each == name), None)
    if found is None:
        said = f"there is no account {name!r}" if name else "several accounts are configured"
        raise CannotStart(f"{said}: pass --account with one of {', '.join(names)}")
    return found


@asynccontextmanager
async def open_desk(settings_path: Path) -> AsyncIterator[Desk]:
    """Read the settings and open their journal. Raises CannotStart, JournalLost, JournalBusy."""
    settings = load_settings(settings_path)
    journal = open_existing(settings.journal_url().get_secret_value())
    try:
        yield Desk(settings, journal)
    finally:
        await journal.close()


def open_existing(url: str) -> SqlJournal:
    """Open the journal at `url` as it stands, its chain unproven. Raises CannotStart, JournalLost, JournalBusy."""
    if is_postgres(url):
        return open_standing_server(url, SystemClock())
    path = sqlite_path(url)
    check_library()
    if not path.is_file():
        check_version(None, str(path))
    try:
        connection = connect_file(path, WAIT_MS_MAX)
        try:
            version = version_of(connection)
        finally:
            connection.close()
        check_version(version, str(path))
        return SqlJournal(InlineRunner(FileDatabase(path, SystemClock())))
    except sqlite3.Error as error:
        raise (classify(error) or JournalLost(f"the journal {path} cannot be read: {error}")) from error
