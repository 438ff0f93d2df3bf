"""What the rest of the program asks of the settings. Checked values only; secrets are read at the moment of asking.

So a machine that runs `reconcile` alone needs the reading key alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr

from holdfast.domain.errors import CannotStart
from holdfast.domain.limits import Limits
from holdfast.domain.names import AccountId, Symbol
from holdfast.settings.limits import limit_names
from holdfast.settings.problems import Problem
from holdfast.settings.secret import KeyUse, from_env, from_file
from holdfast.settings.tables import ALERT_URLS_MAX
from holdfast.settings.venue import resolve

if TYPE_CHECKING:
    from holdfast.domain.sides import PositionMode
    from holdfast.settings.problems import Origin
    from holdfast.settings.tables import AccountTable, LogTable, MetricsTable, Tables
    from holdfast.settings.venue import VenueAddresses


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """An API key and its secret; neither shows in a repr."""

    key: SecretStr
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings."""

    tables: Tables
    origin: Origin

    @property
    def path(self) -> Path:
        """The file they came from."""
        return self.origin.path

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        """Names of all accounts, in the file's order."""
        return tuple(AccountId(name) for name in self.tables.accounts)

    @property
    def metrics(self) -> MetricsTable:
        """The table [metrics]."""
        return self.tables.metrics

    @property
    def log(self) -> LogTable:
        """The table [log]."""
        return self.tables.log

    @property
    def data_dir(self) -> Path:
        """Where the journal and the embedded bus keep their files; absolute, perhaps not made yet."""
        return self._beside(self.tables.bus.data_dir)

    @property
    def venue(self) -> VenueAddresses:
        """Where the venue is."""
        venue = self.tables.venue
        return resolve(venue.environment, venue.rest_url, venue.stream_url)

    def limits(self, account: AccountId) -> Limits:
        """One account's limits. Raises CannotStart if there is no such account."""
        table = self._account(account)
        return Limits(
            symbols=frozenset(Symbol(name) for name in table.symbols),
            **{name: getattr(table, name) for name in limit_names()},
        )

    def view_interval_ms(self, account: AccountId) -> int:
        """One of these limits alone: it is asked for several times a second. Raises CannotStart as `limits` does."""
        interval_ms: int = getattr(self._account(account), "view_interval_ms")  # noqa: B009 - its fields are made from `Limits`
        return interval_ms

    def position_mode(self, account: AccountId) -> PositionMode:
        """How the account is expected to keep positions."""
        return self._account(account).position_mode

    def bus_prefix(self, account: AccountId) -> str:
        """The prefix of the account's keys and streams."""
        return self._account(account).bus_prefix or self.tables.bus.prefix

    def bus_url(self) -> SecretStr | None:
        """The bus server's address with its password; None: run an embedded one. Raises CannotStart."""
        url = self.tables.bus.url
        return None if url is None else self._with_password(url, ("bus",))

    def journal_url(self) -> SecretStr:
        """The database's address with its password. Raises CannotStart."""
        url = self.tables.journal.url
        if url is None:
            return SecretStr(f"sqlite:///{self.data_dir / 'journal.sqlite'}")
        scheme, _, name = url.partition(":///")
        if scheme.startswith("sqlite") and name and name != ":memory:":
            return SecretStr(f"{scheme}:///{self._beside(Path(name))}")
        return self._with_password(url, ("journal",))

    def keys(self, account: AccountId, use: KeyUse) -> AccountKeys:
        """Read the account's key for `use`; the reading key trades if no other is named. Raises CannotStart."""
        table = self._account(account)
        has_own = table.trade_key_env is not None or table.trade_key_file is not None
        name = use.value if use is KeyUse.READ or has_own else KeyUse.READ.value
        key = self._secret(("accounts", account), f"{name}_key", table)
        secret = self._secret(("accounts", account), f"{name}_secret", table)
        if key is None or secret is None:
            raise CannotStart(f"account {account} has no {name} key")
        return AccountKeys(key, secret)

    def alert_urls(self) -> tuple[SecretStr, ...]:
        """Read the alert channels; () if none is configured. Raises CannotStart."""
        table = self.tables.alerts
        urls = [SecretStr(url) for url in table.urls]
        found = self._secret(("alerts",), "urls", table)
        if found is not None:
            lines = (line.strip() for line in found.get_secret_value().splitlines())
            urls += [SecretStr(url) for line in lines if not line.startswith("#") for url in line.split()]
        if len(urls) > ALERT_URLS_MAX:
            raise CannotStart(f"{len(urls)} alert URLs are configured; at most {ALERT_URLS_MAX} are served")
        return tuple(urls)

    def _account(self, account: AccountId) -> AccountTable:
        table = self.tables.accounts.get(account)
        if table is None:
            raise CannotStart(f"{self.path} has no table [accounts.{account}]; it has: {', '.join(self.accounts)}")
        return table

    def _beside(self, path: Path) -> Path:
        """Paths in the file are relative to the file."""
        return (self.path.parent / path.expanduser()).absolute()

    def _secret(self, table_path: tuple[str, ...], name: str, table: object) -> SecretStr | None:
        variable: str | None = getattr(table, f"{name}_env")
        file: Path | None = getattr(table, f"{name}_file")
        kind = "env" if variable is not None else "file"
        try:
            if variable is not None:
                return from_env(variable)
            return None if file is None else from_file(self._beside(file))
        except CannotStart as error:
            raise self.origin.refuse([Problem((*table_path, f"{name}_{kind}"), str(error))]) from error

    def _with_password(self, url: str, table_path: tuple[str]) -> SecretStr:
        password = self._secret(table_path, "password", getattr(self.tables, table_path[0]))
        if password is None:
            return SecretStr(url)
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        netloc = f"{user if at else ''}:{quote(password.get_secret_value(), safe='')}@{host}"
        return SecretStr(urlunsplit(parts._replace(netloc=netloc)))
