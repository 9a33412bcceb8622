"""One market as its venue knows it: book, trades, candles, funding; what the sandbox tells is derived from it.

Prices are ticks, quantities lots, times ns UTC. Nothing here knows a venue's protocol.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tradectl.core.codes import EventKind
from tradectl.exchanges.sandbox.candles import Candles

__all__ = ["ASKS", "BIDS", "Change", "Level", "Listing", "Market", "Side", "Trade", "TradeLog", "number_text"]

BIDS, ASKS = 0, 1
KEPT_TRADES = 1_000_000
FIRST_TRADE_ID = 1_000_001
FIRST_UPDATE_ID = 5_000_000
CACHED_TEXTS = 8_192
DEPTH, TRADE = EventKind.DEPTH, EventKind.TRADE

Level = tuple[int, int, int]  # side (0 bids, 1 asks), price in ticks, lots there are now (0: none)
Book = tuple[list[dict[int, int]], int, int]  # lots by price of both sides, update id, stamp


class Change(NamedTuple):
    """What a source lets happen at one moment of its own time.

    `kind` DEPTH: rows are levels, `whole` if they are the entire book. TRADE: rows are (taker's side, price, lots).
    MARK and FUNDING: one row (0, value, 0), a price in ticks or a rate in 1e-12.
    """

    at: int  # ns of the source's clock
    kind: EventKind
    rows: Sequence[tuple[int, int, int]]
    whole: bool = False


class Trade(NamedTuple):
    """One trade; `side` is the taker's (+1 buy, -1 sell)."""

    id: int
    ts: int
    side: int
    price: int
    lots: int


@dataclass(frozen=True)
class Listing:
    """What a venue says of an instrument; with `settle` it is a linear perpetual of contracts of one base unit."""

    base: str
    quote: str
    settle: str = ""
    price: Decimal = Decimal(100)  # where a synthetic market begins
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal("0.001")
    min_notional: Decimal = Decimal(5)
    venue: str = ""  # where it was recorded

    @property
    def symbol(self) -> str:
        """Return ccxt's unified symbol."""
        return f"{self.base}/{self.quote}" + (f":{self.settle}" if self.settle else "")


def number_text(step: Decimal, places: int = 0) -> Callable[[int], str]:
    """Return the function that writes a number of steps in decimals, as many as the step has, at least `places`."""
    own = max(-int(step.normalize().as_tuple().exponent), 0)
    width = max(own, places)
    factor, scale = int(step * 10**width), 10**width

    def text(steps: int) -> str:
        value = steps * factor
        return f"{value // scale}.{value % scale:0{width}d}" if width else str(value)

    return lru_cache(CACHED_TEXTS)(text)


class Side:
    """One side of a book: lots by price, and its prices in ascending order."""

    __slots__ = ("lots", "prices")

    def __init__(self) -> None:
        self.lots: dict[int, int] = {}
        self.prices: list[int] = []

    def set(self, price: int, lots: int) -> None:
        """Set a level; 0 lots remove it."""
        if lots > 0:
            if price not in self.lots:
                insort(self.prices, price)
            self.lots[price] = lots
        elif self.lots.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]


class TradeLog:
    """The latest trades, their ids without gaps; as many as `keep`, in 24 bytes each."""

    def __init__(self, first_id: int = FIRST_TRADE_ID, keep: int = KEPT_TRADES) -> None:
        self.first_id = self.next_id = first_id  # of the first trade that is kept; of the next one
        self._origin, self._keep = first_id, keep
        self._columns = array("q"), array("q"), array("q")  # ts, price, lots × taker's side

    def add(self, ts: int, side: int, price: int, lots: int) -> Trade:
        """Note a trade and return it."""
        stamps, prices, signed = self._columns
        if len(stamps) < self._keep:
            stamps.append(ts)
            prices.append(price)
            signed.append(lots * side)
        else:
            place = (self.next_id - self._origin) % self._keep
            stamps[place], prices[place], signed[place] = ts, price, lots * side
            self.first_id += 1
        self.next_id += 1
        return Trade(self.next_id - 1, ts, side, price, lots)

    def get(self, trade_id: int) -> Trade:
        """Return a trade that is kept."""
        place = (trade_id - self._origin) % self._keep
        stamps, prices, signed = self._columns
        lots = signed[place]
        return Trade(trade_id, stamps[place], 1 if lots > 0 else -1, prices[place], abs(lots))

    def between(self, first: int, last: int) -> Iterator[Trade]:
        """Yield the kept trades with ids from `first` to `last`."""
        for trade_id in range(max(first, self.first_id), min(last, self.next_id - 1) + 1):
            yield self.get(trade_id)

    def latest(self, count: int) -> list[Trade]:
        """Return the last trades, oldest first."""
        return list(self.between(self.next_id - count, self.next_id - 1))

    def since(self, ts: int) -> int:
        """Return the id of the first kept trade at or after `ts`."""
        low, high = self.first_id, self.next_id
        while low < high:
            middle = (low + high) // 2
            if self.get(middle).ts < ts:
                low = middle + 1
            else:
                high = middle
        return low


