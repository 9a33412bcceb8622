"""Random books and trades over a line that drops, repeats and overtakes: what is told ends as the server has it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.exchanges.decoding import SECOND, Driver, market, unified
from tests.unit.exchanges.test_binance_decoder import T0, depth, trade
from tests.unit.exchanges.venues import VENUES, Levels, Venue
from tradectl.exchanges.model import Channel, GapReason, NeedKind

FAULTS = st.sampled_from(["none"] * 12 + ["drop", "repeat", "swap", "reconnect", "bad"])
LEVEL = st.tuples(st.integers(1, 8), st.integers(0, 3))
CHANGE = st.tuples(st.lists(LEVEL, max_size=3), st.lists(LEVEL, max_size=3), FAULTS)
LOST = 4  # messages until an answer comes


def texts(levels: list[tuple[int, int]], base: int, sign: int) -> Levels:
    return [(f"{base + sign * place}.0", f"{lots}.000") for place, lots in dict(levels).items()]


class Line:
    """Messages in transit: `say` delivers them with the fault that is due."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.held: Any = None

    def say(self, message: Any, fault: str) -> None:
        if fault == "drop":
            return
        if fault == "swap" and self.held is None:
            self.held = message
            return
        self.driver.say(message)
        if fault == "repeat":
            self.driver.say(message)
        if self.held is not None:
            late, self.held = self.held, None
            self.driver.say(late)

    def lose(self) -> None:
        self.held = None
        self.driver.lose()
        self.driver.connect()


def serve_book(driver: Driver, venue: Venue) -> None:
    """Let the venue send its snapshot where the decoder asks for it."""
    if any(need.channel == Channel.DEPTH for need in driver.needs):
        driver.lose()
        driver.connect()
        driver.say(venue.snapshot())


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([name for name in VENUES if name != "coinbaseexchange"]), st.lists(CHANGE, max_size=40)
)
def test_books_in_the_stream_end_as_the_venue_has_them(name: str, changes: list[Any]) -> None:
    venue = VENUES[name]()
    driver = venue.driver()
    line = Line(driver)
    venue.change([("90.0", "1.000")], [("110.0", "1.000")])
    driver.say(venue.snapshot())
    for bids, asks, fault in changes:
        if fault == "reconnect":
            line.lose()
            driver.say(venue.snapshot())
        elif fault == "bad":
            driver.breaks(Channel.DEPTH, GapReason.MALFORMED)
        line.say(venue.update(texts(bids, 100, -1), texts(asks, 101, 1)), fault)
        serve_book(driver, venue)
    line.held = None
    for _ in range(3):  # what was lost shows with the next messages
        driver.say(venue.update([("90.0", "2.000")], [("110.0", "2.000")]))
        serve_book(driver, venue)
        driver.now += 11 * SECOND
    assert driver.book() == venue.levels()
    assert not driver.broken


class Spot:
    """Binance's book: diffs by number, snapshots over REST."""

    def __init__(self) -> None:
        self.last = 100
        self.sides: tuple[dict[str, str], dict[str, str]] = ({"90.0": "1.000"}, {"110.0": "1.000"})
        self.futures = False

    def update(self, bids: Levels, asks: Levels, ids: int) -> dict:
        first, before, self.last = self.last + 1, self.last, self.last + ids
        for side, changes in zip(self.sides, (bids, asks), strict=True):
            for price, qty in changes:
                side[price] = qty
                if not float(qty):
                    del side[price]
        return depth(first, self.last, bids, asks, pu=before if self.futures else None)

    def snapshot(self) -> dict:
        bids, asks = self.sides
        return {"lastUpdateId": self.last, "bids": list(bids.items()), "asks": list(asks.items())}

    def levels(self) -> dict[str, dict[int, int]]:
        both = [
            {round(float(p) * 10): round(float(q) * 1000) for p, q in side.items()} for side in self.sides
        ]
        return {"bids": both[0], "asks": both[1]}


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(st.tuples(CHANGE, st.integers(1, 3), st.integers(0, LOST)), max_size=40))
def test_binance_books_end_as_the_venue_has_them(futures: bool, changes: list[Any]) -> None:
    """Snapshots take a while to come, so that they may be older than what waits for them."""
    venue = Spot()
    venue.futures = futures
    driver = Driver(market("binance", "BTCUSDT"))
    driver.connect()
    line = Line(driver)
    answers: list[tuple[int, dict]] = []  # when, what

    def served(at: int, delay: int) -> None:
        answers.extend(
            (at + delay, venue.snapshot()) for need in driver.needs if need.kind == NeedKind.SNAPSHOT
        )
        for due in [one for one in answers if one[0] <= at]:
            answers.remove(due)
            driver.snapshot(due[1])

    for at, ((bids, asks, fault), ids, delay) in enumerate(changes):
        if fault == "reconnect":
            line.lose()
            answers.clear()
        line.say(venue.update(texts(bids, 100, -1), texts(asks, 101, 1), ids), fault)
        served(at, delay)
    line.held = None
    for at in range(len(changes), len(changes) + 20):
        driver.say(venue.update([("90.0", "2.000")], [("110.0", "2.000")], 1))
        served(at, 1)
    assert driver.book() == venue.levels()
    assert not driver.broken


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(FAULTS, st.integers(0, LOST)), max_size=60))
def test_no_trade_is_lost_or_told_twice_while_rest_answers(steps: list[tuple[str, int]]) -> None:
    driver = Driver(market("binance", "BTCUSDT"))
    driver.connect()
    line = Line(driver)
    driver.say(trade(1))
    answers: list[tuple[int, Any, int]] = []  # when, need, newest trade by then
    newest = 1

    def served(at: int, delay: int) -> None:
        answers.extend((at + delay, need, newest) for need in driver.needs)
        for due in [one for one in answers if one[0] <= at]:
            answers.remove(due)
            driver.answer(due[1], [unified(k) for k in range(due[1].after + 1, due[2] + 1)])

    for at, (fault, delay) in enumerate(steps):
        if fault == "reconnect":
            line.lose()
        newest += 1
        line.say(trade(newest, T=T0 + newest), fault)
        served(at, delay)
    line.held = None
    for at in range(len(steps), len(steps) + 10):
        newest += 1
        driver.say(trade(newest, T=T0 + newest))
        served(at, 0)
    assert driver.ids() == list(range(1, newest + 1))
    assert not driver.gaps
