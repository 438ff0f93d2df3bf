"""`holdfast explain`, the work: find the story in the journal, tell it, and say what comes next."""

from __future__ import annotations

import shutil
import sys
import textwrap
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from holdfast.cli.exit_status import DONE
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import amount_json, amount_text, duration_text, print_json, print_line, time_text
from holdfast.cli.standing_shown import due_text
from holdfast.cli.story import Story, find_story
from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import CannotStart
from holdfast.domain.hold import HoldOwner, StepKind
from holdfast.domain.reasons import REASON_TEXT
from holdfast.domain.way_out import commands_for, way_out_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.cli.story import Line
    from holdfast.domain.entry import JsonValue
    from holdfast.domain.hold import Hold
    from holdfast.domain.plan import PlanResult

SUBJECT_CHARS_MAX = 128
REFUSALS_TOLD = 3
"""So many refused plans in a row are told one by one."""
TIME_CHARS = 12
"""Width of the column with the milliseconds since the first sign."""
_REASONS = {reason.value: text for reason, text in REASON_TEXT.items()}


async def explain(subject: str, account: str, settings: Path, *, as_json: bool) -> int:
    """Tell it. Raises CannotStart if no account's journal knows the subject."""
    async with open_desk(settings) as desk:
        for name in desk.accounts(account):
            story = await desk.journal.query(name, partial(find_story, account=name, subject=subject.strip()))
            if story is not None:
                if as_json:
                    print_json(_json(story))
                else:
                    print_line(tell(story))
                return DONE
    raise CannotStart(
        f"the journal tells nothing of {subject[:SUBJECT_CHARS_MAX]!r}: it is no hold, plan or order of ours, and no "
        "symbol or leg that was ever held (`holdfast status` and `holdfast audit show` list what there is)"
    )


def tell(story: Story) -> str:
    """The whole story as text."""
    parts = [story.title, f"first sign {time_text(story.first_sign_ms)}"]
    for run in _runs(story.lines):
        parts += [_wrapped(f"+{line.since_ms} ms", line.text) for line in run[:REFUSALS_TOLD]]
        if len(run) > REFUSALS_TOLD:
            last = run[-1]
            parts.append(
                _wrapped(f"+{last.since_ms} ms", f"{len(run) - REFUSALS_TOLD} more plans were refused by then.")
            )
    parts += [_wrapped("next", text) for text in what_comes_next(story)]
    return "\n".join(parts)


def _runs(lines: tuple[Line, ...]) -> Iterator[list[Line]]:
    """Refused plans in a row together, everything else by itself: a strategy may try thousands of times."""
    for is_refusal, run in groupby(lines, lambda line: line.entry.entry.kind is EntryKind.PLAN_REFUSED):
        if is_refusal:
            yield list(run)
        else:
            yield from ([line] for line in run)


def _wrapped(label: str, text: str) -> str:
    head = label.rjust(TIME_CHARS) + "  "
    if not sys.stdout.isatty():
        return head + text
    width = max(shutil.get_terminal_size().columns, 40)
    return textwrap.fill(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)


def what_comes_next(story: Story) -> list[str]:
    """What is still to come, and what a person can do about it."""
    if story.hold is not None:
        return _after_hold(story, story.hold) if story.hold.is_open else [_after_release(story, story.hold)]
    if story.plan is None:
        return []
    if story.plan.result is None:
        return ["the plan's order has no end yet: the venue is asked for it."]
    return [_result_text(story.plan.result)]


def _after_release(story: Story, hold: Hold) -> str:
    held_ms = (hold.released_ms or story.now_ms) - hold.opened_ms
    ledger = story.ledger
    now = f" Now: exchange {amount_text(ledger.seen_amt)}, ledger {amount_text(ledger.amt)}." if ledger else ""
    return f"nothing: the hold ended after {duration_text(held_ms)}.{now}"


def _after_hold(story: Story, hold: Hold) -> list[str]:
    step = hold.next_step
    texts = [f"{step.kind.value}: {step.text} ({due_text(step.due_ms, story.now_ms)})."]
    if story.alert is not None:
        told = "was delivered" if story.alert.delivered_ms is not None else "has reached nobody yet"
        acked = f", acknowledged by {story.alert.acked_by}" if story.alert.acked_ms is not None else ""
        texts.append(f"alert {story.alert.alert_id} {told}{acked}.")
    if hold.owner is HoldOwner.OPERATOR or step.kind is StepKind.OPERATOR:
        texts.append(f"a person decides. {way_out_text(hold)}.")
    return texts


def _result_text(result: PlanResult) -> str:
    if result.executed:
        return f"nothing: executed {amount_text(result.filled_qty)} at {amount_text(result.avg_price)}."
    return f"nothing: not executed: {result.error}: {result.detail or _REASONS.get(result.error, '')}"


def _json(story: Story) -> JsonValue:
    hold = story.hold
    lines: list[JsonValue] = [
        {
            "seq": line.entry.seq,
            "at_ms": line.entry.at_ms,
            "since_ms": line.since_ms,
            "kind": line.entry.entry.kind.value,
            "plan_id": line.entry.entry.plan_id,
            "text": line.text,
            "body": dict(line.entry.entry.body),
        }
        for line in story.lines
    ]
    following: list[JsonValue] = [*what_comes_next(story)]
    return {
        "title": story.title,
        "first_sign_ms": story.first_sign_ms,
        "hold_id": hold.hold_id if hold is not None else None,
        "hold_open": hold is not None and hold.is_open,
        "reason": hold.reason.value if hold is not None else None,
        "commands": [*commands_for(hold)] if hold is not None and hold.is_open else [],
        "exchange_amt": amount_json(story.ledger.seen_amt) if story.ledger is not None else None,
        "ledger_amt": amount_json(story.ledger.amt) if story.ledger is not None else None,
        "lines": lines,
        "next": following,
    }
