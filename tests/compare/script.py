"""One list of events and one list of orders for two simulators, and what a simulator did with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind, QueueModel
from tradectl.core.event import empty_events

__all__ = [
    "MODELS", "Done", "Fill", "Market", "Order", "Rules", "made_up_market", "overlapping", "recorded_latencies",
    "working_one_by_one",
]  # fmt: skip

US = 1_000  # ns; made-up stamps are whole microseconds, so that orders and events often meet at one stamp
MS = 1_000_000
START_NS = 1_704_067_200_000_000_000
FIRST_MIDDLE = 20_000  # ticks
LEVELS = 12  # of a side, about
TRADE, DEPTH = int(EventKind.TRADE), int(EventKind.DEPTH)
MODELS: dict[str, tuple[QueueModel, float]] = {
    "risk_averse": (QueueModel.RISK_AVERSE, 1.0),
    "power_2": (QueueModel.POWER, 2.0),
    "power_3": (QueueModel.POWER, 3.0),
    "log": (QueueModel.LOG, 1.0),
    "power2_2": (QueueModel.POWER2, 2.0),
    "log2": (QueueModel.LOG2, 1.0),
    "power3_3": (QueueModel.POWER3, 3.0),
}


class Order(NamedTuple):
    """A limit order and when it is sent and canceled (local times, ns; canceled 0: never)."""

    sent: int
    side: int
    price_ticks: int
    qty_lots: int
    canceled: int


class Fill(NamedTuple):
    """A fill at the venue's time, and when it was known here."""

    ts_event: int
    price_ticks: int
    qty_lots: int
    ts_known: int


@dataclass
class Done:
    """What became of an order: its fills, and when its acceptance or first fill was known here."""

    fills: list[Fill] = field(default_factory=list)
    ts_known: int = 0

    @property
    def at_venue(self) -> list[tuple[int, int, int]]:
        """Return (time, price, lots) of the fills."""
        return [fill[:3] for fill in self.fills]


@dataclass(frozen=True)
class Market:
    """Events in receive order (EVENT records) and the instrument's steps."""

    events: npt.NDArray[Any]
    tick_size: Decimal
    lot_size: Decimal


@dataclass(frozen=True)
class Rules:
    """How orders travel and queue: constant latencies in ns, or recorded triples of stamps."""

    model: str = "power3_3"
    entry_ns: int = 500 * US
    response_ns: int = 2_500 * US
    triples: Sequence[tuple[int, int, int]] = ()
    partial: bool = False  # hftbacktest's exchange with partial fills


def made_up_market(n: int, feed_ns: int = 2 * MS, seed: int = 3) -> Market:
    """Return `n` trades and depth changes in exchange order, each received `feed_ns` later.

    The touch is thick and seldom moves, so that queues decide; levels grow, and shrink by cancellations in part;
    one trade in 27 is printed beyond the touch. Steps are binary fractions: all arithmetic in them is exact.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    draws = rng.random((n, 4)).tolist()
    rows: list[tuple[int, int, int, int]] = []
    levels: tuple[dict[int, int], dict[int, int]] = ({}, {})  # price -> lots of bids, of asks
    middle = FIRST_MIDDLE
    for index, side in ((0, 1), (1, -1)):
        for away in range(LEVELS):
            levels[index][middle - side * (away + 1)] = 150
            rows.append((DEPTH, side, middle - side * (away + 1), 150))
    while len(rows) < n:
        kind, coin, away, size = draws[len(rows)]
        index = int(coin < 0.5)
        side = 1 - 2 * index
        touch = max(levels[0]) if index == 0 else min(levels[1])
        if kind < 0.08:
            lots = 1 + int(size * size * 30)
            if kind < 0.003:
                rows.append((TRADE, -side, touch - side * (1 + int(away * 3)), lots))
                continue
            rows.append((TRADE, -side, touch, lots))
            price, left = touch, max(levels[index][touch] - lots, 0)
        else:
            middle += (1 if size > 0.5 else -1) if kind > 0.999 else 0
            price = middle - side * (1 + int(LEVELS * away * away))
            had = levels[index].get(price, 0)
            left = had - int(had * size * 0.5) if kind < 0.6 else had + 1 + int(size * 80)
        opposite = min(levels[1]) if index == 0 else max(levels[0])
        if side * price >= side * opposite:
            index, side, price, left = 1 - index, -side, opposite, 0
        levels[index][price] = left
        if left == 0:
            del levels[index][price]
        if len(levels[index]) == 0:
            levels[index][price] = left = 10
        rows.append((DEPTH, side, price, left))
    events = empty_events(n)
    for name, column in zip(("kind", "side", "w0", "w1"), np.array(rows[:n]).T, strict=True):
        events[name] = column
    stamps = START_NS + np.cumsum(rng.integers(0, 200, n)) * US
    events["ts_event"], events["ts_recv"], events["flags"] = stamps, stamps + feed_ns, EventFlag.MESSAGE_END
    return Market(events, Decimal("0.5"), Decimal(1) / 1024)


def _touches(events: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows of trades and their prices: where an order is worth sending."""
    rows = np.flatnonzero(events["kind"] == EventKind.TRADE)
    return rows, events["w0"][rows]


