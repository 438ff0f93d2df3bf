"""The demo for a person, line by line as it happens; coloured on a terminal, plain text elsewhere.

Facts of one moment are read from different places and arrive a little out of order, so lines wait until nothing came
for `SORT_S` and then go out in order of time: what is shown is late by that much, what is measured is not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Event
    from holdfast.lab.demo.report import Playable, Report

SORT_S = 0.04
NAME_WIDTH = 22
BY_HAND = "the exchange accepted the trade by hand"
NOT_SEEN = "did not happen"
STYLES = {
    "foreign_trade": "bold magenta",
    "hand_close": "bold magenta",
    "drift_seen": "yellow",
    "hold_placed": "bold yellow",
    "plan_refused": "yellow",
    "plan_still_refused": "yellow",
    "hold_stands": "yellow",
    "manual_required": "yellow",
    "operator_alerted": "bold yellow",
    "order_at_exchange": "cyan",
    "hold_released": "bold green",
    "permit_allow": "green",
    "plan_executed": "bold green",
}


class Screen(Protocol):
    """Who is told while it happens."""

    def story(self, scenario: Playable) -> None:
        """What is going to be played."""
        ...

    def note(self, text: str) -> None:
        """Something outside the measured story."""
        ...

    def drift(self, at_ns: int, since: str = BY_HAND) -> None:
        """The moment from which times count, and what happened then."""
        ...

    def event(self, event: Event) -> None:
        """One step of the story."""
        ...

    def end(self, report: Report) -> None:
        """Times and verdicts."""
        ...


class Silent:
    """A screen that shows nothing: the JSON says it all."""

    def story(self, scenario: Playable) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def drift(self, at_ns: int, since: str = BY_HAND) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """Nothing."""

    def end(self, report: Report) -> None:
        """Nothing."""


class Lines:
    """A screen of lines on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console if console is not None else Console(highlight=False, soft_wrap=True)
        self._drift_ns: int | None = None
        self._waiting: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None

    def story(self, scenario: Playable) -> None:
        """See the protocol."""
        self._print(f"holdfast demo: {scenario.name}", "bold")
        self._print(f"  {scenario.story}\n")

    def note(self, text: str) -> None:
        """See the protocol."""
        self._flush()
        self._drift_ns = None
        self._print(f"  {text}", "dim")

    def drift(self, at_ns: int, since: str = BY_HAND) -> None:
        """See the protocol."""
        self._drift_ns = at_ns
        self._print(f"\n{'ms':>10}  since {since}", "dim")

    def event(self, event: Event) -> None:
        """See the protocol."""
        self._waiting.append(event)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SORT_S, self._quiet)

    def _quiet(self) -> None:
        """Show what came, unless the answer that says when the drift was is still under way."""
        if self._drift_ns is not None:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = sorted(self._waiting, key=lambda event: event.at_ns), []
        for event in waiting:
            since = "" if self._drift_ns is None else f"{(event.at_ns - self._drift_ns) / 1_000_000:.1f}"
            self._print(f"{since:>10}  {event.text}", STYLES.get(event.name, ""))

    def end(self, report: Report) -> None:
        """See the protocol."""
        self._flush()
        rows = (
            ("drift to HOLD", report.drift_to_hold_ms, "its key stands on the bus"),
            ("drift to close", report.drift_to_close_ms, "the exchange accepted the order"),
            ("drift to release", report.drift_to_release_ms, "its key is gone from the bus"),
        )
        self._console.print()
        if self._console.is_terminal:
            self._table(rows)
        else:
            for name, ms, meaning in rows:
                self._print(f"  {name:<18}{_ms(ms):>10}   {meaning if ms is not None else NOT_SEEN}")
        self._console.print()
        for promise in report.promises:
            word, style = ("kept", "green") if promise.kept else ("BROKEN", "bold red")
            self._print(f"  {word:<8}{promise.name:<{NAME_WIDTH}}{promise.seen}", style if not promise.kept else "")
        if report.facts.unseen:
            self._print(f"  waited in vain for: {report.facts.unseen}", "bold red")
        end = "every promise was kept" if report.is_kept else f"{len(report.broken)} promises were broken"
        self._print(f"\n  {report.scenario.name}: {end}", "bold green" if report.is_kept else "bold red")

    def _table(self, rows: tuple[tuple[str, float | None, str], ...]) -> None:
        table = Table(box=None, padding=(0, 2), show_header=False)
        table.add_column("")
        table.add_column("", justify="right", style="bold")
        table.add_column("", style="dim")
        for name, ms, meaning in rows:
            table.add_row(name, _ms(ms), meaning if ms is not None else NOT_SEEN)
        self._console.print(table)

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style=style))


def _ms(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.1f} ms"
