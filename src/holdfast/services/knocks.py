"""In-process wake-ups. A knock says "look again", never what to do: the journal is read anew each time.

A lost knock costs time, never correctness: every waiter has a bound after which it looks by itself. In
separate processes nobody knocks, and that bound is all there is.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Knocks(Generic[Key]):
    """A set of keys to look at, for one taker."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}
        self._waiter: asyncio.Future[None] | None = None

    def knock(self, key: Key) -> None:
        """Ask the taker to look at `key`. Knocking twice before it looks is knocking once."""
        self._keys[key] = None
        if self._waiter is not None:
            _wake(self._waiter)

    async def take(self, wait_ms: int) -> tuple[Key, ...]:
        """Wait for knocks, at most `wait_ms`, and take all keys in order; () when none came."""
        if not self._keys:
            # One future and one timer: most waits end without a knock, many times a second, and an event inside a
            # timeout costs four times as much.
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = loop.call_later(wait_ms / 1000, _wake, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        return self.take_now()

    def take_now(self) -> tuple[Key, ...]:
        """Take all keys that were knocked, without waiting."""
        keys = tuple(self._keys)
        self._keys.clear()
        return keys


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Changes(Generic[Key]):
    """Tells many waiters that something about a key changed."""

    def __init__(self) -> None:
        self._waiters: dict[Key, list[asyncio.Future[None]]] = {}

    def tell(self, key: Key) -> None:
        """Wake everybody who waits for `key`."""
        for waiter in self._waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    def expect(self, key: Key) -> asyncio.Future[None]:
        """A future that ends at the next change. Take it BEFORE reading, so that no change is missed."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(key, []).append(waiter)
        return waiter

    def forget(self, key: Key, waiter: asyncio.Future[None]) -> None:
        """Give a future back that is not needed any more."""
        waiters = self._waiters.get(key)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[key]

    async def wait(self, key: Key, waiter: asyncio.Future[None], wait_ms: int) -> None:
        """Wait for the change, at most `wait_ms`; returning says only that it is time to look again."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await waiter
        except TimeoutError:
            self.forget(key, waiter)
