"""What a plant is: a name, what it breaks, and how it is put in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.lab.torture.plants.needs import anything

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from holdfast.lab.torture.plants.needs import Need

_FOR_GOOD: list[AbstractContextManager[None]] = []
"""Plants that stay as long as the process."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One bug. `planted` puts it in for a while; calling it puts it in for good."""

    name: str
    breaks: str
    """What the code does now, as a fault of its author."""
    planted: Callable[[], AbstractContextManager[None]]
    needs: Need = anything
    """Which histories may show it."""

    def __call__(self) -> None:
        """Put it in, until the process ends."""
        planted = self.planted()
        planted.__enter__()
        _FOR_GOOD.append(planted)


Catalogue = dict[str, Plant]


def adder(catalogue: Catalogue) -> Callable[..., Callable[[Callable[[], AbstractContextManager[None]]], Plant]]:
    """A decorator that files what it decorates under a name. Raises ValueError for a name that is taken."""

    def named(
        name: str, breaks: str, needs: Need = anything
    ) -> Callable[[Callable[[], AbstractContextManager[None]]], Plant]:
        def file(planted: Callable[[], AbstractContextManager[None]]) -> Plant:
            if name in catalogue:
                raise ValueError(f"two plants are called {name}")
            catalogue[name] = Plant(name, breaks, planted, needs)
            return catalogue[name]

        return file

    return named
