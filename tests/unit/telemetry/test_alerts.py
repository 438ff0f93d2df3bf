"""Alerts reach a real local webhook, and a channel that does not answer holds nobody up."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from holdfast.clock import SystemClock
from holdfast.domain.errors import CannotStart
from holdfast.domain.names import AccountId
from holdfast.domain.operator import Alert
from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.telemetry.alerts import IN_FLIGHT_MAX, AppriseAlerts
from holdfast.telemetry.log import open_log
from holdfast.telemetry.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdfast.ports.alerts import Alerts

ALERT = Alert(
    alert_id="a-1",
    account=AccountId("main"),
    hold_id=None,
    symbol=None,
    title="BTCUSDT is held",
    text="Exchange 0.007, ledger 0; nobody may close it.",
    created_ms=0,
    delivered_ms=None,
    acked_ms=None,
    acked_by="",
    deliveries=0,
    next_try_ms=0,
)
MOMENT_SECONDS = 10.0
"""Deadline of what should take milliseconds, on a busy machine."""


@dataclass
class Webhook:
    """A webhook on loopback: keeps what it is sent, answers with `status`, or not before `release` is set."""

    status: int = 200
    release: asyncio.Event = field(default_factory=asyncio.Event)
    received: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)
    url: str = ""
    now: int = 0
    most_at_once: int = 0

    async def take(self, request: web.Request) -> web.Response:
        """Answer one POST."""
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        self.received.put_nowait(json.loads(await request.text()))
        await self.release.wait()
        self.now -= 1
        return web.Response(status=self.status)


@asynccontextmanager
async def webhook(*, status: int = 200, is_slow: bool = False) -> AsyncIterator[Webhook]:
    """Serve a webhook; a slow one answers when the test releases it."""
    hook = Webhook(status)
    if not is_slow:
        hook.release.set()
    app = web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hook.url = f"json://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield hook
    finally:
        hook.release.set()
        await runner.cleanup()


def alerts_to(*urls: str, deliver_ms_max: int = 4_500) -> tuple[AppriseAlerts, io.StringIO]:
    """Make alerts to these channels, and the text of their log."""
    stream = io.StringIO()
    log = open_log(
        clock=SystemClock(), line_format=LogFormat.JSON, level=LogLevel.DEBUG, stream=stream, redactor=Redactor()
    )
    return AppriseAlerts(urls, log, deliver_ms_max), stream


def test_an_alert_reaches_a_webhook() -> None:
    """The webhook is sent title and text, the alert's id and how to acknowledge it."""

    async def scenario() -> tuple[bool, dict[str, str]]:
        async with webhook() as hook:
            alerts: Alerts = alerts_to(hook.url)[0]
            assert alerts.has_channel
            return await alerts.deliver(ALERT), hook.received.get_nowait()

    is_delivered, sent = asyncio.run(scenario())
    assert is_delivered
    assert sent["title"] == ALERT.title
    assert sent["message"].startswith(ALERT.text)
    assert "holdfast alerts ack a-1" in sent["message"]


def test_a_proxy_is_not_asked_for_a_local_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment a local webhook is reached all the same, and other exceptions are kept."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet.test")

    async def scenario() -> bool:
        async with webhook() as hook:
            return await alerts_to(hook.url)[0].deliver(ALERT)

    assert asyncio.run(scenario())


def test_without_a_channel_nothing_is_delivered() -> None:
    """No URL: no channel, and delivering says so."""
    alerts, _ = alerts_to()
    assert not alerts.has_channel
    assert not asyncio.run(alerts.deliver(ALERT))


