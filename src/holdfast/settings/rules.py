"""What one value alone can't show: bounds between values, real money, one prefix an account, one place a secret.

Each rule yields every problem that it finds; load reports all of them at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.limits import DeficitPolicy, ForeignPolicy, ReconcileClose
from holdfast.settings.problems import Problem
from holdfast.settings.secret import KeyUse
from holdfast.settings.venue import BadAddress, Environment, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum

    from holdfast.settings.tables import AccountTable, Tables

MUST_EXCEED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("stamp_age_ms_max", ("stamp_ms",), "else the stamp is stale before it is renewed"),
    ("view_age_ms_max", ("view_interval_ms",), "else every view is stale before the next is read"),
    ("plan_age_ms_max", ("agree_ms_max",), "else a plan that waits for agreement is always too old"),
    ("unknown_ms_max", ("recv_window_ms", "unknown_margin_ms"), "else absence can't be proven in time"),
)
"""(larger, those whose sum it must exceed, why)."""
VIEW_SPACING_MS = 267
"""How far apart complete views of one address lie: each weighs 6, its part of reading the mode included, and they may
use 1,350 of 2,400 a minute."""
VIEW_FAILED_MS = 1_500
"""A view that failed and the next one, which is asked for at once, rarely take longer together."""
FLATTENS = ("deficit", DeficitPolicy.FLATTEN)
FLATTENING_NEEDS: tuple[tuple[str, Enum], ...] = (
    ("foreign", ForeignPolicy.CLOSE),
    ("reconcile_close", ReconcileClose.ON),
)
"""What must be so that a deficit can be flattened."""


def broken_rules(tables: Tables) -> Iterator[Problem]:
    """Yield every problem between values."""
    yield from _venue(tables)
    yield from _one_place_each(("bus",), "password", tables.bus)
    yield from _one_place_each(("journal",), "password", tables.journal)
    yield from _one_place_each(("alerts",), "urls", tables.alerts)
    for name, table in (("bus", tables.bus), ("journal", tables.journal)):
        if table.url is None and (table.password_env is not None or table.password_file is not None):
            yield Problem((name, "password_env"), f"a password without {name}.url: the embedded one needs none")
    yield from _prefixes(tables)
    for name, account in tables.accounts.items():
        yield from _bounds(name, account)
        yield from _many(name, account, len(tables.accounts))
        yield from _policies(name, account)
        yield from _keys(name, account)


def _venue(tables: Tables) -> Iterator[Problem]:
    venue = tables.venue
    try:
        addresses = resolve(venue.environment, venue.rest_url, venue.stream_url)
    except BadAddress as error:
        yield Problem(("venue", error.key), str(error))
        return
    if addresses.environment is Environment.LIVE:
        for name, account in tables.accounts.items():
            if "foreign" not in account.model_fields_set:
                yield Problem(
                    ("accounts", name, "foreign"),
                    'real money: say what happens to positions that somebody else trades, foreign = "close", "adopt" '
                    'or "hold"',
                )


def _prefixes(tables: Tables) -> Iterator[Problem]:
    if len(tables.accounts) < 2:  # noqa: PLR2004 - several begins at two
        return
    taken: dict[str, str] = {}
    for name, account in tables.accounts.items():
        path = ("accounts", name, "bus_prefix")
        if account.bus_prefix is None:
            yield Problem(path, "is missing: with several accounts each has its own prefix on the bus")
        elif account.bus_prefix in taken:
            yield Problem(path, f"account {taken[account.bus_prefix]} has the same: each has its own")
        else:
            taken[account.bus_prefix] = name


def _bounds(name: str, account: AccountTable) -> Iterator[Problem]:
    for larger, smaller, why in MUST_EXCEED:
        value: int = getattr(account, larger)
        bound = sum(int(getattr(account, one)) for one in smaller)
        if value <= bound:
            yield Problem(
                ("accounts", name, _culprit(account, larger, smaller)),
                f"{larger} = {value} must be above {' + '.join(smaller)} = {bound}, {why}",
            )


def _many(name: str, account: AccountTable, accounts: int) -> Iterator[Problem]:
    """With many accounts the venue's limit spaces their views out: one that fails must not make everything stale."""
    apart_ms = accounts * VIEW_SPACING_MS
    interval_ms: int = getattr(account, "view_interval_ms")  # noqa: B009 - its fields are made from `Limits`
    age_ms_max: int = getattr(account, "view_age_ms_max")  # noqa: B009 - as above
    if apart_ms > interval_ms and age_ms_max < apart_ms + VIEW_FAILED_MS:
        yield Problem(
            ("accounts", name, "view_age_ms_max"),
            f"{accounts} accounts on one address: the venue lets each one's view be read every {apart_ms} ms; "
            f"view_age_ms_max = {age_ms_max} must be at least {apart_ms + VIEW_FAILED_MS}, "
            "else one view that fails holds everything",
        )


def _policies(name: str, account: AccountTable) -> Iterator[Problem]:
    deficit, flatten = FLATTENS
    if getattr(account, deficit) is not flatten:
        return
    for key, needed in FLATTENING_NEEDS:
        value: Enum = getattr(account, key)
        if value is not needed:
            why = f'{deficit} = "{flatten.value}" closes what is left, which {key} = "{value.value}" forbids'
            yield Problem(("accounts", name, key), f'{why}: set {key} = "{needed.value}", or {deficit} = "hold"')


def _culprit(account: AccountTable, larger: str, smaller: tuple[str, ...]) -> str:
    """Name the key that a person wrote, so that the line shown is one that exists."""
    return next((one for one in (larger, *smaller) if one in account.model_fields_set), larger)


def _keys(name: str, account: AccountTable) -> Iterator[Problem]:
    path = ("accounts", name)
    for use in KeyUse:
        for part in ("key", "secret"):
            yield from _one_place_each(path, f"{use.value}_{part}", account)
    for part in ("key", "secret"):
        if _places(account, f"read_{part}") == 0:
            yield Problem((*path, f"read_{part}_env"), f"is missing (or read_{part}_file): reading needs both parts")
    if (_places(account, "trade_key") == 0) != (_places(account, "trade_secret") == 0):
        missing = "key" if _places(account, "trade_key") == 0 else "secret"
        yield Problem((*path, f"trade_{missing}_env"), f"is missing (or trade_{missing}_file): a key needs its secret")


def _one_place_each(path: tuple[str, ...], what: str, table: object) -> Iterator[Problem]:
    if _places(table, what) > 1:
        yield Problem((*path, f"{what}_file"), f"{what}_env and {what}_file are both given: which of them counts?")


def _places(table: object, what: str) -> int:
    return sum(getattr(table, f"{what}_{kind}") is not None for kind in ("env", "file"))
