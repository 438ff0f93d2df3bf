"""One account: its venue adapters, their first contact with the venue, and its services as jobs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import CannotStart, KeysRejected, VenueUnavailable
from holdfast.services.alerting import Alerting
from holdfast.services.cancel_plans import CancelPlans
from holdfast.services.cancelling import Canceller
from holdfast.services.closing import Closer
from holdfast.services.context import Context, Lease, Resting, Wakes
from holdfast.services.execute import Executor
from holdfast.services.feed import Feed
from holdfast.services.fills import Fills
from holdfast.services.halting import check_journal_is_newest
from holdfast.services.holds import BusHolds
from holdfast.services.inbox import Inbox
from holdfast.services.intake import Intake
from holdfast.services.knocks import Knocks
from holdfast.services.mode_watch import ModeWatch, refused_text, until_mode_is_accepted
from holdfast.services.open_orders import OpenOrders
from holdfast.services.operator_close import OperatorClose
from holdfast.services.operator_resolve import OperatorResolve
from holdfast.services.picture import Picture
from holdfast.services.publishing import Publisher
from holdfast.services.reconcile import Reconciler
from holdfast.services.requests import Requests
from holdfast.services.resolving import Resolver
from holdfast.services.sending import Sender
from holdfast.services.supervisor import (
    MARKS_MS,
    Turn,
    acquire_lease,
    keep_clock,
    keep_lease,
    keep_rules,
    read_again,
    read_marks,
    read_rules,
    run_tasks,
    under_lease,
    while_leased,
)
from holdfast.settings import KeyUse
from holdfast.venues.binance import ApiKey, ApiSecret, BinanceConfig, binance_reader, binance_trader
from holdfast.venues.binance.addresses import Environment as VenueEnvironment

if TYPE_CHECKING:
    import contextlib

    from holdfast.domain.names import AccountId, ClientOrderId
    from holdfast.domain.sides import PositionMode
    from holdfast.ports.bus import Bus
    from holdfast.ports.venue import VenueReader, VenueTrader
    from holdfast.services.supervisor import Task


from holdfast.compose.world import Job, ServiceName, World

_ENVIRONMENTS = {"live": VenueEnvironment.LIVE, "demo": VenueEnvironment.DEMO, "sim": VenueEnvironment.CUSTOM}


def _venue_config(world: World, account: AccountId, use: KeyUse) -> BinanceConfig:
    venue, keys = world.settings.venue, world.settings.keys(account, use)
    limits = world.settings.limits(account)
    secret = keys.secret.get_secret_value()
    world.redactor.add(secret)
    world.redactor.add(keys.key.get_secret_value())
    return BinanceConfig(
        account=account,
        rest_url=venue.rest_url,
        stream_url=venue.stream_url,
        api_key=ApiKey(keys.key.get_secret_value()),
        secret=ApiSecret(secret),
        position_mode=world.settings.position_mode(account),
        environment=_ENVIRONMENTS[venue.environment.value],
        rest_lag_ms=limits.settle_ms_max,
        probe_ms=limits.stamp_ms,
    )


async def _first_answers(reader: VenueReader, context: Context) -> PositionMode:
    """Clock and mode; rules and prices too, unless another account of the process has just read them.

    A limit or ban that the venue names is waited out, and nothing is asked meanwhile: ending instead would let the
    machine's supervisor start us again and again into a ban, which prolongs it.
    """
    waits = 0
    while True:
        try:
            await reader.sync_clock()
            mode = await reader.position_mode()
            if not context.rules.instruments:
                await read_rules(context, reader)
            age_ns = context.clock.monotonic_ns() - context.rules.marks_ns
            if not context.rules.marks or not 0 <= age_ns <= MARKS_MS * 1_000_000:
                await read_marks(context, reader)
        except VenueUnavailable as error:
            waits += 1
            if error.retry_after_ms is None or waits > PAUSES_MAX:
                raise
            context.log.warning("start_waits", account=context.account, ms=error.retry_after_ms, detail=str(error))
            await asyncio.sleep((error.retry_after_ms + PAUSE_MARGIN_MS) / 1000)
        else:
            return mode


PAUSES_MAX = 10
"""Pauses that the venue may ask for before a start gives up."""
PAUSE_MARGIN_MS = 100


async def _first_contact(world: World, reader: VenueReader, context: Context) -> None:
    """Prove that the venue answers, takes the keys, and keeps positions as the settings say."""
    account, address = context.account, world.settings.venue.rest_url
    await world.room.contact(account)
    try:
        mode = await _first_answers(reader, context)
    except VenueUnavailable as error:
        raise CannotStart(
            f"account {account}: the exchange at {address} gave no usable answer ({error}); "
            "check venue.rest_url and the network, nothing was traded"
        ) from error
    except KeysRejected as error:
        raise CannotStart(
            f"account {account}: the exchange at {address} refuses the key ({error}); "
            "check key, secret, permissions and IP list, nothing was traded"
        ) from error
    expected = world.settings.position_mode(account)
    if mode is not expected:
        raise CannotStart(refused_text(account, None, mode, expected))


async def build_account(world: World, account: AccountId, stack: contextlib.AsyncExitStack) -> list[Job]:
    """Build one account's services; their first contact with the venue is made here."""
    prefix = world.settings.bus_prefix(account)
    bus = world.wrapping.bus(world.doors.bus(world.bus_url, world.owner, prefix))
    stack.push_async_callback(bus.close)
    await world.journal.verify(account)  # the whole chain: opening proved only its newest part
    await check_journal_is_newest(world.journal, bus, account, world.log)
    wakes, resting, picture = Wakes(), Resting(), Picture()
    turn = Turn(world.settings.accounts.index(account), len(world.settings.accounts))
    known = world.settings.limits(account).symbols
    jobs: list[Job] = []
    feed: Feed | None = None
    if ServiceName.RECONCILE in world.services:
        context = _context(world, account, ServiceName.RECONCILE, wakes, resting)
        config = _venue_config(world, account, KeyUse.READ)
        reader = world.wrapping.reader(binance_reader(config, world.clock, world.gate, world.doors.line))
        stack.push_async_callback(reader.close)
        await _first_contact(world, reader, context)
        feed = Feed(context, reader, picture, lambda: world.view_interval_ms(account))
        world.feeds[account] = feed
        jobs.append(_reconcile_job(world, context, reader, feed, picture, bus, turn))
    if ServiceName.APPLY in world.services:
        context = _context(world, account, ServiceName.APPLY, wakes, resting)
        config = _venue_config(world, account, KeyUse.TRADE)
        trader = world.wrapping.trader(binance_trader(config, world.clock, world.gate, world.doors.line))
        stack.push_async_callback(trader.close)
        await _first_contact(world, trader, context)
        jobs.append(_apply_job(world, context, trader, feed, bus, turn))
    missing = sorted(known - set(world.rules.instruments))
    if missing:
        raise CannotStart(f"account {account}: the exchange lists no {', '.join(missing)}; correct `symbols`")
    return jobs


