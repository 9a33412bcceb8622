"""A decoder with its events read back: what a consumer of the feed would know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.instrument import Instrument
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders import decoder_of
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Need

ALL = frozenset(Channel)
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
SETTINGS = FeedSettings()
TRADE, DEPTH, GAP = int(EventKind.TRADE), int(EventKind.DEPTH), int(EventKind.GAP)
BEGIN, END = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
ENDS = int(EventFlag.MESSAGE_END | EventFlag.LAST)


def market(
    exchange: str, raw_id: str, symbol: str = "BTC/USDT", index: int = 0,
    channels: Iterable[Channel] = ALL, tick: str = "0.1", step: str = "0.001", raw: Mapping[str, Any] | None = None,
) -> FeedMarket:  # fmt: skip
    base, _, quote = symbol.partition("/")
    instrument = Instrument(exchange.upper(), symbol, base, quote, Decimal(tick), Decimal(step))
    return FeedMarket(
        index, exchange, symbol, raw_id, instrument, frozenset(channels), Decimal(step), MINUTE, raw or {}
    )


def compact(message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))


class Heard:
    """Events as they are taken: books of (side, ticks) -> lots, trades, gaps, and that every event keeps the rules."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.books: dict[int, dict[tuple[int, int], int]] = {}
        self.broken: set[int] = set()
        self.trades: list[tuple[int, int, int, int]] = []  # id, side, ticks, lots
        self.gaps: list[tuple[int, GapReason]] = []  # aux, reason
        self._inside: set[int] = set()  # instruments whose snapshot has begun
        self._last_recv = 0

    def take(self, events: Any) -> Any:
        if len(events):
            self.read(events.tolist())
            self.events += list(events)
        return events

    def read(self, rows: list[Any]) -> None:
        """Follow events, each a tuple of its fields."""
        for row in rows:
            self._one(*row)
        assert rows[-1][4] & ENDS, "the last event ends its message"

    def _one(
        self, ts_event: int, ts_recv: int, kind: int, side: int, flags: int, index: int, aux: int, *words: int
    ) -> None:
        assert ts_recv >= self._last_recv
        assert ts_event > 0
        self._last_recv = ts_recv
        if kind == TRADE:
            self.trades.append((words[2], side, words[0], words[1]))
        elif kind == GAP:
            assert words[0] <= words[1]
            self.gaps.append((aux, GapReason(words[2])))
            if aux == 0:
                assert index not in self.broken, "a book breaks once"
                self.broken.add(index)
        elif kind == DEPTH:
            if flags & BEGIN:
                self.books[index] = {}
                self._inside.add(index)
            assert index in self._inside or index not in self.broken, "nothing of a broken book is told"
            book, key = self.books[index], (side, words[0])
            if words[1]:
                book[key] = words[1]
            else:
                book.pop(key, None)
            if flags & END:
                self._inside.discard(index)
                self.broken.discard(index)

    def ids(self) -> list[int]:
        return [trade[0] for trade in self.trades]

    def of(self, kind: EventKind) -> list[Any]:
        return [event for event in self.events if event["kind"] == kind]

    def book(self, index: int = 0) -> dict[str, dict[int, int]]:
        """Return {bids: {ticks: lots}, asks: {…}}."""
        sides: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        for (side, ticks), lots in self.books.get(index, {}).items():
            sides["bids" if side > 0 else "asks"][ticks] = lots
        return sides


class Driver(Heard):
    """One decoder at work; `now` goes on by a millisecond with each message."""

    def __init__(self, *markets: FeedMarket, settings: FeedSettings = SETTINGS) -> None:
        super().__init__()
        decoder = decoder_of(markets[0].exchange, markets, settings)
        assert decoder is not None
        self.decoder, self.markets = decoder, markets
        self.out = EventBuffer()
        self.write: Callable[[Any], str] = compact
        self.now = 1_700_000_000 * SECOND

    @property
    def needs(self) -> list[Need]:
        """Return what was asked for since the last look."""
        asked, self.decoder.needs[:] = list(self.decoder.needs), []
        return asked

    def say(self, message: Any, channel: Channel | None = None) -> Any:
        """Let a message (text, or what becomes JSON) come; `channel`: what it has to be taken for."""
        text = message if isinstance(message, str) else self.write(message)
        found = self.decoder.classify(text)
        assert found is not None, text
        assert channel in (None, found)
        self.now += 1_000_000
        try:
            self.decoder.decode(text, self.now, self.out)
        finally:
            taken = self.take(self.out.take())
        return list(taken)

    def connect(self) -> None:
        for one in self.markets:
            for channel in sorted(one.channels):
                self.decoder.connected(one, channel)

    def lose(self) -> None:
        for one in self.markets:
            for channel in sorted(one.channels):
                self.breaks(channel, GapReason.CONNECTION, one)

    def breaks(self, channel: Channel, reason: GapReason, of: FeedMarket | None = None) -> None:
        self.decoder.broken(of or self.markets[0], channel, reason, self.now, self.out)
        self.take(self.out.take())

    def snapshot(self, payload: Any, of: FeedMarket | None = None) -> None:
        try:
            self.decoder.snapshot(of or self.markets[0], payload, self.now, self.out)
        finally:
            self.take(self.out.take())

    def answer(self, need: Need, rows: Sequence[Mapping[str, Any]] | None) -> None:
        self.decoder.trades(need, rows, self.now, self.out)
        self.take(self.out.take())

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick a second."""
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.now = min(self.now + SECOND, end)
            self.decoder.tick(self.now, self.out)
            self.take(self.out.take())


def unified(trade_id: Any, price: str = "100.0", side: str = "buy") -> dict[str, Any]:
    """One of ccxt's unified trades."""
    return {"id": str(trade_id), "timestamp": 1_700_000_000_000, "price": price, "amount": "1", "side": side}
