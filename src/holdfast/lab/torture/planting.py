"""The door for planted bugs, which prove that the world can fail. They live in a source checkout only.

`holdfast.lab.torture.plants` is not part of any wheel. It offers `ALL`, a mapping of names to functions; calling one
puts that bug into the product's code in this process, for good.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Final, cast

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODULE: Final = "holdfast.lab.torture.plants"


def plants() -> Mapping[str, Callable[[], None]]:
    """All planted bugs by name; none outside of a source checkout."""
    if importlib.util.find_spec(MODULE) is None:
        return {}
    return cast("Mapping[str, Callable[[], None]]", importlib.import_module(MODULE).ALL)


def plant(name: str) -> None:
    """Put one bug into this process. Raises CannotStart if there is none of that name."""
    check_is_known(name)
    plants()[name]()


def check_is_known(name: str) -> None:
    """Raise CannotStart, which names those that there are, if there is no planted bug of that name."""
    known = plants()
    if name not in known:
        raise CannotStart(f"there is no planted bug {name!r} here; known: {', '.join(sorted(known)) or 'none at all'}")
