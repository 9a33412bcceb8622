"""Trades in order, each once: holes, repetitions, reorder, answers that are late, short, empty or never come."""

from __future__ import annotations

import pytest

from tests.unit.exchanges.decoding import SECOND, Heard, market
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.model import Channel, FeedSettings, GapReason, Need, NeedKind, Position
from tradectl.exchanges.trade_line import CountedTrades, RecentTrades, Trade, TradeLine

MARKET = market("binance", "BTCUSDT")
START = 1_700_000_000 * SECOND


def trade(trade_id: int, ts: int = 0) -> Trade:
    return trade_id, START + (ts or trade_id) * 1_000_000, 1, 100, 5


class Line(Heard):
    """A line and what came out of it; `now` is in milliseconds after the start."""

    def __init__(self, line: TradeLine) -> None:
        super().__init__()
        self.line, self.out, self.now = line, EventBuffer(), 0

    def told(self, need: Need | None) -> Need | None:
        self.take(self.out.take())
        return need

    def take_trades(self, *ids: int, at: int = 0) -> Need | None:
        self.now = max(self.now + 1, at)
        return self.told(self.line.take([trade(k) for k in ids], START + self.now * 1_000_000, self.out))

    def fill(self, *ids: int) -> Need | None:
        return self.told(self.line.fill([trade(k) for k in ids], START + self.now * 1_000_000, self.out))

    def fail(self) -> Need | None:
        return self.told(self.line.fill(None, START + self.now * 1_000_000, self.out))

    def tick(self, at: int) -> Need | None:
        self.now = at
        return self.told(self.line.tick(START + at * 1_000_000, self.out))


def counted() -> Line:
    return Line(CountedTrades(MARKET, FeedSettings(queue=50)))


def skipping() -> Line:
    return Line(CountedTrades(MARKET, FeedSettings(queue=50), skips=True))


def recent(compares: bool = False) -> Line:
    return Line(RecentTrades(MARKET, FeedSettings(queue=50), compares))


def asks(need: Need | None) -> tuple[int, int] | None:
    if need is None:
        return None
    assert (need.kind, need.channel, need.market) == (NeedKind.TRADES, Channel.TRADES, MARKET)
    return need.after, need.before


TRADES_GAP = (1, GapReason.SEQUENCE)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([(5,), (6,), (7,)], [5, 6, 7]),  # the first one is where it begins
        ([(5,), (5,), (6,), (5,), (6,), (7,)], [5, 6, 7]),  # repetitions
        ([(7, 5, 6), (8,)], [5, 6, 7, 8]),  # newest first in a message
        ([(5,), (7,), (6,), (8,)], [5, 6, 7, 8]),  # overtaken
        ([(5,), (8,), (7,), (6,), (9,)], [5, 6, 7, 8, 9]),
        ([(5, 5, 6), (6, 7)], [5, 6, 7]),
    ],
)
def test_counted_trades_are_told_in_order_and_once(messages: list[tuple[int, ...]], told: list[int]) -> None:
    line = counted()
    for ids in messages:
        line.take_trades(*ids)
    assert line.ids() == told
    assert not line.gaps


def test_a_hole_is_asked_for_once_and_filled() -> None:
    line = counted()
    line.take_trades(5)
    assert asks(line.take_trades(9)) == (5, 9)
    assert line.take_trades(10) is None
    assert line.ids() == [5]
    assert line.fill(4, 5, 6, 7, 8, 9) is None  # an answer may hold more than was asked for
    assert line.ids() == [5, 6, 7, 8, 9, 10]
    assert line.take_trades(11) is None
    assert not line.gaps


def test_two_holes_are_asked_for_one_after_the_other() -> None:
    line = counted()
    line.take_trades(1)
    assert asks(line.take_trades(3)) == (1, 3)
    line.take_trades(6)
    assert asks(line.fill(2)) == (3, 6)
    assert line.ids() == [1, 2, 3]
    assert line.fill(4, 5) is None
    assert line.ids() == [1, 2, 3, 4, 5, 6]