def _context(world: World, account: AccountId, service: ServiceName, wakes: Wakes, resting: Resting) -> Context:
    return Context(
        account=account,
        service=service.value,
        limits=world.settings.limits(account),
        journal=world.journal,
        clock=world.clock,
        metrics=world.metrics,
        log=world.log.bind(service=service.value),
        wakes=wakes,
        rules=world.rules,
        lease=Lease(),
        emit=lambda _entries: None,
        pace=world.doors.pace,
        resting=resting,
    )


def _reconcile_job(  # noqa: PLR0917 - the parts it joins, each named
    world: World, context: Context, reader: VenueReader, feed: Feed, picture: Picture, bus: Bus, turn: Turn
) -> Job:
    mode = world.settings.position_mode(context.account)
    publisher = Publisher(context, bus, picture)
    context.emit = publisher.emit
    reconciler = Reconciler(context, reader, feed, picture, publisher.plan_closes, mode)
    feed.listen(reconciler)
    requests = Requests(context, reader, picture, bus, mode)
    alerting = Alerting(context, world.alerts)
    watch = ModeWatch(context, reader, picture, feed, mode)

    async def job() -> None:
        view_interval_ms = world.view_interval_ms(context.account)
        await world.room.begin_reconcile(context.account, reader.venue_now_ms(), view_interval_ms)
        if await acquire_lease(context, world.owner):
            await read_again(context, reader)
        await under_lease(context, watch.meet())
        tasks: list[Task] = [
            ("lease", lambda: keep_lease(context)),
            ("stream", feed.run_stream),
            ("views", feed.run_views),
            ("mode", watch.run),
            ("evaluate", reconciler.run),
            ("clock", lambda: keep_clock(context, reader)),
            ("streams", publisher.run_streams),
            ("marks", publisher.run_marks),
            ("copies", publisher.run_copies),
            ("requests", requests.run),
            ("imports", requests.run_imports),
            ("alerts", alerting.run),
        ]
        if ServiceName.APPLY not in world.services:
            tasks.append(("rules", lambda: keep_rules(context, reader, turn)))
        await run_tasks(context, tasks)

    return job