class Market:
    """The truth of one market, changed by `depth` and `trade` only."""

    def __init__(self, listing: Listing, index: int, start_ns: int, keep: int = KEPT_TRADES) -> None:
        self.listing, self.index = listing, index
        self.sides = Side(), Side()
        self.update_id = self.first_of_last = self.before_last = FIRST_UPDATE_ID
        self.trades = TradeLog(keep=keep)
        self.stamp = start_ns  # of the last change
        self.depth_stamp = self.trade_stamp = start_ns
        self.mark_price = self.rate = 0  # ticks (0: the mid), 1e-12
        first = int(listing.price / listing.tick_size)
        self.candles = Candles(first, start_ns, f"{listing.symbol}", int(1 / listing.lot_size) or 1)

    @property
    def last_price(self) -> int:
        """Return the price of the last trade, before the first one that of the last candle."""
        return self.candles.last_price

    @property
    def mid(self) -> int:
        """Return the middle of the touch, rounded down, or the last price where a side is empty."""
        bids, asks = self.sides[BIDS].prices, self.sides[ASKS].prices
        return (bids[-1] + asks[0]) // 2 if bids and asks else self.last_price

    @property
    def mark(self) -> int:
        """Return the mark price."""
        return self.mark_price or self.mid

    def best(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return the best (price, lots) of a side, best first; count 0: all."""
        lots, prices = self.sides[side].lots, self.sides[side].prices
        chosen = (
            prices[: -count - 1 : -1] if side == BIDS and count else prices[::-1] if side == BIDS else prices
        )
        return [(price, lots[price]) for price in (chosen[:count] if count else chosen)]

    def depth(self, change: Change, stamp: int) -> list[Level]:
        """Take a change of the book and return its levels; each counts one update id."""
        rows = self._difference(change.rows) if change.whole else list(change.rows)
        for side, price, lots in rows:
            self.sides[side].set(price, lots)
        if rows:
            self.before_last, self.first_of_last = self.update_id, self.update_id + 1
            self.update_id += len(rows)
            self.stamp = self.depth_stamp = stamp
        return rows

    def copy_of_book(self) -> Book:
        """Return the book and its ids as they are now."""
        return ([dict(side.lots) for side in self.sides], self.update_id, self.depth_stamp)

    def take_book(self, book: Book) -> None:
        """Make the book what it was when it was copied."""
        lots, self.update_id, self.depth_stamp = book
        for side, levels in zip(self.sides, lots, strict=True):
            side.lots, side.prices = dict(levels), sorted(levels)

    def _difference(self, rows: Sequence[Level]) -> list[Level]:
        """Return what turns the book into `rows`."""
        wanted = {(side, price): lots for side, price, lots in rows if lots > 0}
        gone = [(k, p, 0) for k in (BIDS, ASKS) for p in self.sides[k].prices if (k, p) not in wanted]
        return gone + [(k, p, n) for (k, p), n in wanted.items() if self.sides[k].lots.get(p) != n]

    def trade(self, row: tuple[int, int, int], stamp: int) -> Trade:
        """Note a trade (taker's side, price, lots)."""
        side, price, lots = row
        stamp = max(
            stamp, self.trade_stamp + 1
        )  # no two trades share a stamp: venues that page by time lose none
        self.stamp = self.trade_stamp = stamp
        self.candles.trade(stamp, price, lots, side)
        return self.trades.add(stamp, side, price, lots)
