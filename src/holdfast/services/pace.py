"""How often the services look by themselves at what somebody is told of besides: late costs time, never safety.

Nothing that bounds a danger is in here. In life it is what stands below; the deterministic world, whose every look
costs a part of a history, looks more rarely.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """See the module."""

    copies_ms: int = 250
    """Between two steps of what is published of the journal's state; a hold that changed does not wait for it."""
    asked_ms: int = 100
    """Between two looks at what others put into the journal for a service: operators' requests, unclaimed closes."""
    marks_ms: int = 500
    """Between two marks of what was published, and between two questions whether the bus is still the same."""
