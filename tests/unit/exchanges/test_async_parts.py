"""The parts of the async side that need no connection: clock, back-off, inbox."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from tradectl.exchanges.backoff import Backoff
from tradectl.exchanges.clock import JUMP_NS, Clock
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.inbox import CALL, Inbox
from tradectl.exchanges.model import Channel, FeedSettings

SECOND = 1_000_000_000


class Times:
    """A wall clock and a monotonic one that are set by hand."""

    def __init__(self) -> None:
        self.wall = 1_000 * SECOND
        self.mono = 5 * SECOND
        self.clock = Clock(lambda: self.wall, lambda: self.mono)

    def pass_time(self, ns: int, jump_ns: int = 0) -> None:
        self.mono += ns
        self.wall += ns + jump_ns


@pytest.mark.parametrize(
    ("jump_ns", "told", "after_ns"),
    [
        (0, "", 0),
        (JUMP_NS, "", JUMP_NS),  # small steps forward are followed silently
        (-JUMP_NS, "", 0),
        (3 * SECOND, "jumped 3.000 s forward", 3 * SECOND),
        (-3 * SECOND, "jumped 3.000 s back", 0),
    ],
)
def test_the_clock_follows_jumps_forward_and_never_goes_back(jump_ns: int, told: str, after_ns: int) -> None:
    times = Times()
    start = times.clock.now_ns()
    times.pass_time(SECOND, jump_ns)
    assert times.clock.now_ns() == start + SECOND
    note = times.clock.check()
    assert (told in note) if told else not note
    assert times.clock.now_ns() == start + SECOND + after_ns
    assert not times.clock.check(), "a jump is told once"


def test_a_clock_set_back_and_forth_is_told_twice_and_counts_once() -> None:
    times = Times()
    start = times.clock.now_ns()
    times.pass_time(SECOND, -10 * SECOND)
    assert "back" in times.clock.check()
    times.pass_time(SECOND, 10 * SECOND)
    assert "forward" in times.clock.check()
    assert times.clock.now_ns() == start + 2 * SECOND


def test_receive_times_never_decrease_whatever_the_wall_clock_does() -> None:
    times, rng, last = Times(), random.Random(1), 0
    for _ in range(2_000):
        times.pass_time(rng.randrange(SECOND), rng.choice((0, 0, 0, rng.randrange(-9 * SECOND, 9 * SECOND))))
        times.clock.check()
        assert times.clock.now_ns() >= last
        last = times.clock.now_ns()


def test_waits_double_up_to_the_longest_and_begin_anew_after_a_connection_that_held() -> None:
    settings = FeedSettings(backoff_min_ns=100_000_000, backoff_max_ns=1_000_000_000)
    backoff = Backoff(settings, random.Random(3))
    waits = [backoff.wait_s() for _ in range(6)]
    for wait, longest in zip(waits, (0.1, 0.2, 0.4, 0.8, 1.0, 1.0), strict=True):
        assert longest / 2 <= wait <= longest
    assert not backoff.held(SECOND)
    assert backoff.wait_s() > 0.4
    assert backoff.held(5 * SECOND)
    assert backoff.wait_s() <= 0.1


@dataclass
class FakeFeed:
    """Writes down what it hears."""

    shedding: bool = False
    heard: list[str] = field(default_factory=list)

    def shed(self, recv_ns: int, out: EventBuffer) -> None:
        self.heard.append("shed")

    def relieved(self) -> None:
        self.heard.append("relieved")

    def dropped(self) -> None:
        self.heard.append("dropped")


def channels(inbox: Inbox) -> list[int]:
    return [channel for _, _, channel, _ in inbox.items]


def test_beyond_the_limit_depth_is_left_out_in_its_place_and_trades_stay() -> None:
    inbox, feed = Inbox(4), FakeFeed()
    depth, trades = int(Channel.DEPTH), int(Channel.TRADES)
    for ns, channel in enumerate([depth, trades, depth, trades, depth, trades, depth, trades]):
        inbox.put(ns, feed, channel, "")
    assert channels(inbox) == [depth, trades, depth, trades, CALL, trades, trades]
    assert feed.heard == ["dropped", "dropped"]
    while len(inbox) > 2:
        inbox.items.popleft()
    inbox.put(9, feed, depth, "")
    assert feed.shedding, "half of it still waits"
    inbox.items.popleft()
    inbox.put(10, feed, depth, "")
    assert not feed.shedding
    assert feed.heard == ["dropped", "dropped", "dropped", "relieved"]
    assert channels(inbox) == [trades, depth]


def test_a_quiet_feed_is_relieved_by_the_clock() -> None:
    inbox, feed = Inbox(2), FakeFeed()
    for ns in range(4):
        inbox.put(ns, feed, int(Channel.DEPTH), "")
    inbox.relieve(feed)
    assert feed.shedding
    inbox.items.clear()
    inbox.relieve(feed)
    assert not feed.shedding
    assert feed.heard[-1] == "relieved"


def test_the_consumer_is_woken_once_until_it_has_taken() -> None:
    inbox, feed = Inbox(100), FakeFeed()
    woken: list[Any] = []
    inbox.wake = lambda: woken.append(len(inbox))
    inbox.put(1, feed, CALL, None)
    inbox.put(2, feed, CALL, None)
    assert woken == [1]
    inbox.begin()
    inbox.items.popleft()
    inbox.put(3, feed, CALL, None)
    assert inbox.rest(), "something is left"
    assert woken == [1], "not while it takes"
    inbox.again()
    assert woken == [1, 2]
    inbox.items.clear()
    assert not inbox.rest()
    inbox.again()
    assert woken == [1, 2]
    inbox.put(4, feed, CALL, None)
    assert woken == [1, 2, 1]
