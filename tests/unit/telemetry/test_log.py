"""Lines as they are written."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from decimal import Decimal

import pytest

from holdfast.domain.hold import HoldReason
from holdfast.domain.names import HoldId, PlanId
from holdfast.ports.telemetry import Log, LogFormat, LogLevel, about_close
from holdfast.telemetry.log import LINE_CHARS_MAX, LineSink, open_log
from holdfast.telemetry.redact import Redactor


class FixedClock:
    """23 November 2026, 08:49:37.005 UTC, for ever."""

    def now_ms(self) -> int:
        """Return the fixed time."""
        return 1_795_423_777_005

    def monotonic_ns(self) -> int:
        """Return zero."""
        return 0


@dataclass(frozen=True)
class Written:
    """A log, what it wrote, and what it hides."""

    log: Log
    stream: io.StringIO
    redactor: Redactor

    def line(self) -> str:
        """Return the only line."""
        text = self.stream.getvalue()
        assert text.count("\n") == 1, text
        return text.rstrip("\n")


def written(line_format: LogFormat = LogFormat.JSON, level: LogLevel = LogLevel.INFO) -> Written:
    """Open a log on a stream in memory."""
    stream, redactor = io.StringIO(), Redactor()
    log = open_log(clock=FixedClock(), line_format=line_format, level=level, stream=stream, redactor=redactor)
    return Written(log, stream, redactor)


def test_a_line_is_one_json_object() -> None:
    """A JSON line carries time, level, event, bound and own fields, amounts as plain decimals."""
    out = written()
    out.log.bind(account="main").info(
        "hold_set", reason=HoldReason.DRIFT, drift=Decimal("7E-3"), closes=True, detail=None, legs=(1, 2)
    )
    assert json.loads(out.line()) == {
        "at": "2026-11-23T08:49:37.005Z",
        "level": "info",
        "event": "hold_set",
        "account": "main",
        "reason": "drift",
        "drift": "0.007",
        "closes": True,
        "detail": None,
        "legs": [1, 2],
    }


def test_a_console_line_is_for_people() -> None:
    """A console line begins with time, level and event, and quotes what has spaces."""
    out = written(LogFormat.CONSOLE)
    out.log.warning("drift_seen", drift=Decimal("-0.0040"), text="by hand", is_held=False, empty="", count=3)
    assert out.line() == '08:49:37.005 warning drift_seen drift=-0.004 text="by hand" is_held=false empty="" count=3'


@pytest.mark.parametrize(
    ("line_format", "said"),
    [(LogFormat.JSON, '"reconcile_action": true'), (LogFormat.CONSOLE, "reconcile_action=true")],
)
def test_a_line_about_a_close_is_marked(line_format: LogFormat, said: str) -> None:
    """Every line about a close carries reconcile_action=true, the plan id and the hold id, in both formats."""
    out = written(line_format)
    about_close(out.log, PlanId("rc-1"), HoldId("h-1")).info("close_planned")
    assert said in out.line()
    assert "rc-1" in out.line()
    assert "h-1" in out.line()


def test_binding_leaves_the_first_log_as_it_was() -> None:
    """Fields bound to one log do not appear on another's lines."""
    out = written()
    out.log.bind(account="other")
    out.log.info("x")
    assert "other" not in out.line()


@pytest.mark.parametrize("level", LogLevel)
def test_lines_below_the_level_are_not_written(level: LogLevel) -> None:
    """Of the four kinds of line those at the level and above are written."""
    out = written(level=level)
    out.log.debug("d")
    out.log.info("i")
    out.log.warning("w")
    out.log.error("e")
    kinds = [json.loads(line)["event"] for line in out.stream.getvalue().splitlines()]
    assert kinds == ["d", "i", "w", "e"][list(LogLevel).index(level) :]


def refuse(text: str) -> None:
    """Raise."""
    raise ValueError(text)


@pytest.mark.parametrize("line_format", LogFormat)
def test_no_secret_is_ever_rendered(line_format: LogFormat) -> None:
    """Secret fields, nested ones too, and registered values anywhere, also in an exception, show as stars."""
    out = written(line_format)
    out.redactor.add("s3cr3t-value")
    try:
        refuse("the venue said s3cr3t-value is wrong, signature=0123456789abcdef")
    except ValueError as error:
        out.log.bind(headers={"X-MBX-APIKEY": "hush-1", "inner": [{"password": "hush-2"}]}).failure(
            "read_failed", error, api_key="hush-3", text="has s3cr3t-value in it", note={"s3cr3t-value": 1}
        )
    text = out.stream.getvalue()
    assert "ValueError" in text
    assert "test_no_secret_is_ever_rendered" in text
    for secret in ("s3cr3t", "hush", "0123456789abcdef"):
        assert secret not in text


class Silent:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_line_that_cannot_be_rendered_is_written_all_the_same() -> None:
    """Values without text, containing themselves, or under odd keys make no trouble."""
    round_about: dict[str, object] = {}
    round_about["self"] = round_about
    out = written()
    out.log.info("a", value=Silent())
    out.log.info("b", value=round_about)
    out.log.info("c", value={(1, 2): 3}, other=float("nan"), some={1, 2})
    assert len(out.stream.getvalue().splitlines()) == 3


def test_a_line_is_bounded() -> None:
    """A field of a megabyte is cut, and the line says so."""
    out = written()
    out.log.info("big", junk="x" * 1_000_000)
    assert len(out.line()) < LINE_CHARS_MAX + 20
    assert out.line().endswith("(cut)")


def test_a_line_break_in_a_value_makes_no_second_line() -> None:
    """Nobody forges a line by a line break in a plan's field, in either format."""
    for line_format in LogFormat:
        out = written(line_format)
        out.log.info("plan", reason='x\n{"event":"forged"}\r\ny')
        assert out.line()


def test_a_stream_that_is_gone_is_counted() -> None:
    """A closed stream raises nothing into the caller; the lost lines are counted."""
    stream = io.StringIO()
    sink = LineSink(stream)
    sink.msg("one")
    stream.close()
    sink.msg("two")
    assert sink.lines_lost == 1
