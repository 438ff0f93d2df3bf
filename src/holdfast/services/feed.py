"""The private stream and the complete views of one account: the only way facts of the venue come in by themselves.

One task reads the stream, one reads a complete view every `view_interval_ms` (more rarely where many accounts share one
address: one request an account, however many symbols). Both only update the picture and
knock; deciding is the reconciler's. Trades go to whoever listens (apply books its own fills from them).

Invariants: after a (re)connection the account is proven only once a complete view asked for AFTER it arrived; a
gap takes the proof away before anything else happens; both tasks end only by cancellation or by an error that
the supervisor hears of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from holdfast.domain.errors import VenueUnavailable
from holdfast.ports.telemetry import Stage
from holdfast.ports.venue import (
    ModeSeen,
    OrderSeen,
    PositionsSeen,
    StreamAlive,
    StreamEvent,
    StreamGap,
    StreamUp,
    TradeSeen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.order import OrderReport
    from holdfast.domain.trade import Trade
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

VIEW_RETRY_MS = 250
"""Wait after a complete view that failed, doubled up to the interval."""


def _no_spacing() -> int:
    return 0


class FeedListener(Protocol):
    """Who hears of the stream as it happens. Called on the loop, must not block."""

    def on_trade(self, trade: Trade, report: OrderReport) -> None:
        """An execution on the account, own or not."""
        ...

    def on_order(self, report: OrderReport) -> None:
        """An order changed without an execution."""
        ...

    def on_gap(self, detail: str) -> None:
        """The stream is gone; what it would have said is missed."""
        ...

    def on_up(self) -> None:
        """A new stream is subscribed: what the gap before it hid may be read now."""
        ...

    def on_proof(self) -> None:
        """The stream proved to be alive: the stamp may be renewed."""
        ...

    def on_view(self) -> None:
        """A complete view was merged, or its reading failed: look at every leg."""
        ...

    def on_mode(self) -> None:
        """The account's configuration changed."""
        ...


class Feed:
    """Stream and views of one account."""

    def __init__(
        self, context: Context, reader: VenueReader, picture: Picture, spacing_ms: Callable[[], int] = _no_spacing
    ) -> None:
        """`spacing_ms` tells how far apart the venue's limits want complete views to lie, at least."""
        self._spacing_ms = spacing_ms
        self._context = context
        self._reader = reader
        self._picture = picture
        self._listeners: list[FeedListener] = []
        self._view_now = asyncio.Event()
        self._up_ms: int | None = None

    def listen(self, listener: FeedListener) -> None:
        """Add a listener. Not taken away again: listeners live as long as the feed."""
        self._listeners.append(listener)

    def ask_view(self) -> None:
        """Ask for a complete view now instead of at the next interval."""
        self._view_now.set()

    @property
    def interval_ms(self) -> int:
        """How far apart complete views lie now, nothing failing and nobody asking."""
        return max(self._context.limits.view_interval_ms, self._spacing_ms())

    @property
    def proof_ms(self) -> int | None:
        """What a stamp may say now: our clock before the newest stream proof, or None.

        None while the stream is down, before a complete view that was asked for after the connection opened, and
        once that view is older than `view_age_ms_max`.
        """
        proved, read = self._picture.proved_ms, self._picture.complete_read_ms
        if proved is None or read is None or self._up_ms is None or read < self._up_ms:
            return None
        age = self._context.clock.now_ms() - read
        if age < 0 or age > self._context.limits.view_age_ms_max:
            return None
        return proved

    async def run_stream(self) -> None:
        """Read the stream until cancelled."""
        async with self._reader.stream() as stream:
            while True:
                for event in await stream.next_batch():
                    self._take(event)

    def _take(self, event: StreamEvent) -> None:  # noqa: C901 - one case a kind of event, nothing nested
        match event:
            case TradeSeen(trade=trade, report=report):
                self._picture.meet_order(report)
                for listener in self._listeners:
                    listener.on_trade(trade, report)
            case PositionsSeen(positions=positions):
                for view in positions:
                    self._picture.see(view)
                    self._context.wakes.legs.knock(view.leg)
            case OrderSeen(report=report):
                self._picture.meet_order(report)
                for listener in self._listeners:
                    listener.on_order(report)
            case StreamAlive(proved_ms=proved):
                if self._up_ms is not None:
                    self._picture.proved_ms = proved
                    self._proof()
            case StreamUp(opened_ms=opened):
                self._up(opened)
            case StreamGap(detail=detail):
                self._gap(detail)
            case ModeSeen(detail=detail):
                self._context.wakes.mode.knock(detail)
                for listener in self._listeners:
                    listener.on_mode()

    def _proof(self) -> None:
        if self.proof_ms is not None:
            for listener in self._listeners:
                listener.on_proof()

    def _up(self, opened_ms: int) -> None:
        self._up_ms = opened_ms
        self._context.log.info("stream_up", account=self._context.account)
        self._context.wakes.mode.knock("the stream is up")
        self.ask_view()
        for listener in self._listeners:
            listener.on_up()

    def _gap(self, detail: str) -> None:
        self._up_ms = None
        self._picture.proved_ms = None
        self._context.log.warning("stream_gap", account=self._context.account, detail=detail)
        for listener in self._listeners:
            listener.on_gap(detail)

    async def run_views(self) -> None:
        """Read a complete view every interval, and at once when asked, until cancelled."""
        failures = 0
        while True:
            self._view_now.clear()
            failures = 0 if await self._view() else failures + 1
            wait_ms = self.interval_ms
            if failures:
                wait_ms = min(VIEW_RETRY_MS * 2 ** min(failures - 1, 10), wait_ms)
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self._view_now.wait()
            except TimeoutError:
                continue

    async def _view(self) -> bool:
        started = self._context.clock.monotonic_ns()
        try:
            complete = await self._reader.account_view()
        except VenueUnavailable as error:
            self._context.log.warning("view_failed", account=self._context.account, detail=str(error))
            self._context.wakes.mode.knock("a view failed")  # rows of another mode make a view none
            self._tell_view()
            return False
        self._context.metrics.stage(Stage.VIEW, self._context.clock.monotonic_ns() - started)
        self._picture.see_all(complete)
        self._tell_view()
        self._proof()
        return True

    def _tell_view(self) -> None:
        for listener in self._listeners:
            listener.on_view()
