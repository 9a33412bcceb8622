"""A synthetic market: orders that come, go and trade around a touch that leans now here, now there.

The lean is a bounded walk. It makes one side's orders larger, tips the coin of the takers and so moves the price:
an imbalance of the book foretells the next move, as on real venues. A seed gives the same changes everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tradectl.core.codes import EventKind
from tradectl.exchanges.sandbox.market import Change, Level, Listing, Side

__all__ = ["MESSAGES_PER_ARRIVAL", "flow"]

MESSAGES_PER_ARRIVAL = 1.2  # trades and changes of the book that one arrival makes, measured
SHARE_TRADE, SHARE_ADD = 0.13, 0.60  # of arrivals; the others cancel
FIRST_LEVELS, LEAST_LEVELS, MOST_LEVELS = 60, 12, 150  # of a side
NEAR, FAR = 2.0, 16.0  # mean distance in ticks from the other side's best of eager and of patient orders
SHARE_EAGER = 0.6
SHARE_GONE = 0.3  # of cancellations: those that take a whole level away
TYPICAL_NOTIONAL = 20_000  # of a level, in the quote currency
DEEPEST = 4  # levels that one taker walks through
PULL = 0.05  # how far from where it began, as a share of it, the price goes before it is drawn back
SECOND_NS = 1_000_000_000


class _Flow:
    """One market's book as it goes."""

    def __init__(self, listing: Listing, rate: float, chance: random.Random) -> None:
        self.chance = chance
        self.start = int(listing.price / listing.tick_size)
        self.unit = max(int(TYPICAL_NOTIONAL / listing.price / listing.lot_size), 4)
        self.gap_ns = MESSAGES_PER_ARRIVAL / rate * SECOND_NS
        self.lean, self.now = 0.0, 0
        self.sides = Side(), Side()

    def size(self, index: int) -> int:
        """Return the lots of an order; the side that the market leans to gets larger ones."""
        lean = self.lean if index == 0 else -self.lean
        return 1 + int(self.unit * self.chance.random() * (1.0 + 0.8 * lean))

    def opening(self) -> Change:
        """Return the first book."""
        for index, sign in ((0, -1), (1, 1)):
            for level in range(FIRST_LEVELS):
                self.sides[index].set(
                    self.start + sign * level + (index == 1), self.size(index) + self.unit // 4
                )
        return Change(
            0, EventKind.DEPTH, [(k, p, n) for k in (0, 1) for p, n in self.sides[k].lots.items()], whole=True
        )

    def arrive(self) -> Iterator[Change]:
        """Let one order come; yields what it changes, if anything."""
        chance = self.chance
        self.now += 1 + int(chance.expovariate(1.0) * self.gap_ns)
        self.lean += (chance.random() - 0.5) * 0.08 - self.lean * 0.004
        self.lean = max(min(self.lean, 1.0), -1.0)
        draw, index = chance.random(), chance.getrandbits(1)
        if draw < SHARE_TRADE:
            yield from self._trade()
        elif draw < SHARE_ADD:
            yield self._change(self._add(index))
        elif (rows := self._cancel(index)) is not None:
            yield self._change(rows)

    def _change(self, rows: list[Level]) -> Change:
        for index, price, lots in rows:
            self.sides[index].set(price, lots)
        return Change(self.now, EventKind.DEPTH, rows)

    def _best(self, index: int) -> int:
        prices = self.sides[index].prices
        return prices[-1] if index == 0 else prices[0]

    def _trade(self) -> Iterator[Change]:
        """Let a taker eat into a side, through DEEPEST levels at most."""
        away = (self._best(0) - self.start) / (PULL * self.start)
        bought = self.chance.random() < 0.5 + 0.3 * self.lean - 0.2 * max(min(away, 1.0), -1.0)
        index, taker = (1, 1) if bought else (0, -1)
        left = 1 + int(self.unit * 1.2 * self.chance.random() ** 2)
        trades: list[tuple[int, int, int]] = []
        levels: list[Level] = []
        side = self.sides[index]
        room = len(side.prices) - LEAST_LEVELS
        for step in range(min(DEEPEST, room)):
            price = side.prices[step] if index else side.prices[-1 - step]
            part = min(left, side.lots[price])
            trades.append((taker, price, part))
            levels.append((index, price, side.lots[price] - part))
            left -= part
            if left == 0:
                break
        if trades:
            yield Change(self.now, EventKind.TRADE, trades)
            yield self._change(levels)

    def _distance(self) -> int:
        """Return how far away an order is, in ticks or levels."""
        return int(self.chance.expovariate(1.0 / (NEAR if self.chance.random() < SHARE_EAGER else FAR)))

    def _add(self, index: int) -> list[Level]:
        """Place an order behind the other side's best; a book that has grown too deep loses its farthest level."""
        sign, side = (1, self.sides[0]) if index == 0 else (-1, self.sides[1])
        price = self._best(1 - index) - sign * (1 + self._distance())
        rows = [(index, price, min(side.lots.get(price, 0) + self.size(index), 40 * self.unit))]
        if len(side.prices) > MOST_LEVELS:
            far = side.prices[0] if index == 0 else side.prices[-1]
            rows += [(index, far, 0)] if far != price else []
        return rows

    def _cancel(self, index: int) -> list[Level] | None:
        """Take a part of a level away, or all of it; None where nothing stands."""
        side = self.sides[index]
        place = self._distance()
        if place >= len(side.prices):
            return None
        price = side.prices[place] if index else side.prices[-1 - place]
        left = 0 if self.chance.random() < SHARE_GONE else int(side.lots[price] * self.chance.random())
        return None if left == 0 and len(side.prices) <= LEAST_LEVELS else [(index, price, left)]


def flow(listing: Listing, rate: float, seed: str) -> Iterator[Change]:
    """Yield the changes of one market, `rate` messages a second, without end; `at` counts from 0."""
    made = _Flow(listing, rate, random.Random(seed))
    yield made.opening()
    while True:
        yield from made.arrive()
