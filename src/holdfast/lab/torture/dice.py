"""The chance that falls while a history is played: how long a way takes, a commit, a start.

Shared dice are one stream for everybody, named by the seed: one draw more anywhere shifts all that follow. Keyed ones
are a stream for each purpose (this process's questions of this path, that one's commits): one draw more shifts its own
purpose and nothing else, so that what is written out in full is not told otherwise tomorrow.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Dice = Callable[[str], Random]  # the stream of a purpose


def shared(name: str) -> Dice:
    """One stream, whatever it is drawn for."""
    stream = Random(name)  # noqa: S311 - chance that can be replayed, not a secret
    return lambda _purpose: stream


def keyed(name: str) -> Dice:
    """A stream for each purpose."""
    streams: dict[str, Random] = {}

    def of(purpose: str) -> Random:
        stream = streams.get(purpose)
        if stream is None:
            stream = streams[purpose] = Random(f"{name}, {purpose}")  # noqa: S311 - as above
        return stream

    return of
