"""Must not happen again: bugs of our own that histories and drills found, each told as the story in which it shows.

A story is a history written out in full (`holdfast.lab.torture.story`); with the bug put back it breaks its rule, as it
is it breaks none. The stories lie beside the plants; `holdfast torture --story FILE --plant NAME` tells one in full.
"""

from __future__ import annotations

from holdfast.lab.torture.litter import kept_aside
from holdfast.lab.torture.plants.found import FOUND, story_of
from holdfast.lab.torture.shrink import rule_of
from holdfast.lab.torture.world import play_history

DICE_TRIES = 4
"""A bug may need its moment: so many dice are thrown for it before it counts as not seen."""


def rule_broken_with(bug: str) -> str:
    """What its story breaks while the bug is put back."""
    story = story_of(bug)
    with FOUND[bug].planted(), kept_aside():
        rules = (rule_of(play_history(story.schedule(dice)).violations) for dice in range(DICE_TRIES))
        return next((rule for rule in rules if rule), "")


def goes_well_without(bug: str) -> bool:
    """Whether its story, with every act at its cue, breaks nothing as the code is."""
    with kept_aside():
        ended = story_of(bug).play()
    assert ended.left == ()
    return ended.violations == ()


def test_a_stream_that_was_ended_stays_ended_when_its_connection_breaks_meanwhile() -> None:
    """A process that is told to stop ends, although its private stream breaks in the very same moment.

    Four times a process is told to stop, and none, one, two or three turns of its loop later its connection breaks. A
    task group whose child fails while it is cancelled forgot the cancellation: the stream connected again, whoever had
    ended it waited for ever, and the process, deaf to its supervisor, served nobody any more and did not go.
    """
    bug = "stream-swallows-its-end"
    assert rule_broken_with(bug) == "L8"
    assert goes_well_without(bug)


def test_an_apply_process_asks_again_about_a_symbol_that_it_heard_was_halted() -> None:
    """A close is carried out soon after its symbol trades again, by an apply that was started while it was halted.

    BTCUSDT is halted while both processes start. It trades again; reconcile is restarted, and knows. Somebody buys by
    hand, reconcile plans a close, and apply refused it, and the next, and the next: it had read the rules once, its own
    refusals were no reason to read them again, and the hold would have stood for an hour.
    """
    bug = "halted-for-an-hour"
    assert rule_broken_with(bug) == "L2"
    assert goes_well_without(bug)


def test_what_was_cancelled_while_its_process_was_stopped_is_told_soon_after_the_start() -> None:
    """A plan whose order somebody cancelled during a restart has its result within seconds.

    A limit order rests; forty milliseconds later its process is stopped in good order, and ten after that a person
    cancels the order. The process starts, reads what is open, misses the order, and could prove nothing by it, because
    the order had changed less than a second before. That was right; to read the next time after two minutes was not.
    """
    bug = "resting-told-late"
    assert rule_broken_with(bug) == "L10"
    assert goes_well_without(bug)


def test_somebody_is_told_that_the_position_mode_was_changed() -> None:
    """A person hears that the account is in another position mode, which nobody sets back before they know.

    Somebody switches the account to hedge mode in the app and buys by hand. From then on no row of the exchange could
    be read, every view failed, and what the pager said was that a fresh view is awaited: true, and no help at all.
    """
    bug = "mode-not-watched"
    assert rule_broken_with(bug) == "L11"
    assert goes_well_without(bug)


def test_a_wait_for_the_next_reading_lets_others_run_to_its_last_millisecond() -> None:
    """Time goes on until open orders are read again, whenever the wait for it was interrupted.

    A limit order rests, the stream ends, and the reading that follows fails: the next one is due in two seconds. A
    trade by hand wakes the wait at an odd microsecond; what was left of it was rounded down to 0 ms in the end, and
    waited out in a loop that let nobody else run. In life that cost a core for less than a millisecond; time that
    stands still while nobody waits, as in this world, it never let go on.
    """
    bug = "wait-that-spins"
    assert rule_broken_with(bug) == "L9"
    assert goes_well_without(bug)


def test_an_order_that_never_was_is_proven_absent_although_somebody_traded_meanwhile() -> None:
    """An order whose answer was lost is settled without a person, when a trade by hand moved its position since.

    The connection breaks before the exchange takes the order; 300 ms after it was written down somebody buys by hand.
    The position was not what it had been, so nothing was proven, and as long as the order was in doubt nobody could
    close what had been bought: each waited for the other, until a person was asked about an order that never was.
    """
    bug = "doubt-kept-by-others"
    assert rule_broken_with(bug) == "L12"
    assert goes_well_without(bug)


def test_a_trade_that_shows_after_its_effect_was_adopted_does_not_count_again() -> None:
    """What a person adopted is settled: the trade behind it is no evidence when the next difference comes.

    The exchange's list of trades lags by seconds. Somebody buys by hand, an operator adopts the position as it is, and
    only then the trade shows. When somebody buys again, both trades were taken for that one difference, did not add up
    to it, and the symbol waited for a person although the policy is to adopt what trades explain.
    """
    bug = "adopted-trade-counts-twice"
    assert rule_broken_with(bug) == "L13"
    assert goes_well_without(bug)


def test_a_clock_that_was_set_ahead_does_not_make_an_old_read_a_new_one() -> None:
    """A hold stands as long as its drift, although our clock was set ahead and the exchange's reads lag.

    The machine's clock is set ahead by 700 ms. A moment later somebody trades by hand, and the exchange answers reads
    of positions as they were 900 ms ago. Dated by the distance between the two clocks as it had been, such a read
    seemed 700 ms newer than it was: newer than the trade that it did not know of. The hold ended, the drift stood.
    """
    bug = "offset-outlives-a-set-clock"
    assert rule_broken_with(bug) == "S20"
    assert goes_well_without(bug)


def test_a_hold_does_not_forget_how_new_its_cause_was() -> None:
    """A hold stands as long as its drift, although its process was started anew and the exchange's reads lag.

    Somebody sells what the account held, and 80 ms later sells again: the stream says so, and the leg is held. The
    process is stopped and starts anew; what it reads lags by 900 ms, and shows the position before both trades. That is
    a drift as well, so the hold was updated, and took the old view for its cause. The next read, as old, showed the
    moment between the two trades, in which everything agreed: newer than the cause, and the hold ended.
    """
    bug = "cause-goes-back"
    assert rule_broken_with(bug) == "S20"
    assert goes_well_without(bug)
