"""How the command line prints: Rich tables on a terminal, plain columns into a pipe, JSON with amounts as strings."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from rich.table import Table as RichTable

    from holdfast.domain.entry import JsonValue

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
GAP = "  "


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headers."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def plain(self) -> str:
        """Columns as wide as their widest cell; the last one open-ended."""
        lines = [self.headers, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.headers))]
        padded = ((cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join(GAP.join(line).rstrip() for line in padded) + "\n"

    def rich(self) -> RichTable:
        """The same for a terminal, wrapped to its width."""
        from rich import box  # noqa: PLC0415 - a pipe needs none of it
        from rich.markup import escape  # noqa: PLC0415 - as above
        from rich.table import Table as RichTable  # noqa: PLC0415 - as above

        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for header in self.headers:
            table.add_column(header, overflow="fold")  # an amount cut short would be another amount
        for row in self.rows:
            table.add_row(*(escape(cell) for cell in row))
        return table


def print_table(table: Table) -> None:
    """Print it as the output deserves."""
    if not sys.stdout.isatty():
        sys.stdout.write(table.plain())
        return
    from rich.console import Console  # noqa: PLC0415 - a pipe needs none of it

    Console().print(table.rich())


def print_json(value: JsonValue) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Print one line for people."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def amount_text(amount: Decimal | None) -> str:
    """An amount, or a dash where there is none."""
    return "-" if amount is None else format_amount(amount)


def amount_json(amount: Decimal | None) -> str | None:
    """An amount as JSON carries it."""
    return None if amount is None else format_amount(amount)


def duration_text(ms: int) -> str:
    """A duration for people: 120 ms, 3.2 s, 5 min, 7 h."""
    if ms < SECOND_MS:
        return f"{ms} ms"
    if ms < MINUTE_MS:
        return f"{ms // SECOND_MS}.{ms % SECOND_MS // 100} s"
    return f"{ms // MINUTE_MS} min" if ms < HOUR_MS else f"{ms // HOUR_MS} h"


def time_text(epoch_ms: int) -> str:
    """A time for people, UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch_ms / SECOND_MS, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Build a table."""
    return Table(tuple(headers), tuple(tuple(row) for row in rows))