def test_an_answer_that_is_not_there_yet_is_asked_for_again_until_the_time_is_over() -> None:
    line = counted()
    line.take_trades(1)
    line.take_trades(4, at=10)
    assert asks(line.fill()) == (1, 4)
    assert asks(line.fill(2)) == (2, 4)
    assert line.ids() == [1, 2]
    line.now = 6_000
    assert line.fill() is None
    assert line.gaps == [TRADES_GAP]
    assert line.ids() == [1, 2, 4]


@pytest.mark.parametrize("how", ["refused", "never"])
def test_a_hole_that_stays_is_a_gap_before_what_was_held(how: str) -> None:
    line = counted()
    line.take_trades(1)
    line.take_trades(4, at=100)
    line.take_trades(6, at=200)
    if how == "refused":
        line.fail()
    else:
        line.tick(5_099)
        assert not line.gaps
        line.tick(5_100)
    kinds = [int(event["kind"]) for event in line.events]
    assert kinds == [2, 13, 2, 2]
    gap = line.events[1]
    assert (gap["w0"] - START, gap["w1"] - START) == (1_000_000, line.now * 1_000_000)
    assert gap["ts_event"] == START + 1_000_000  # no order arrives by a gap
    assert line.ids() == [1, 4, 6]
    assert line.fill(2, 3, 5) is None  # too late: the gap is told
    assert line.take_trades(7) is None
    assert line.ids() == [1, 4, 6, 7]


def test_too_many_that_wait_are_given_up() -> None:
    line = counted()
    line.take_trades(1)
    for trade_id in range(3, 55):
        line.take_trades(trade_id)
    assert line.gaps == [TRADES_GAP]
    assert line.ids() == [1, *range(3, 55)]


def test_ids_that_begin_anew_are_a_gap_and_not_silence() -> None:
    line = counted()
    line.take_trades(1_000_000)
    line.told(line.line.take([trade(1, ts=1_100_000)], START + 2_000_000_000_000, line.out))
    line.told(line.line.take([trade(2, ts=1_100_001)], START + 2_000_000_000_000, line.out))
    assert line.gaps == [TRADES_GAP]
    assert line.ids() == [1_000_000, 1, 2]


def test_trades_that_are_none_of_the_book_count_but_are_not_told() -> None:
    line = counted()
    line.take_trades(1)
    line.told(line.line.take([(2, START, 1, 0, 0)], START + 9_000_000, line.out))
    assert line.take_trades(3, at=10) is None
    assert line.ids() == [1, 3]


def test_a_new_connection_without_trades_asks_for_what_came_before_it() -> None:
    line = counted()
    line.line.connected()
    assert line.tick(1_000) is None  # the first connection: nothing came before
    assert line.tick(9_000) is None
    line.take_trades(7, at=9_001)
    line.line.connected()
    assert line.tick(10_000) is None
    assert asks(line.tick(12_000)) == (7, 0)
    line.fill(6, 7, 8, 9)
    assert line.ids() == [7, 8, 9]
    assert line.tick(20_000) is None


def test_history_before_a_first_subscription_is_not_told() -> None:
    line = counted()
    assert line.line.begin([trade(3), trade(5), trade(4)])
    assert line.take_trades(6) is None
    assert line.ids() == [6]
    assert not line.line.begin([trade(8)])  # after a reconnection it is the missing part
    assert asks(line.take_trades(8)) == (6, 8)


def test_a_resumed_line_asks_for_what_happened_meanwhile() -> None:
    line = counted()
    line.line.resume(Position(10, START))
    assert asks(line.take_trades(13)) == (10, 13)
    line.fill(11, 12)
    assert line.ids() == [11, 12, 13]


def test_recent_trades_drop_repetitions() -> None:
    line = recent()
    for ids in ((10,), (30, 20), (10,), (20, 40)):
        line.take_trades(*ids)
    assert line.ids() == [10, 30, 20, 40]


