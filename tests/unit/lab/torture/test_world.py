"""The world itself: replayable to the last line, closed to the outside, and able to fail."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter

import pytest

from holdfast.lab.torture.climate import STORM
from holdfast.lab.torture.fence import fenced
from holdfast.lab.torture.jobs import Order, keeping, kept, run_order
from holdfast.lab.torture.loop import NotInThisWorld
from holdfast.lab.torture.replay import replay_text
from holdfast.lab.torture.schedule import FAULT_KINDS, draw
from holdfast.lab.torture.shrink import shrink

SEED = 3
PLANS_MIN = 20


def playing(hash_seed: str) -> subprocess.Popen[bytes]:
    """A process of its own that plays two histories under this PYTHONHASHSEED."""
    program = "import sys; from holdfast.cli.main import main; main(sys.argv[1:])"
    command = [
        sys.executable,
        "-c",
        program,
        "torture",
        "--seed",
        str(SEED),
        "--schedules",
        "2",
        "--jobs",
        "1",
        "--json",
    ]
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=env)  # noqa: S603 - our own command


def test_the_same_seed_gives_the_same_log_in_every_process() -> None:
    """Hash seeds 0 and 1, each in a process of its own, agree with this process's random one to the last line."""
    processes = [playing(hash_seed) for hash_seed in ("0", "1")]
    told = [json.loads(process.communicate(timeout=100)[0])["log_hash"] for process in processes]
    here = run_order(Order(SEED, 2, None, 1), lambda _report: None).log_hash
    assert told == [here, here]


def test_a_history_holds_what_is_promised() -> None:
    """Each has at least twenty plans, and the schedules of a few hundred seeds have every kind of fault."""
    kinds = Counter(act.kind for seed in range(300) for act in draw(seed).faults)
    plans = [sum(act.kind == "plan" for act in draw(seed).deeds) for seed in range(300)]
    assert set(kinds) == FAULT_KINDS
    assert min(plans) >= PLANS_MIN


def test_a_storm_has_more_of_everything_and_leaves_the_usual_histories_as_they_are() -> None:
    """Orders that rest and are cancelled, people on duty, more faults; drawn apart: a usual seed means the same."""
    storms = [draw(seed, STORM) for seed in range(200)]
    assert any(act.kind == "cancel plan" for storm in storms for act in storm.deeds)
    assert any(storm.shape.duty_ms for storm in storms)
    assert sum(len(storm.faults) for storm in storms) > 1.5 * sum(len(draw(seed).faults) for seed in range(200))
    assert not any(draw(seed).shape.duty_ms for seed in range(200))


def test_nothing_leaves_virtual_time_while_a_history_is_played() -> None:
    """A socket, a thread, a process or real waiting inside the fence is an error."""
    with fenced():
        with pytest.raises(NotInThisWorld):
            socket.socket()
        with pytest.raises(NotInThisWorld):
            threading.Thread(target=print).start()
        with pytest.raises(NotInThisWorld):
            subprocess.run(["true"], check=False)  # noqa: S607 - it must never start
    socket.socket().close()


def test_a_history_can_be_told_and_replayed_in_part() -> None:
    """The acts that are named are played, no others; the log of the product stands between the world's lines."""
    whole = draw(SEED)
    part = whole.keeping(faults=whole.faults[:1], deeds=whole.deeds[2:5])
    names = kept(whole, part)
    text, is_found = replay_text(SEED, names, "")
    assert keeping(whole, names) == part
    assert not is_found
    assert "| info" in text
    assert text.count("strategy") == sum(act.kind == "plan" for act in part.deeds)


def test_shrinking_keeps_only_what_the_failure_needs() -> None:
    """Of many acts the two remain without which it does not fail."""
    whole = draw(SEED)
    needed = {whole.deeds[1], whole.deeds[7]}
    small = shrink(whole, lambda schedule: needed <= set(schedule.deeds))
    assert set(small.deeds) == needed
    assert small.faults == ()
