"""Synthetic book data: a seeded flow of limit orders, cancellations and trades on a price ladder.

Orders arrive as a Poisson process whose rate and share of trades swing with a bounded walk, so volatility comes in
clusters. Limit orders are placed relative to the other side's best price, more often near it than far, so
a spread that trades have opened closes again (the zero-intelligence flow of E. Smith, J. D. Farmer,
L. Gillemot and S. Krishnamurthy, Statistical theory of the continuous double auction, 2003). All in integers:
a seed gives the same rows everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.functions import log
from tradectl.errors import ConfigError
from tradectl.history import profiles
from tradectl.history.book_events import Ticks
from tradectl.history.book_source import BookPart, BookSource
from tradectl.history.book_writer import add_book
from tradectl.history.model import DataBlock
from tradectl.history.writer import Writer

__all__ = ["SAMPLE", "BookWalk", "book_walk", "generate_book"]

BLOCK = 1 << 16  # order arrivals drawn at a time
DRAWS = 6  # random integers of each arrival
LOG2 = 16  # fixed-point bits of waiting times and of the heat
HEAT = 1 << LOG2  # of the bounded walk: activity is 1/4 .. 7/4 of its mean
BIAS = 100  # the share of buyers wanders this far from one half, of 1024
LEVELS = 40  # of the first snapshot, on each side
REACH = 60  # ticks from the other side's best within which orders are placed
LEAST = 5  # levels that a side keeps
TRADES, ADDS = 100, 540  # of 1024 arrivals: trades, limit orders; the others are cancellations
DEPTH, TRADE = int(EventKind.DEPTH), int(EventKind.TRADE)
END = int(EventFlag.MESSAGE_END)
BEGIN_ALL, END_ALL = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
SEC_NS = 1_000_000_000


@dataclass(frozen=True)
class BookWalk:
    """What is generated: symbol k starts at `price` / 10**k, seeded by (seed, k); `rate` arrivals a second."""

    symbols: tuple[str, ...]
    duration_ns: int
    rate: int = 25
    start_ns: int = 1_704_067_200_000_000_000  # 2024-01-01
    seed: int = 1
    price: Decimal = Decimal(100)
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal("0.01")


SAMPLE = BookWalk(  # what `data/sample/book` holds: an hour and a half around a midnight
    ("ALTSYN/USD",), 5_400 * SEC_NS, start_ns=1_704_152_700_000_000_000, seed=7, lot_size=Decimal("0.1")
)


def _waiting_times() -> list[int]:
    """Return 4096 equally likely waiting times of a Poisson process with mean 1, in 1/65536."""
    return [int(-log((k + 0.5) / 4096) * HEAT + 0.5) for k in range(4096)]


def _distances() -> list[int]:
    """Return 4096 equally likely distances in ticks, 1 .. REACH, whose frequency falls as 1 / (d (d + 3))."""
    weights = [1_000_000 // (d * (d + 3)) for d in range(1, REACH + 1)]
    total, above = sum(weights), 0
    made: list[int] = []
    for distance, weight in enumerate(weights, 1):
        above += weight
        made += [distance] * (4096 * above // total - len(made))
    return made


class _Market:
    """One symbol's book as it goes: lots by price of each side, best prices, and the rows of its messages."""

    def __init__(self, spec: BookWalk, index: int) -> None:
        self.middle = int(spec.price / 10**index / spec.tick_size)
        if self.middle < 1_000 or spec.rate < 1 or spec.duration_ns < SEC_NS:
            raise ConfigError("generate: each price must be at least 1000 ticks, duration and rate at least 1 s and 1")
        self.now, self.gap = spec.start_ns, SEC_NS // spec.rate
        self.heat = self.bias = self.last_id = 0
        self.waits, self.distances = _waiting_times(), _distances()
        self.best = [self.middle, self.middle + 1]  # bid, ask
        self.sides: list[dict[int, int]] = [{}, {}]
        self.rows: list[tuple[int, int, int, int, int, int, int]] = []

    def snapshot(self, generator: np.random.Generator) -> None:
        """Write the first book as one message."""
        sizes = generator.integers(50, 400, (2, LEVELS)).tolist()
        for index in (0, 1):
            for level in range(LEVELS):
                price, lots = self.best[index] - _sign(index) * level, sizes[index][level]
                self.sides[index][price] = lots
                first, last = index == level == 0, index == 1 and level == LEVELS - 1
                flags = (BEGIN_ALL if first else 0) | (END_ALL | END if last else 0)
                self._row(DEPTH, _sign(index), flags, price, lots)

    def arrive(self, draw: list[int]) -> None:
        """Let one order arrive: `draw` has DRAWS integers in [0, 2**24)."""
        kind, coin, away, size, wait, drift = draw
        self.heat = _folded(self.heat + (drift & 1023) - 511, HEAT)
        self.bias = _folded(self.bias + (drift >> 10 & 15) - 7, BIAS)
        hot = HEAT + self.heat * 3 // 4
        self.now += 1 + (self.waits[wait & 4095] * self.gap * 100 // (hot * 100 >> LOG2)) // HEAT
        index = coin & 1
        if (kind & 1023) < TRADES * hot >> LOG2:
            self._trade(coin, size)
        elif (kind & 1023) < ADDS:
            price = self.best[1 - index] - _sign(index) * self.distances[away & 4095]
            self._set(index, price, self.sides[index].get(price, 0) + 1 + (size & 255) * (size >> 8 & 255) // 160)
            self.best[index] = max(self.best[0], price) if index == 0 else min(self.best[1], price)
        else:
            self._cancel(index, self.best[index] - _sign(index) * (self.distances[away & 4095] - 1), size)

    def _trade(self, coin: int, size: int) -> None:
        """Let an order take from the best level of a side; a big one walks on to the next two."""
        bought = 512 + self.bias + self._pull() > (coin >> 1 & 1023)
        index = 1 if bought else 0
        lots = 1 + (size & 255) * (size >> 8 & 255) // 800
        lots *= 8 if size >> 16 & 31 == 0 else 1
        taken: list[tuple[int, int]] = []
        while lots > 0 and len(self.sides[index]) > LEAST and len(taken) < 3:
            price = self.best[index]
            part = min(lots, self.sides[index][price])
            lots -= part
            self.last_id += 1
            self._row(TRADE, _sign(1 - index), END, price, part)
            taken.append((price, self.sides[index][price] - part))
            self._keep(index, *taken[-1])
        for k, (price, left) in enumerate(taken):
            self._row(DEPTH, _sign(index), END if k == len(taken) - 1 else 0, price, left)

    def _cancel(self, index: int, price: int, size: int) -> None:
        """Take away part of a level, one time in four all of it."""
        lots = self.sides[index].get(price, 0)
        left = lots * (size & 7) // 8 if size >> 3 & 3 else 0
        if lots > 0 and (left > 0 or len(self.sides[index]) > LEAST):
            self._set(index, price, left)

    def _set(self, index: int, price: int, lots: int) -> None:
        self._keep(index, price, lots)
        self._row(DEPTH, _sign(index), END, price, lots)

    def _keep(self, index: int, price: int, lots: int) -> None:
        side = self.sides[index]
        if lots > 0:
            side[price] = lots
            return
        side.pop(price)
        if price == self.best[index]:
            self.best[index] = max(side) if index == 0 else min(side)

    def _pull(self) -> int:
        """Return what draws the price back once it is far from where it began, in 1/1024 of the trades."""
        away = self.best[0] - self.middle
        return -away * 128 // self.middle if abs(away) * 8 > self.middle else 0

    def _row(self, kind: int, side: int, flags: int, price: int, lots: int) -> None:
        self.rows.append((self.now, kind, side, flags, price, lots, self.last_id if kind == TRADE else 0))

    def take(self) -> Ticks:
        """Return the rows since the last call."""
        at, kind, side, flags, price, lots, ids = np.array(self.rows, np.int64).reshape(-1, 7).T.copy()
        self.rows = []
        small = kind.astype(np.uint8), side.astype(np.int8), flags.astype(np.uint16)
        return Ticks(at, at, small[0], small[1], small[2], price, lots, 0, 0, ids)


def _sign(index: int) -> int:
    """Return the side of bids (0) and asks (1)."""
    return 1 - 2 * index


def _folded(value: int, bound: int) -> int:
    """Reflect a walk that has left [-bound, bound] by less than 2 * bound."""
    if value > bound:
        return 2 * bound - value
    return -2 * bound - value if value < -bound else value


def book_walk(spec: BookWalk, index: int) -> Iterator[Ticks]:
    """Yield the rows of one symbol, some 65,536 arrivals at a time; no stamp is in two pieces."""
    generator = np.random.Generator(np.random.PCG64([spec.seed, index]))
    market = _Market(spec, index)
    market.snapshot(generator)
    end = spec.start_ns + spec.duration_ns
    while market.now < end:
        for draw in generator.integers(0, 1 << 24, (BLOCK, DRAWS)).tolist():
            market.arrive(draw)
            if market.now >= end:
                break
        rows = market.take()
        yield rows[: int(np.searchsorted(rows.ts_recv, end))]


def generate_book(spec: BookWalk, out: Path, progress: Callable[[int], None] | None = None) -> int:
    """Add the rows to the catalogue in the folder `out`; return their number."""
    if out.suffix in (".csv", ".gz", ".parquet"):
        raise ConfigError("generate: book data goes to a catalogue; name a folder", hint=str(out).split(".")[0])
    writer = Writer(out, progress)
    with writer.transaction():
        for index, name in enumerate(spec.symbols):
            symbol, base, quote = profiles.split_pair(name, None)
            names = {"venue": "SYNTHETIC", "symbol": symbol, "base": base, "quote": quote}
            for rows in book_walk(spec, index):
                add_book(writer, names, _source(rows, names, str(out)), (spec.tick_size, spec.lot_size))
    return writer.summary.rows


def _source(rows: Ticks, names: dict[str, str], place: str) -> BookSource:
    """Return rows in memory as a source, which the writer reads once."""
    counts = np.bincount(rows.full("kind"), minlength=256).astype(np.int64)
    first, last = int(rows.ts_recv[0]), int(rows.ts_recv[-1])

    def read(_tick: Decimal, _lot: Decimal, _streams: int, _start: int, _end: int) -> Iterator[Ticks]:
        yield rows

    part = BookPart(read, first, last, len(rows), int(rows.full("kind").min()))
    block = DataBlock(place, kind="book")
    identity = (names["venue"], names["symbol"], names["base"], names["quote"])
    return BookSource(block, *identity, parts=[part], counts=counts)
