"""Decide which listen key opens an account's private stream, and until when.

Invariants: an account has at most one live key, whatever the number of its API keys; POST returns the live one and
extends it; a dead key answers PUT with -1125; an expired key is announced once.
Source: venue documentation (60 minutes; POST again returns the same key; PUT returns the key since April 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from holdfast.sim.core.refusals import Code, refuse

__all__ = ["LISTEN_KEY_MS", "ListenKeys"]

LISTEN_KEY_MS: Final = 3_600_000


@dataclass(slots=True)
class ListenKeys:
    """The live keys."""

    by_account: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Key to account."""
    expires_ms: dict[str, int] = field(default_factory=dict)

    def start(self, account: str, fresh: str, now_ms: int) -> str:
        """Return the account's key, extended; `fresh` becomes it if there is none."""
        key = self.by_account.get(account)
        if key is None or self.expires_ms[key] <= now_ms:
            if key is not None:
                self._forget(key)
            key = fresh
            self.by_account[account] = key
            self.owners[key] = account
        self.expires_ms[key] = now_ms + LISTEN_KEY_MS
        return key

    def keep(self, account: str, now_ms: int) -> str:
        """Extend the account's key, or refuse with -1125."""
        key = self.by_account.get(account)
        if key is None or self.expires_ms[key] <= now_ms:
            raise refuse(Code.BAD_LISTEN_KEY)
        self.expires_ms[key] = now_ms + LISTEN_KEY_MS
        return key

    def stop(self, account: str) -> str | None:
        """Kill the account's key and return it."""
        key = self.by_account.get(account)
        if key is not None:
            self._forget(key)
        return key

    def owner(self, key: str, now_ms: int) -> str | None:
        """Return whose key this is, None for a dead or unknown one."""
        if self.expires_ms.get(key, 0) <= now_ms:
            return None
        return self.owners.get(key)

    def expire(self, now_ms: int) -> list[tuple[str, str]]:
        """Drop the keys whose time is over; return them with their accounts."""
        ended = [(key, self.owners[key]) for key, end in self.expires_ms.items() if end <= now_ms]
        for key, _ in ended:
            self._forget(key)
        return ended

    def _forget(self, key: str) -> None:
        self.by_account.pop(self.owners.pop(key), None)
        del self.expires_ms[key]