@pytest.mark.parametrize("url", ["json://127.0.0.1:9/hush", "json://user:hush@127.0.0.1:9", "nonsense://hush", "hush"])
def test_a_channel_that_cannot_be_reached_is_no_delivery(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """An unreachable or senseless channel is False and a line with its number; its URL is shown nowhere."""
    alerts, stream = alerts_to(url)
    assert not asyncio.run(alerts.deliver(ALERT))
    said = capfd.readouterr()
    assert '"channel": 1' in stream.getvalue()
    assert "hush" not in stream.getvalue() + said.out + said.err


def test_a_webhook_that_refuses_is_no_delivery() -> None:
    """An answer 500 does not count as delivered."""

    async def scenario() -> bool:
        async with webhook(status=500) as hook:
            return await alerts_to(hook.url)[0].deliver(ALERT)

    assert not asyncio.run(scenario())


def test_one_channel_that_works_is_enough() -> None:
    """Of a dead, a hanging and a working channel the working one delivers, without waiting for the others."""

    async def scenario() -> bool:
        async with webhook() as good, webhook(is_slow=True) as slow:
            alerts, _ = alerts_to("json://127.0.0.1:9", slow.url, good.url, deliver_ms_max=60_000)
            async with asyncio.timeout(MOMENT_SECONDS):
                return await alerts.deliver(ALERT)

    assert asyncio.run(scenario())


def test_a_hanging_channel_never_blocks_the_loop() -> None:
    """While a channel hangs the loop goes on turning, and delivering ends False at its bound."""

    async def scenario() -> tuple[bool, int]:
        async with webhook(is_slow=True) as hook:
            alerts, stream = alerts_to(hook.url, deliver_ms_max=1_000)
            await alerts.check()
            turns = 0
            delivery = asyncio.create_task(alerts.deliver(ALERT))
            await asyncio.wait_for(hook.received.get(), MOMENT_SECONDS)
            while not delivery.done():
                await asyncio.sleep(0)
                turns += 1
            assert "alert_late" in stream.getvalue()
            return delivery.result(), turns

    is_delivered, turns = asyncio.run(scenario())
    assert not is_delivered
    assert turns > 1_000


def test_deliveries_of_one_channel_are_bounded() -> None:
    """A hanging channel is sent at most IN_FLIGHT_MAX alerts at once; when it wakes up, those that wait get through."""

    async def scenario() -> tuple[int, list[bool]]:
        async with webhook(is_slow=True) as hook:
            alerts, _ = alerts_to(hook.url, deliver_ms_max=60_000)
            deliveries = [asyncio.create_task(alerts.deliver(ALERT)) for _ in range(3 * IN_FLIGHT_MAX)]
            for _ in range(IN_FLIGHT_MAX):
                await asyncio.wait_for(hook.received.get(), MOMENT_SECONDS)
            hook.release.set()
            delivered = await asyncio.gather(*deliveries)
            return hook.most_at_once, delivered

    most_at_once, delivered = asyncio.run(scenario())
    assert most_at_once == IN_FLIGHT_MAX
    assert delivered == [True] * (3 * IN_FLIGHT_MAX)


def test_a_senseless_url_is_found_at_the_start() -> None:
    """`check` names the number of each URL that apprise does not understand, and not the URL."""
    alerts, _ = alerts_to("json://127.0.0.1:9", "nonsense://hush")
    with pytest.raises(CannotStart, match="alert URL number 2 is none") as refused:
        asyncio.run(alerts.check())
    assert "hush" not in str(refused.value)


LAZY = """
import asyncio, sys, io
from holdfast.clock import SystemClock
from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.telemetry.alerts import AppriseAlerts
from holdfast.telemetry.log import open_log
from holdfast.telemetry.redact import Redactor
lines = io.StringIO()
log = open_log(
    clock=SystemClock(), line_format=LogFormat.JSON, level=LogLevel.INFO, stream=lines, redactor=Redactor()
)
alerts = AppriseAlerts(sys.argv[1:], log, 500)
assert "apprise" not in sys.modules and "requests" not in sys.modules
async def main():
    await alerts.check()
    assert "apprise" in sys.modules
    print(await alerts.deliver(__import__("tests.unit.telemetry.test_alerts", fromlist=["ALERT"]).ALERT))
asyncio.run(main())
"""


def test_apprise_is_imported_late_and_a_hanging_channel_does_not_hold_the_process() -> None:
    """Nothing of apprise is loaded before it is needed, and a process with a hanging channel ends at once."""

    async def scenario() -> tuple[str, float]:
        async with webhook(is_slow=True) as hook:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", LAZY, hook.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            await asyncio.wait_for(hook.received.get(), MOMENT_SECONDS)
            received = time.monotonic()
            out, complaints = await process.communicate()
            assert process.returncode == 0, complaints.decode()
            return out.decode().strip(), time.monotonic() - received

    said, seconds = asyncio.run(scenario())
    assert said == "False"
    assert seconds < 3.0  # it gave up after 0.5 s; the channel's own bound would be 4 s