def _order(rng: np.random.Generator, sent: int, side: int, touch: int, life_ns: int, most_lots: int) -> Order:
    """Return an order near a price: most rest at it or behind it, one in twelve goes two ticks beyond and takes."""
    behind = int(rng.choice([-2, 0, 1, 2, 3, 5], p=[0.08, 0.42, 0.2, 0.1, 0.1, 0.1]))
    life = int(rng.integers(life_ns // 4, life_ns)) // US * US
    return Order(sent, side, touch - side * behind, int(rng.integers(1, most_lots + 1)), sent + life)


def _script(market: Market, gap_ns: int, life_ns: int, most_lots: int, seed: int) -> list[Order]:
    """Return orders sent `gap_ns` apart over all of a market, the sides in turn."""
    rng = np.random.Generator(np.random.PCG64(seed))
    events = market.events
    trades = np.flatnonzero(events["kind"] == EventKind.TRADE)
    seen = events["ts_recv"][trades]
    sides = {side: events["w0"][trades][events["side"][trades] == -side] for side in (1, -1)}
    times = {side: seen[events["side"][trades] == -side] for side in (1, -1)}
    made = []
    depth = np.argmax(events["kind"] == EventKind.DEPTH)
    begun = int(events["ts_recv"][depth])  # before it nobody knows a price
    start, end = max(begun, int(seen[0])) + 50 * MS, int(seen[-1]) - life_ns - 50 * MS
    for k, sent in enumerate(range(start // US * US, end, gap_ns)):
        side = 1 - 2 * (k & 1)
        at = int(np.searchsorted(times[side], sent, "right")) - 1
        if at >= 0:
            made.append(_order(rng, sent, side, int(sides[side][at]), life_ns, most_lots))
    return made


def working_one_by_one(market: Market, life_ns: int = 100 * MS, most_lots: int = 1) -> list[Order]:
    """Return orders of which each is sent after the one before it on its side has ended, whatever became of it."""
    return _script(market, life_ns * 6 // 10, life_ns, most_lots, 5)


def overlapping(market: Market, life_ns: int = 100 * MS, most_lots: int = 1) -> list[Order]:
    """Return orders of which many work at once, so that they meet at one price."""
    return _script(market, life_ns // 25, life_ns, most_lots, 9)


def recorded_latencies(market: Market, rising: bool, seed: int = 7) -> list[tuple[int, int, int]]:
    """Return triples of stamps some 17 ms apart (2 to the 24 ns: interpolation is exact in binary fractions).

    `rising`: latencies that only grow, where rounding down and rounding to zero are the same.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    start, end = int(market.events["ts_recv"][0]), int(market.events["ts_recv"][-1])
    at = np.arange(start, end + (1 << 24), 1 << 24)
    entry, response = rng.integers(300 * US, 900 * US, len(at)), rng.integers(2_500 * US, 4_000 * US, len(at))
    if rising:
        entry, response = np.sort(entry), np.sort(response)
    return [(int(t), int(t + e), int(t + e + r)) for t, e, r in zip(at, entry, response, strict=True)]
