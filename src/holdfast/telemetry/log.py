"""Structured lines, written by structlog without the standard library's logging.

Invariants: one event is one line of bounded length (as JSON); every line has `at` (UTC, ms, from the Clock port),
`level` and `event`; secrets are cut out of the finished line (`redact`); amounts are plain decimals, booleans are
`true`/`false` in both formats; writing never raises: a line that can't be written is counted in `lines_lost`.

The stream's own writing is synchronous: give it a file, a terminal or a pipe that somebody reads.
"""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from holdfast.domain.amounts import format_amount
from holdfast.ports.telemetry import LogFormat, LogLevel

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

    from holdfast.ports.clock import Clock
    from holdfast.telemetry.redact import Redactor

LINE_CHARS_MAX = 16_384
TRACE_CHARS_MAX = 8_192
CUT = " ...(cut)"
_LEVELS = {LogLevel.DEBUG: 10, LogLevel.INFO: 20, LogLevel.WARNING: 30, LogLevel.ERROR: 40}


class StructuredLog:
    """`ports.telemetry.Log`."""

    __slots__ = ("_inner",)

    def __init__(self, inner: FilteringBoundLogger) -> None:
        self._inner = inner

    def bind(self, **fields: object) -> StructuredLog:
        """Return a log whose every line carries `fields` too."""
        return StructuredLog(self._inner.bind(**fields))

    def debug(self, event: str, **fields: object) -> None:
        """Write detail that is off by default."""
        self._inner.debug(event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Write what happened."""
        self._inner.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Write what went wrong and is being dealt with."""
        self._inner.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Write what a person should look at."""
        self._inner.error(event, **fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Write an exception with its trace; the trace's end is kept, since that is where the cause stands."""
        trace = "".join(traceback.format_exception(error))
        if len(trace) > TRACE_CHARS_MAX:
            trace = CUT + trace[-TRACE_CHARS_MAX:]
        self._inner.error(event, **{**fields, "error_type": type(error).__name__, "trace": trace})


class LineSink:
    """Where finished lines go."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lines_lost = 0

    def msg(self, line: str) -> None:
        """Write one line."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader is gone, or the stream was closed
            self.lines_lost += 1

    debug = info = warning = error = msg


def open_log(
    *, clock: Clock, line_format: LogFormat, level: LogLevel, stream: TextIO, redactor: Redactor
) -> StructuredLog:
    """Return the process's log. Everything in it is redacted by `redactor`, values registered later included."""
    processors: list[Processor] = [
        lambda _, level_name, fields: {
            "at": _utc(clock.now_ms()),
            "level": level_name,
            "event": fields.pop("event"),
            **fields,
        },
        lambda _, __, fields: _hide(redactor, fields),
        _as_json if line_format is LogFormat.JSON else _as_console,
        lambda _, __, line: _cut(redactor.text(str(line))),
    ]
    lazy = structlog.wrap_logger(
        LineSink(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return StructuredLog(lazy.bind())


def _utc(epoch_ms: int) -> str:
    seconds, ms = divmod(epoch_ms, 1000)
    return f"{_utc_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=2)  # lines come in bursts
def _utc_second(epoch_s: int) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%S}"


def _hide(redactor: Redactor, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    redactor.fields(fields)
    return fields


def _cut(line: str) -> str:
    return line if len(line) <= LINE_CHARS_MAX else line[:LINE_CHARS_MAX] + CUT


def _as_json(_: object, __: str, fields: MutableMapping[str, Any]) -> str:
    try:
        return _ENCODER.encode(fields)
    except (TypeError, ValueError):  # keys that are no text, or a value that contains itself
        return json.dumps({name: repr(value) for name, value in fields.items()}, ensure_ascii=False)


def _as_console(_: object, __: str, fields: MutableMapping[str, Any]) -> str:
    head = f"{fields.pop('at')[11:23]} {fields.pop('level'):<7} {fields.pop('event')}"
    trace = fields.pop("trace", None)
    line = " ".join([head, *(f"{name}={_as_word(value)}" for name, value in fields.items())])
    return line if trace is None else f"{line}\n{trace}"


def _as_word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = value if isinstance(value, str | int | float) or value is None else _plain(value)
    text = plain if isinstance(plain, str) else str(plain)
    return text if text and not set(text) & _TO_QUOTE else json.dumps(text, ensure_ascii=False)


_TO_QUOTE = set(' "\n\r\t=')


def _plain(value: object) -> object:
    """Turn a value of the domain into what JSON knows."""
    if isinstance(value, Decimal):
        return format_amount(value) if value.is_finite() else str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a line about trouble must not make trouble of its own
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


_ENCODER = json.JSONEncoder(default=_plain, ensure_ascii=False)  # json.dumps would make one a line
