"""What a history leaves behind, and when it is thrown away: between histories, in silence.

The garbage collector is off while histories are played (it would look at everything over and over), and what stood
there before them is left out of its sight. Coroutines of dead processes complain when they go; nobody hears that.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def collect() -> None:
    """Throw away what histories left behind."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    finally:
        sys.unraisablehook = hook


@contextlib.contextmanager
def kept_aside() -> Iterator[None]:
    """Play histories inside; a process that does nothing else may have switched its collector off for good."""
    was_on = gc.isenabled()
    if was_on:
        gc.disable()
        gc.freeze()
    try:
        yield
    finally:
        collect()
        if was_on:
            gc.unfreeze()
            gc.enable()