async def _take_over(resolver: Resolver, open_orders: OpenOrders) -> None:
    """What an earlier process left is settled before anything new is begun."""
    await resolver.take_over()
    await open_orders.compare()


def _apply_job(  # noqa: PLR0917 - the parts it joins, each named
    world: World, context: Context, trader: VenueTrader, shared: Feed | None, bus: Bus, turn: Turn
) -> Job:
    resolve: Knocks[ClientOrderId] = Knocks()
    fills = Fills(resolve)
    feed = shared if shared is not None else Feed(context, trader, Picture())
    feed.listen(fills)
    publisher = Publisher(context, bus, None)
    context.emit = publisher.emit
    context.answer = lambda result: publisher.publish(result, None)
    holds = BusHolds(context, bus)
    sender = Sender(context, trader, fills, resolve)
    executor = Executor(context, trader, sender, publisher, holds)
    canceller = Canceller(context, trader, sender, publisher)
    closer = Closer(context, trader, sender, publisher, canceller)
    resolver = Resolver(context, trader, sender, fills, publisher, resolve)
    open_orders = OpenOrders(context, trader, resolver.suspect, world.open_orders_spacing_ms)
    feed.listen(open_orders)
    operator = OperatorClose(context, trader, closer)
    word = OperatorResolve(context, trader, publisher)

    async def job() -> None:
        await world.room.begin_apply(context.account, trader.venue_now_ms())
        await until_mode_is_accepted(context, world.settings.position_mode(context.account))
        if await acquire_lease(context, world.owner):
            await read_again(context, trader)
        count = await world.journal.query(context.account, lambda reads: reads.count_entries(EntryKind.CLOSE_DONE))
        context.metrics.closes_before(count)
        await while_leased(context, _take_over(resolver, open_orders))
        intake = Intake(context, bus, executor, closer, publisher, holds, CancelPlans(context, publisher))
        tasks: list[Task] = [
            ("lease", lambda: keep_lease(context)),
            ("rules", lambda: keep_rules(context, trader, turn)),
            ("clock", lambda: keep_clock(context, trader)),
            ("plans", intake.run_plans),
            ("inbox", Inbox(context).run),
            ("closes", intake.run_closes),
            ("resolver", resolver.run),
            ("cancels", canceller.run),
            ("open orders", open_orders.run),
            ("operator closes", operator.run),
            ("operator resolves", word.run),
            ("streams", publisher.run_streams),
            ("marks", publisher.run_marks),
        ]
        if shared is None:
            tasks.append(("stream", feed.run_stream))
        await run_tasks(context, tasks)

    return job
