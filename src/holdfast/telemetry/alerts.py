"""Telling a person, through apprise: webhooks, Telegram, mail and a hundred more, each by a URL.

Invariants:

    - The trading path never waits: apprise is imported at the first alert (0.3 s) and sends (it blocks) in threads.
    - `deliver` ends within `deliver_ms_max` and never raises; it is True once one channel took the alert.
    - At most `IN_FLIGHT_MAX` deliveries a channel are under way; one that hangs keeps its place until it ends, and a
      thread that hangs does not keep the process from ending.
    - URLs hold secrets: they reach neither log nor message; a channel is named by its number.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import traceback
from typing import TYPE_CHECKING, Protocol

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.domain.operator import Alert
    from holdfast.ports.telemetry import Log

DELIVER_MS_MAX = 4_500
"""Below the 5 s within which a person should be told (EU RTS 6, article 16)."""
IN_FLIGHT_MAX = 4
CONNECT_SECONDS_MAX = 3.0
READ_SECONDS_MAX = 4.0
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class _Plugin(Protocol):
    """What is used of apprise's plugins."""

    socket_connect_timeout: float
    socket_read_timeout: float

    def notify(self, *, body: str, title: str) -> object: ...


class AppriseAlerts:
    """`ports.alerts.Alerts`."""

    def __init__(self, urls: Sequence[str], log: Log, deliver_ms_max: int = DELIVER_MS_MAX) -> None:
        self._log = log
        self._deliver_s_max = deliver_ms_max / 1000
        self._channels = tuple(_Channel(number, url, log) for number, url in enumerate(urls, start=1))

    @property
    def has_channel(self) -> bool:
        """Tell whether anything is configured."""
        return bool(self._channels)

    async def check(self) -> None:
        """Load every channel, at the start if one likes. Raises CannotStart naming those that make no sense."""
        loaded = await asyncio.gather(*(channel.load() for channel in self._channels))
        bad = [str(channel.number) for channel, is_good in zip(self._channels, loaded, strict=True) if not is_good]
        if bad:
            raise CannotStart(f"alert URL number {', '.join(bad)} is none that apprise understands (see its list)")

    async def deliver(self, alert: Alert) -> bool:
        """Hand the alert to all channels at once; True as soon as one took it."""
        hold = f", hold {alert.hold_id}" if alert.hold_id is not None else ""
        text = (
            f"{alert.text}\n\nAccount {alert.account}{hold}, alert {alert.alert_id}. "
            f"Repeated until: holdfast alerts ack {alert.alert_id}"
        )
        tries = {asyncio.create_task(channel.send(alert.title, text)) for channel in self._channels}
        try:
            async with asyncio.timeout(self._deliver_s_max):
                return await _any_true(tries)
        except TimeoutError:
            self._log.warning("alert_late", alert_id=alert.alert_id, seconds_max=self._deliver_s_max)
            return False
        finally:
            for one in tries:
                one.cancel()  # ends the waiting; a thread that is sending ends by its own bounds


async def _any_true(tries: set[asyncio.Task[bool]]) -> bool:
    waiting = tries
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(one.result() for one in done):
            return True
    return False


class _Channel:
    """One URL."""

    def __init__(self, number: int, url: str, log: Log) -> None:
        self.number = number
        self._url = url
        self._log = log
        self._places = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._loading = threading.Lock()
        self._plugin: _Plugin | None = None

    async def load(self) -> bool:
        """Import apprise and read the URL; False if it makes no sense."""
        return await self._in_thread(lambda: self._loaded() is not None)

    async def send(self, title: str, text: str) -> bool:
        """Send in a thread; True if the channel took it. Raises nothing but CancelledError."""
        return await self._in_thread(lambda: self._send_now(title, text))

    async def _in_thread(self, work: Callable[[], bool]) -> bool:
        """Run `work` in a daemon thread. Its place is free when the thread has ended, not when we stop waiting."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[bool] = loop.create_future()

        def end(is_done: bool) -> None:  # noqa: FBT001 - the thread's one word
            self._places.release()
            if not outcome.done():
                outcome.set_result(is_done)

        def run() -> None:
            is_done = self._guarded(work)
            try:
                loop.call_soon_threadsafe(end, is_done)
            except RuntimeError:
                return  # the loop has ended while we were sending: nobody waits for the outcome any more

        # Not an executor's thread: those are joined when the interpreter ends, however long they hang.
        threading.Thread(target=run, name=f"alert-channel-{self.number}", daemon=True).start()
        return await outcome

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            is_done = work()
        except Exception as error:  # noqa: BLE001 - a hundred plugins: whatever one raises is "not delivered"
            # Only its kind and place: the text may quote the URL.
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._log.warning(
                "alert_channel_failed",
                channel=self.number,
                error_type=type(error).__name__,
                place=f"{place.filename}:{place.lineno}",
            )
            return False
        if not is_done:
            self._log.warning("alert_channel_refused", channel=self.number)
        return is_done

    def _send_now(self, title: str, text: str) -> bool:
        plugin = self._loaded()
        return plugin is not None and plugin.notify(body=text, title=title) is True

    def _loaded(self) -> _Plugin | None:
        with self._loading:
            if self._plugin is None:
                self._plugin = _read(self._url)
            return self._plugin


_reading = threading.Lock()


def _read(url: str) -> _Plugin | None:
    with _reading:
        _let_loopback_be()
        from apprise import Apprise  # noqa: PLC0415 - slow, and needed only when something is wrong

        own = logging.getLogger("apprise")  # it would write the URL of a failed channel to standard error
        own.propagate = False
        if not own.handlers:
            own.addHandler(logging.NullHandler())
        plugin: _Plugin | None = Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is not None:
        plugin.socket_connect_timeout = CONNECT_SECONDS_MAX
        plugin.socket_read_timeout = READ_SECONDS_MAX
    return plugin


def _let_loopback_be() -> None:
    """Keep local webhooks away from a proxy: what apprise sends with takes the proxy even for 127.0.0.1."""
    listed = [host for host in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",") if host]
    missing = [host for host in LOOPBACK_HOSTS if host not in listed]
    os.environ["no_proxy"] = ",".join([*listed, *missing])  # the name in lower case is the one that wins