def test_recent_trades_ask_after_a_break_and_hold() -> None:
    line = recent()
    line.take_trades(1, 2, 3)
    line.line.connected()
    need = line.take_trades(6)
    assert need is not None
    assert need.since_ns == START + 3_000_000
    assert line.take_trades(7) is None
    assert line.ids() == [1, 2, 3]
    line.fill(2, 3, 4, 5, 6)
    assert line.ids() == [1, 2, 3, 4, 5, 6, 7]
    assert not line.gaps


def test_ids_that_an_answer_from_before_to_behind_a_hole_does_not_have_are_no_trades() -> None:
    line = skipping()
    line.take_trades(3)
    assert asks(line.take_trades(6)) == (3, 6)
    assert line.take_trades(9) is None
    assert asks(line.fill(3)) == (3, 6)  # not from behind it: the rest may still come
    assert line.ids() == [3]
    assert asks(line.fill(2, 3, 5, 6)) == (6, 9)
    assert line.ids() == [3, 5, 6]
    assert line.fill(6, 9, 10) is None
    assert line.ids() == [3, 5, 6, 9, 10]
    assert not line.gaps


def test_a_comparison_tells_what_was_left_out_between_trades_that_were_told() -> None:
    line = recent(compares=True)
    assert line.tick(1_000) is None  # there is nothing to compare with
    line.take_trades(50, 20, at=1_001)
    line.take_trades(70, at=1_002)
    need = line.tick(7_000)
    assert need is not None
    assert need.kind == NeedKind.COMPARE
    assert line.tick(8_000) is None
    assert isinstance(line.line, RecentTrades)
    rows = [trade(k) for k in (10, 50, 30, 20, 40, 70, 80)]  # 10 was before the session, 80 may be on its way
    assert line.line.compare(rows, START + 8_000_000_000, line.out) == 2
    assert line.line.compare(rows, START + 8_000_000_000, line.out) == 0
    line.told(None)
    line.take_trades(30, 80, at=9_000)
    assert line.ids() == [50, 20, 70, 30, 40, 80]
    assert line.tick(13_000) is not None
    line.line.connected()
    line.take_trades(90, at=14_000)  # held until the answer to the break, which compares as well
    assert line.line.compare(rows, START + 14_000_000_000, line.out) == 0


def test_what_was_told_before_a_resumption_is_not_told_again() -> None:
    line = recent()
    line.line.resume(Position(5, START + 9_000_000, (7, 8, 5)))  # the last one was told late
    line.take_trades(11)
    line.fill(5, 7, 8, 9, 11)
    assert line.ids() == [9, 11]
    assert not line.gaps


@pytest.mark.parametrize("answer", [None, [], [5, 6]])
def test_an_answer_that_does_not_reach_back_is_a_gap(answer: list[int] | None) -> None:
    line = recent()
    line.take_trades(1)
    line.line.connected()
    line.take_trades(6)
    if answer is None:
        line.fail()
    else:
        line.fill(*answer)
    assert line.gaps == [TRADES_GAP]
    assert line.ids() == [1, *sorted({6, *(answer or [])})]


def test_recent_trades_that_get_no_answer_are_told_behind_a_gap() -> None:
    line = recent()
    line.take_trades(1)
    line.line.connected()
    line.take_trades(6, at=100)
    line.tick(5_101)
    assert line.gaps == [TRADES_GAP]
    assert line.ids() == [1, 6]
    line.fill(1, 2, 6)
    assert line.ids() == [1, 6]


def test_a_quiet_reconnection_of_recent_trades_asks_too() -> None:
    line = recent()
    line.take_trades(1)
    line.line.connected()
    line.tick(1_000)
    need = line.tick(3_500)
    assert need is not None
    line.take_trades(9, at=3_600)  # held: the answer comes first
    assert line.ids() == [1]
    line.fill(1, 5)
    assert line.ids() == [1, 5, 9]


def test_the_memory_of_ids_is_bounded() -> None:
    line = recent()
    for start in range(0, 20_000, 10):
        line.take_trades(*range(start, start + 10))
    assert isinstance(line.line, RecentTrades)
    assert len(line.line.seen) == 8_192
    assert len(line.ids()) == 20_000
