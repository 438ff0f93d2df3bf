"""What an operator asks: journaled as a request, carried out by the running service, waited for within a bound.

Nothing is done here: the request and its REQUESTED entry are one transaction without a fence, the service that owns
the matter writes the end. Invariant: a request that nobody answered in time is withdrawn, so that a service which
starts an hour later does not carry out what nobody is waiting for any more (unless it is under way already: then
the outcome says so).
"""

from __future__ import annotations

import asyncio
import getpass
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.cli.exit_status import DONE, NO_ANSWER, REFUSED
from holdfast.cli.wording import name_of, reason_of
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.names import PlanId
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.sides import PositionSide

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId, ClientOrderId, HoldId, Symbol
    from holdfast.ports.journal import Journal, Reads, Tx

POLL_S = 0.03
NOBODY = "no service answered in time: is `holdfast run` running? (withdrawn, nothing was done)"
UNDER_WAY = "it is under way and has no end yet: `holdfast explain {symbol}` follows it"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked, by whom and why; checked."""

    account: AccountId
    kind: RequestKind
    name: str
    reason: str
    symbol: Symbol | None
    position_side: PositionSide | None = None
    hold_id: HoldId | None = None
    """The hold it is about: APPROVE acts on it, the others are told in its story."""
    qty: str = ""
    client_order_id: ClientOrderId | None = None
    """The order that is to be resolved."""

    @property
    def leg_name(self) -> str:
        """The leg that is meant, as reports name it."""
        if self.position_side is None or self.position_side is PositionSide.BOTH:
            return str(self.symbol)
        return f"{self.symbol}:{self.position_side.value}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a wish."""

    wish: Wish
    request_id: str
    state: RequestState
    outcome: str
    is_answered: bool
    """False if nobody answered in time."""

    @property
    def status(self) -> int:
        """The exit status."""
        if not self.is_answered:
            return NO_ANSWER
        return DONE if self.state is RequestState.DONE else REFUSED

    def json(self) -> JsonValue:
        """As one JSON object."""
        return {
            "request_id": self.request_id,
            "account": self.wish.account,
            "kind": self.wish.kind.value,
            "symbol": self.wish.symbol,
            "position_side": None if self.wish.position_side is None else self.wish.position_side.value,
            "state": self.state.value if self.is_answered else "no_answer",
            "outcome": self.outcome,
        }

    def text(self) -> str:
        """As one line."""
        word = self.state.value if self.is_answered else "no answer"
        about = self.wish.client_order_id or (self.wish.leg_name if self.wish.symbol else self.wish.account)
        return f"{self.wish.kind.value.replace('_', ' ')} {about}: {word}: {self.outcome}"


def signed_by(name: str) -> str:
    """The name that was given, or the login name. Raises CannotStart if there is neither."""
    try:
        return name_of(name or getpass.getuser())
    except (OSError, KeyError):
        return name_of("")


async def ask(journal: Journal, wish: Wish, timeout_s: float) -> Answer:
    """Journal the wish, wait for its end, withdraw it if nobody answered."""
    request = await _hand_in(journal, wish)
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                known = await journal.query(wish.account, lambda reads: reads.request(request.request_id))
                if known is not None and known.state is not RequestState.OPEN:
                    return Answer(wish, request.request_id, known.state, known.outcome, is_answered=True)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return await _withdraw(journal, wish, request)


async def _hand_in(journal: Journal, wish: Wish) -> OperatorRequest:
    request_id = f"{wish.kind.value}-{secrets.token_hex(6)}"
    reason, name = reason_of(wish.reason), name_of(wish.name)

    def write(tx: Tx, request: OperatorRequest, _facts: int) -> None:
        tx.put_request(request)
        tx.append(_entry(request, EntryKind.REQUESTED))

    def decide(now_ms: int) -> OperatorRequest:
        return OperatorRequest(
            request_id=request_id,
            account=wish.account,
            kind=wish.kind,
            symbol=wish.symbol,
            position_side=wish.position_side,
            hold_id=wish.hold_id,
            qty=wish.qty,
            name=name,
            reason=reason,
            created_ms=now_ms,
            state=RequestState.OPEN,
            outcome="",
            client_order_id=wish.client_order_id,
        )

    return await journal.transact(wish.account, None, read=lambda reads: reads.now_ms(), decide=decide, write=write)


async def _withdraw(journal: Journal, wish: Wish, request: OperatorRequest) -> Answer:
    first_slice = PlanId(f"oc-{request.request_id}-1")

    def read(reads: Reads) -> tuple[OperatorRequest, bool]:
        return reads.request(request.request_id) or request, reads.close(first_slice) is not None

    def decide(facts: tuple[OperatorRequest, bool]) -> Answer:
        known, is_under_way = facts
        if known.state is not RequestState.OPEN:
            return Answer(wish, known.request_id, known.state, known.outcome, is_answered=True)
        outcome = UNDER_WAY.format(symbol=wish.symbol) if is_under_way else NOBODY
        return Answer(wish, known.request_id, RequestState.OPEN, outcome, is_answered=False)

    def write(tx: Tx, answer: Answer, facts: tuple[OperatorRequest, bool]) -> None:
        known, is_under_way = facts
        if answer.is_answered or is_under_way:
            return
        ended = replace(known, state=RequestState.REFUSED, outcome="withdrawn: no service answered in time")
        tx.put_request(ended)
        tx.append(_entry(ended, EntryKind.REQUEST_ENDED))

    return await journal.transact(wish.account, None, read=read, decide=decide, write=write)


def _entry(request: OperatorRequest, kind: EntryKind) -> Entry:
    side = request.position_side
    body: dict[str, JsonValue] = {
        "request_id": request.request_id,
        "kind": request.kind.value,
        "state": request.state.value,
        "who": request.name,
        "why": request.reason,
        "qty": request.qty,
        "position_side": None if side is None else side.value,
        "client_order_id": request.client_order_id,
        "outcome": request.outcome,
    }
    return Entry(kind, request.account, request.symbol, request.hold_id, None, body)
