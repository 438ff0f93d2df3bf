"""The tree of exceptions, classed by what the catcher must do.

    HoldfastError
    |- Rejected            the input is wrong: answer with its reason, go on         (never retried)
    |  |- BadAmount
    |  `- BadPlan
    |- Unavailable         a part does not answer: deny meanwhile, back off, try again
    |  |- VenueUnavailable
    |  |- BusUnavailable
    |  |- JournalBusy
    |  `- FateUnknown      a plan was sent and no outcome came: send the SAME plan again, or ask
    |- Halting             trading on the account must stop until a person has looked
    |  |- JournalLost      cannot be written or read; nothing may be sent
    |  |- ChainBroken      the journal's hash chain does not hold
    |  |- Fenced           another process owns the account now; this one must not act again
    |  |- KeysRejected     the venue refuses our keys
    |  `- Unclassified     anything that nobody foresaw
    `- CannotStart         settings, files, ports: say what to do, exit with a status that is not 0

An exception that is not of this tree counts as `Unclassified`: it halts.
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Root of the tree."""


class Rejected(HoldfastError):
    """The input is wrong. Answer with the reason and go on."""


class BadAmount(Rejected):
    """Text that is not one finite, bounded decimal."""


class BadPlan(Rejected):
    """A plan that cannot be read. `reason` is the code the result carries."""

    def __init__(self, reason: object, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Unavailable(HoldfastError):
    """A part does not answer now. Deny meanwhile, back off, try again within a bound."""


class VenueUnavailable(Unavailable):
    """The venue did not give a usable answer to a read. `retry_after_ms` is its own word, else None."""

    def __init__(self, detail: str, retry_after_ms: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_ms = retry_after_ms


class BusUnavailable(Unavailable):
    """Valkey did not answer, or refused. A bus that cannot be read denies."""


class JournalBusy(Unavailable):
    """The journal's queue is full or its lock is held: the caller denies and may ask again."""


class FateUnknown(Unavailable):
    """A plan may have been taken, and its outcome did not come. Sending the same plan id again is safe."""

    def __init__(self, detail: str, plan_id: str) -> None:
        super().__init__(detail)
        self.plan_id = plan_id


class Halting(HoldfastError):
    """Trading on the account stops until a person has looked."""


class JournalLost(Halting):
    """The journal cannot be written or read. Nothing may be sent."""


class ChainBroken(Halting):
    """The journal's hash chain does not hold. `seq` is the first bad entry."""

    def __init__(self, detail: str, seq: int | None = None) -> None:
        super().__init__(detail)
        self.seq = seq


class Fenced(Halting):
    """Another process holds the lease with a higher fencing number; this one must not act again."""


class KeysRejected(Halting):
    """The venue refuses our keys or their permissions (venue codes -2014, -2015, -1022)."""


class Unclassified(Halting):
    """Something that nobody foresaw. Safety first: stop, say so, keep the evidence."""


class CannotStart(HoldfastError):
    """Settings, files or ports are wrong. The message says what to do; the exit status is not 0."""
