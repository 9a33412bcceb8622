"""One market's trades in their order, each once: what is missing is asked for while later ones wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from tradectl.core.codes import EventKind
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.event_rows import END, TRADES_ALONE, put_gap
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Need, NeedKind, Position

__all__ = ["CountedTrades", "RecentTrades", "Trade", "TradeLine"]

TRADE = int(EventKind.TRADE)
QUIET_NS = 2_000_000_000  # a new connection without a trade for so long asks for what came before it
RENUMBERED_NS = 60_000_000_000  # a lower id on a trade that is so much newer: the venue counts anew
RECENT = 8_192  # ids remembered where they do not count
Trade = tuple[
    int, int, int, int, int
]  # id, exchange time (ns), aggressor's side, price (ticks), quantity (lots)


class TradeLine(ABC):
    """What both kinds of lines share: appending, giving up, waiting.

    A trade of 0 lots is no trade of the book: its id counts, but it is not told. Every method that takes trades
    returns what it needs from the venue, or None.
    """

    def __init__(self, market: FeedMarket, settings: FeedSettings) -> None:
        self.market, self.settings = market, settings
        self.last_id = self.last_ns = self.last_recv = 0  # of the newest trade told; 0: none yet
        self.hole_ns = 0  # when the first trade that waits for missing ones was received; 0: none does
        self.quiet_ns = (
            -1
        )  # since when a new connection is without trades: 0: from the next tick on; -1: it is not

    @abstractmethod
    def take(self, trades: Sequence[Trade], recv_ns: int, out: EventBuffer) -> Need | None:
        """Append one message's trades, or hold them."""

    @abstractmethod
    def fill(self, rows: Sequence[Trade] | None, recv_ns: int, out: EventBuffer) -> Need | None:
        """Append what the venue answered (None: it cannot tell), then what was held."""

    @abstractmethod
    def release(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give the missing trades up: a GAP, then what was held."""

    def connected(self) -> None:
        """Hear of a new connection: what happened before it may be missing."""
        if self.last_ns:
            self.quiet_ns = 0

    def resume(self, position: Position) -> None:
        """Begin after the last trade of an earlier session."""
        self.last_id, self.last_ns, self.last_recv = position.trade_id, position.trade_ns, position.trade_ns
        self.connected()

    def tick(self, now_ns: int, out: EventBuffer) -> Need | None:
        """Give up what was waited for too long; ask for what a quiet new connection may have missed."""
        if self.hole_ns and now_ns - self.hole_ns >= self.settings.backfill_ns:
            self.release(GapReason.SEQUENCE, now_ns, out)
        if self.quiet_ns == 0:
            self.quiet_ns = now_ns
        elif 0 < self.quiet_ns <= now_ns - QUIET_NS:
            return self.look_back(now_ns)
        return None

    def look_back(self, now_ns: int) -> Need:
        """Return the question for all trades after the last one told."""
        self.quiet_ns = -1
        return self.need()

    def need(self, before: int = 0) -> Need:
        """Return the question for the trades after the last one told and before the one of id `before`."""
        return Need(NeedKind.TRADES, self.market, Channel.TRADES, self.last_id, before, self.last_ns)

    def gap(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Append a GAP of trades alone after the last one told."""
        put_gap(out, self.market.index, (self.last_ns, recv_ns), TRADES_ALONE, self.last_recv, reason)

    def tell(self, trades: Iterable[Trade], recv_ns: int, out: EventBuffer) -> None:
        """Append trades as one message."""
        told = [trade for trade in trades if trade[4]]
        if not told:
            return
        index, final = self.market.index, len(told) - 1
        for k, (trade_id, ts_event, side, ticks, lots) in enumerate(told):
            flags = END if k == final else 0
            out.add(ts_event, recv_ns, TRADE, side, flags, index, 0, ticks, lots, trade_id)
        self.last_ns, self.last_recv = max(self.last_ns, ts_event), recv_ns


class CountedTrades(TradeLine):
    """Trades whose ids count on by one: a hole is seen, and nothing after it is told before it is filled.

    Where the venue `skips` ids, those are no trades that its answer, from before a hole to behind it, does not have.
    """

    def __init__(self, market: FeedMarket, settings: FeedSettings, skips: bool = False) -> None:
        super().__init__(market, settings)
        self.skips = skips
        self.held: dict[int, Trade] = {}
        self.asked_after = -1  # the last trade told when the hole was asked for

    def begin(self, trades: Sequence[Trade]) -> bool:
        """Let trades from before the first subscription be the place to begin after; False: there is one already."""
        if self.last_id or not trades:
            return False
        self.last_id, self.last_ns = max(trade[0] for trade in trades), max(trade[1] for trade in trades)
        return True

    def take(self, trades: Sequence[Trade], recv_ns: int, out: EventBuffer) -> Need | None:
        """Append what follows the last trade; hold what does not."""
        self.quiet_ns = -1
        if len(trades) == 1 and not self.held and trades[0][0] == self.last_id + 1:
            self.last_id += 1
            self.tell(trades, recv_ns, out)
            return None
        if not self.last_id and trades:
            self.last_id = min(trade[0] for trade in trades) - 1
        for trade in trades:
            if trade[0] > self.last_id:
                self.held.setdefault(trade[0], trade)
            elif trade[1] > self.last_ns + RENUMBERED_NS:
                self.release(GapReason.SEQUENCE, recv_ns, out)
                self.gap(GapReason.SEQUENCE, recv_ns, out)
                self.last_id = trade[0] - 1
                self.held[trade[0]] = trade
        self._drain(recv_ns, out)
        if len(self.held) > self.settings.queue:
            self.release(GapReason.SEQUENCE, recv_ns, out)
        return self._ask() if self.held and self.asked_after != self.last_id else None

    def fill(self, rows: Sequence[Trade] | None, recv_ns: int, out: EventBuffer) -> Need | None:
        """Append what the venue answered; ask again for what is still missing, until the time is over."""
        ids = [trade[0] for trade in rows or ()]
        spans = self.skips and ids and min(ids) <= self.last_id
        for trade in rows or ():
            if trade[0] > self.last_id:
                self.held.setdefault(trade[0], trade)
        self._drain(recv_ns, out)
        for trade_id in sorted(self.held) if spans else ():
            if trade_id in self.held and trade_id <= max(ids):
                self.last_id = trade_id - 1
                self._drain(recv_ns, out)
        if rows is None or recv_ns - self.hole_ns >= self.settings.backfill_ns:
            self.release(GapReason.SEQUENCE, recv_ns, out)
        return self._ask() if self.held else None

    def release(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give the missing trades up: a GAP, then what was held."""
        if self.held:
            self.gap(reason, recv_ns, out)
            self.last_id = max(self.held)
            self.tell((self.held[key] for key in sorted(self.held)), recv_ns, out)
        self.held.clear()
        self.hole_ns = 0

    def _ask(self) -> Need:
        self.asked_after = self.last_id
        return self.need(min(self.held))

    def _drain(self, recv_ns: int, out: EventBuffer) -> None:
        """Append what follows the last trade without a hole; a hole that is left is open from now on, or still."""
        ready: list[Trade] = []
        while (trade := self.held.pop(self.last_id + 1, None)) is not None:
            ready.append(trade)
            self.last_id += 1
        if ready:
            self.tell(ready, recv_ns, out)
        if not self.held:
            self.hole_ns, self.asked_after = 0, -1
        elif ready or not self.hole_ns:
            self.hole_ns = recv_ns


class RecentTrades(TradeLine):
    """Trades whose ids do not count: repetitions are known by their ids, losses by a break of the feed.

    A loss without a break shows only by comparison: `compares` asks for the venue's newest trades now and then.
    """

    def __init__(self, market: FeedMarket, settings: FeedSettings, compares: bool = False) -> None:
        super().__init__(market, settings)
        self.compares = compares
        self.compared_ns = 0  # when it last asked
        self.held: dict[int, Trade] = {}
        self.seen: dict[int, None] = {}  # newest last

    def resume(self, position: Position) -> None:
        """Begin after the last trade of an earlier session."""
        super().resume(position)
        if position.trade_id:
            self.seen = dict.fromkeys((*position.recent, position.trade_id))

    def tick(self, now_ns: int, out: EventBuffer) -> Need | None:
        """Ask, besides, for the newest trades when it is time."""
        need = super().tick(now_ns, out)
        due = self.compares and self.seen and now_ns - self.compared_ns >= self.settings.compare_ns
        if need is not None or not due or self.hole_ns or self.quiet_ns >= 0:
            return need
        self.compared_ns = now_ns
        return Need(NeedKind.COMPARE, self.market, Channel.TRADES)

    def compare(self, rows: Sequence[Trade], recv_ns: int, out: EventBuffer) -> int:
        """Append those of the venue's newest trades, oldest first, that stand between others that were told."""
        places = [place for place, row in enumerate(rows) if row[0] in self.seen]
        if not places or self.hole_ns:
            return 0
        lost = [row for row in rows[places[0] : places[-1]] if row[0] not in self.seen]
        self._told(lost, recv_ns, out)
        return len(lost)

    def take(self, trades: Sequence[Trade], recv_ns: int, out: EventBuffer) -> Need | None:
        """Append trades not seen before; after a break hold them until the venue has told what is missing."""
        fresh = {trade[0]: trade for trade in trades if trade[0] not in self.seen}
        if self.hole_ns:
            self.held |= fresh
            if len(self.held) > self.settings.queue:
                self.release(GapReason.SEQUENCE, recv_ns, out)
            return None
        if self.quiet_ns >= 0 and fresh:
            self.held = fresh
            return self.look_back(recv_ns)
        self._told(list(fresh.values()), recv_ns, out)
        return None

    def look_back(self, now_ns: int) -> Need:
        """Return the question for all trades after the last one told; trades are held until it is answered."""
        self.hole_ns = now_ns
        return super().look_back(now_ns)

    def fill(self, rows: Sequence[Trade] | None, recv_ns: int, out: EventBuffer) -> Need | None:
        """Append what the venue answered, then what was held; a GAP if the answer does not reach back far enough."""
        if rows is None or not self.hole_ns:
            self.release(GapReason.SEQUENCE, recv_ns, out)
            return None
        known = [row for row in rows if row[0] in self.seen]
        if not known and (rows or self.held):
            self.gap(GapReason.SEQUENCE, recv_ns, out)
        skip = {row[0] for row in known}
        fresh = {row[0]: row for row in rows if row[0] not in skip} | self.held
        self.held, self.hole_ns = {}, 0
        self._told(sorted(fresh.values(), key=lambda trade: trade[1]), recv_ns, out)
        return None

    def release(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give the missing trades up: a GAP, then what was held."""
        if self.hole_ns:
            self.gap(reason, recv_ns, out)
        held, self.held, self.hole_ns = list(self.held.values()), {}, 0
        self._told(held, recv_ns, out)

    def _told(self, trades: Sequence[Trade], recv_ns: int, out: EventBuffer) -> None:
        """Append trades and remember their ids."""
        if not trades:
            return
        self.tell(trades, recv_ns, out)
        seen = self.seen
        for trade in trades:
            seen[trade[0]] = None
        self.last_id = trades[-1][0]
        while len(seen) > RECENT:
            del seen[next(iter(seen))]
