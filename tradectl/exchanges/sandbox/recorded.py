"""Recorded events as a sandbox's source: a session's journal, or any book data that can be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.instrument import Instrument
from tradectl.engine.journal import META, Journal
from tradectl.engine.ports import Events
from tradectl.errors import DataError
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Change, Listing
from tradectl.exchanges.sandbox.sources import Source, Stream, chosen
from tradectl.exchanges.sandbox.traffic import read_traffic
from tradectl.history.model import DataBlock
from tradectl.history.open import open_history

__all__ = ["changes_of", "recorded"]

PIECE = 4_096  # events turned into changes at a time
LOOKED_THROUGH = 200_000  # events in which the first prices are sought
SAME = {"XBT": "BTC", "XDG": "DOGE"}  # Kraken's names of what others call differently
FIELDS = ("ts_recv", "kind", "side", "flags", "instrument", "w0", "w1", "w2", "w3", "w4")
TRADE, DEPTH, QUOTE, BAR = EventKind.TRADE, EventKind.DEPTH, EventKind.QUOTE, EventKind.BAR
MESSAGE_END, LEFT_OUT = int(EventFlag.MESSAGE_END), int(EventFlag.WARMUP | EventFlag.SYNTHETIC)
BEGIN, END = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
PRICED = (int(TRADE), int(DEPTH), int(QUOTE), int(BAR))
Row = tuple[int, ...]


class _Reader:
    """Turns the events of one instrument into changes.

    A change of the book is a message; a snapshot, of however many, is one change. Of instruments without depth the
    touch is the book; of those without trades a bar is four of them, at its open, extremes and close.
    """

    def __init__(self, kinds: frozenset[int]) -> None:
        self.has_depth, self.has_trades = int(DEPTH) in kinds, int(TRADE) in kinds
        self.levels: list[tuple[int, int, int]] = []
        self.is_whole = False

    def feed(self, row: Row) -> Iterator[Change]:
        """Yield what an event changes: FIELDS but `instrument`."""
        at, kind, side, flags, w0, w1, w2, w3, w4 = row
        if kind == DEPTH:
            yield from self._depth(at, side, flags, w0, w1)
        elif kind == TRADE and w0 > 0 and w1 > 0:
            yield Change(at, TRADE, [(side or 1, w0, w1)])
        elif kind == QUOTE and not self.has_depth:
            touch = [
                (index, price, lots) for index, price, lots in ((BIDS, w0, w1), (ASKS, w2, w3)) if lots > 0
            ]
            yield Change(at, DEPTH, touch, whole=True)
        elif kind == BAR and not self.has_trades and not flags & LEFT_OUT:
            part = max(w4 // 4, 1)
            inner = (w2, w1) if w3 >= w0 else (w1, w2)
            yield Change(at - 1, TRADE, [(1 if w3 >= w0 else -1, price, part) for price in (w0, *inner, w3)])
        elif kind == EventKind.MARK or kind == EventKind.FUNDING:
            yield Change(at, EventKind(kind), [(0, w0, 0)])

    def _depth(self, at: int, side: int, flags: int, price: int, lots: int) -> Iterator[Change]:
        if flags & BEGIN:
            self.levels, self.is_whole = [], True
        if price > 0:
            self.levels.append((BIDS if side > 0 else ASKS, price, lots))
        if flags & END if self.is_whole else flags & MESSAGE_END:
            yield Change(at, DEPTH, self.levels, whole=self.is_whole)
            self.levels, self.is_whole = [], False


def changes_of(chunks: Iterable[Events], places: dict[int, int], kinds: Sequence[frozenset[int]]) -> Stream:
    """Yield what happens in the instruments of `places` (index of the instrument -> index of the listing)."""
    readers = {instrument: _Reader(kinds[instrument]) for instrument in places}
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            piece = chunk[start : start + PIECE]
            columns = [piece[name].tolist() for name in FIELDS]
            for at, kind, side, flags, instrument, *words in zip(*columns, strict=True):
                if instrument in readers:
                    for change in readers[instrument].feed((at, kind, side, flags, *words)):
                        yield places[instrument], change


def recorded(path: Path, symbols: Sequence[str] = ()) -> Source:
    """Return a run's journal, or whatever book data stands at a path, as a source.

    `symbols` chooses some, as `chosen` says.
    """
    folder = path / "journal" if (path / "journal" / META).is_file() else path
    if (folder / META).is_file():
        journal = Journal(folder, recover=True)
        return _source(str(path), journal.instruments, journal.chunks, symbols)
    if not path.exists():
        raise DataError(f"{path}: there is no such run, file or folder")
    if (traffic := read_traffic(path)) is not None:
        return chosen(traffic, symbols)
    history = open_history([DataBlock(str(path), kind="book")], {})
    return _source(str(path), history.instruments, history.chunks, symbols)


def _source(
    name: str,
    instruments: Sequence[Instrument],
    chunks: Callable[[], Iterable[Events]],
    symbols: Sequence[str],
) -> Source:
    first_prices, kinds = _look(chunks(), len(instruments))
    named = {k: _pair(one) for k, one in enumerate(instruments) if _pair(one) and k in first_prices}
    places = {index: place for place, index in enumerate(named)}
    listings = tuple(_listing(instruments[index], pair, first_prices[index]) for index, pair in named.items())
    if not listings:
        raise DataError(f"{name} holds no trades, depth or quotes of a pair")
    return chosen(Source(name, listings, lambda: [changes_of(chunks(), places, kinds)]), symbols)


def _pair(instrument: Instrument) -> str:
    """Return BASE/QUOTE as ccxt says it, or nothing for what is no pair."""
    base, _, quote = instrument.symbol.partition(":")[0].partition("/")
    return f"{SAME.get(base, base)}/{SAME.get(quote, quote)}" if quote else ""


def _listing(instrument: Instrument, pair: str, price_ticks: int) -> Listing:
    base, _, quote = pair.partition("/")
    settle = instrument.symbol.partition(":")[2]
    return Listing(
        base, quote, settle, price_ticks * instrument.tick_size, instrument.tick_size, instrument.lot_size,
        instrument.min_notional, instrument.venue.lower(),
    )  # fmt: skip


def _look(chunks: Iterable[Events], count: int) -> tuple[dict[int, int], list[frozenset[int]]]:
    """Return the first price of each instrument, in ticks, and the kinds of events each has, as far as one looks."""
    prices: dict[int, int] = {}
    kinds: list[set[int]] = [set() for _ in range(count)]
    seen = 0
    for chunk in chunks:
        seen += len(chunk)
        for index in range(count):
            mine: Any = chunk[chunk["instrument"] == index]
            kinds[index] |= set(mine["kind"].tolist())
            priced = (
                price
                for kind, price in zip(mine["kind"], mine["w0"], strict=True)
                if kind in PRICED and price > 0
            )
            for price in islice(priced, 0 if index in prices else 1):
                prices[index] = int(price)
        if seen >= LOOKED_THROUGH:
            break
    return prices, [frozenset(found) for found in kinds]
