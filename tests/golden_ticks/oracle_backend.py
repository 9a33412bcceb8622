"""The tick oracle with order-by-order books: accounts, stops and reports of the one, queues of `L3Oracle`.

An own order that rests is an entry of the book; what the book lets a recorded order trade with it goes through the
account, which may give less: an order that waits for a position, or that can no longer be paid for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from tests.golden_ticks.protocol import Event, OrderBook, OrderState, Result, Standing, TickConfig
from tests.oracle import ticks_match as match
from tests.oracle.l3_oracle import Entry, L3Oracle, Own
from tests.oracle.ticks_oracle import TickOracle
from tests.oracle.ticks_world import Market, TickOrder, TickWorld
from tradectl.core.codes import BookLevel, EventFlag, EventKind, FillPhase, LiquiditySide, TriggerSource

__all__ = ["OracleBackend"]

BEGIN, WHOLE = EventFlag.SNAPSHOT_BEGIN, EventFlag.SNAPSHOT_END
RECORDED = {
    EventKind.ORDER_ADD: "ADD", EventKind.ORDER_MODIFY: "MODIFY", EventKind.ORDER_CANCEL: "CANCEL",
    EventKind.ORDER_EXEC: "EXEC",
}  # fmt: skip


@dataclass
class Resting:
    """An own order in the shape in which `L3Oracle` asks for it."""

    order: TickOrder
    priority: int  # with which it took its place

    @property
    def left(self) -> int:
        """Return the lots that it still wants."""
        return self.order.leaves

    @property
    def turn(self) -> int:
        """Return its place in time."""
        return self.order.priority


class OrdersBook(L3Oracle):
    """An order-by-order book behind the questions that `ticks_match` asks of a book; own fills go to the account."""

    def __init__(self, world: TickWorld) -> None:
        super().__init__()
        self.world = world

    def best(self, side: int) -> Any:
        """Return the best displayed price of a side."""
        return self.touch(side)

    def qty(self, side: int, price: int) -> int:
        """Return the displayed lots of a level."""
        return int(dict(self.shown(side)).get(price, 0))

    def offers(self, side: int) -> Any:
        """Return (price, lots) that can be taken from a side, best first."""
        return self.shown(side)

    def take(self, side: int, price: int, lots: int) -> None:  # type: ignore[override]
        """Take lots of a level from its recorded orders, first in, first out."""
        super().take(Own(0, -side, lots, price), [(price, lots)])

    def clear(self) -> None:
        """Forget the recorded orders."""
        self.entries = [entry for entry in self.entries if entry.own]

    def forget_gone(self) -> None:
        """Nothing is known of levels that are gone."""

    @property
    def crossed(self) -> bool:
        """Say whether the displayed bid is at or above the displayed ask."""
        bid, ask = self.touch(1), self.touch(-1)
        return bid is not None and ask is not None and bid >= ask

    def follow(self, orders: list[TickOrder]) -> None:
        """Let exactly the orders that rest stand in the book; one with a new place in time stands last."""
        resting = {order.id: order for order in orders if order.live and order.resting}
        kept = {key for key, o in resting.items() if key in self.own and self.own[key].priority == o.priority}
        self.entries = [entry for entry in self.entries if not entry.own or entry.key in kept]
        self.own = {key: self.own[key] for key in kept}
        for order in sorted(resting.values(), key=lambda o: o.priority):
            if order.id not in kept:
                self.own[order.id] = Resting(order, order.priority)
                self.entries.append(Entry(order.id, order.side, order.limit, 0, self.next_turn(), own=True))

    def meet(self, candidates: list[Entry], lots: int, price: int, how: int) -> int:
        """Let lots that trade at a price meet own orders and remainders among the candidates; return the rest."""
        for entry in candidates:
            if not entry.own:
                lots = super().meet([entry], lots, price, how)
                continue
            order = self.own[entry.key].order
            if lots == 0 or not order.live or match.waits(self.world, order):
                continue
            phase = FillPhase(how) if entry.price == price else FillPhase.THROUGH
            lots -= match.execute(self.world, order, entry.price, lots, (LiquiditySide.MAKER, phase))
            if not order.live:
                self.entries.remove(entry)
        return lots


class OracleBackend(TickOracle):
    """Runs steps through the oracle, whatever the instruments' data are."""

    def configure(self, config: TickConfig) -> None:
        """Begin a new run."""
        super().configure(config)
        self.strayed = 0
        self.kind = EventKind.DEPTH  # of the event at hand
        self.books: dict[int, Any] = {}
        for index, level in enumerate(config.levels):
            if level == BookLevel.ORDERS:
                self.books[index] = self.world.markets[index].book = OrdersBook(self.world)  # type: ignore[assignment]

    def event(self, event: Event) -> None:
        """Apply one event; a message to a recorded order goes the way of a row of depth."""
        self.kind = event.kind
        super().event(replace(event, kind=EventKind.DEPTH) if event.kind in RECORDED else event)
        self.follow()

    def follow(self) -> None:
        """Let the books follow what became of own orders."""
        for index, book in self.books.items():
            book.broken = self.world.markets[index].broken
            book.follow(self.world.working(index))

    def arrivals(self, index: int, until: int) -> None:
        """Let what arrives take effect."""
        super().arrivals(index, until)
        self.follow()

    def begin_work(self, order: TickOrder) -> None:
        """Let an order meet its market; the end of a message shows what it took."""
        super().begin_work(order)
        self.touch(order)

    def fire(self, order: TickOrder) -> None:
        """Trigger a stop; the end of a message shows what it took."""
        super().fire(order)
        self.touch(order)

    def touch(self, order: TickOrder) -> None:
        """Let the end of a message judge the book of an order that may have taken from it."""
        market = self.world.markets[order.instrument]
        market.touched = market.touched or order.instrument in self.books

    def depth(self, market: Market, event: Event) -> None:
        """Apply a row of depth, or a message to a recorded order."""
        book = self.books.get(event.instrument)
        if book is None:
            super().depth(market, event)
            return
        begins, ends = bool(event.flags & BEGIN), bool(event.flags & WHOLE)
        what = RECORDED[self.kind]
        book.message(what, event.side, *event.words, begins=begins, ends=ends, last=False)
        book.healed = False  # who waits for a whole book is known here, not there
        market.touched = True
        market.whole = market.whole or (ends and market.broken)
        market.depth_ts = max(market.depth_ts, event.ts_event)
        if what == "EXEC" and event.words[1]:
            self.print(market, event)

    def print(self, market: Market, event: Event) -> None:
        """Let an execution, or a trade, be the last one: stops see it."""
        market.trade_ts, market.trade = max(market.trade_ts, event.ts_event), event.words[0]
        if not market.broken and self.config.trigger == TriggerSource.LAST:
            self.follow()
            self.fire_stops(event.instrument, event.words[0], event.words[0])

    def trade(self, market: Market, event: Event) -> None:
        """Apply a trade; order by order it fills nothing."""
        if event.instrument not in self.books:
            super().trade(market, event)
            return
        self.late += event.ts_event < market.depth_ts
        self.print(market, event)

    def end_snapshot(self, market: Market, event: Event) -> None:
        """End a snapshot; order by order a cleared book is whole."""
        super().end_snapshot(market, event)
        if event.instrument in self.books:
            market.whole = market.broken

    def end_message(self, index: int) -> None:
        """At a message's end: mark, resume, let recorded orders meet the own ones that they cross, trigger."""
        book, market = self.books.get(index), self.world.markets[index]
        if book is None or not market.touched:
            super().end_message(index)
            return
        bid, ask = touch = book.best(1), book.best(-1)
        known = None not in touch
        self.crossed += book.crossed
        if known and touch != market.touch and not book.crossed:
            self.world.mark(index, Fraction(bid + ask, 2))
        market.touch, market.touched = touch, False
        self.strike(book, market, index)
        self.strayed += book.stray
        if known and not market.broken and bid < ask and self.config.trigger == TriggerSource.BID_ASK:
            self.follow()
            self.fire_stops(index, ask, bid)

    def strike(self, book: Any, market: Market, index: int) -> None:
        """Let the book be whole again, if the message made it so; then recorded orders meet own ones."""
        self.follow()
        fills = len(self.world.fills)
        book.finish()
        if market.broken and market.whole:
            left = book.stray, book.told  # by the message itself
            market.broken = market.whole = book.broken = False
            self.resume(index)
            self.follow()
            book.finish()
            book.stray, book.told = left
        market.touched = len(self.world.fills) > fills

    def orders(self) -> dict[int, OrderState]:
        """Return all orders by id, with what stands ahead of them."""
        rows = super().orders()
        for book in self.books.values():
            for entry in book.entries:
                if entry.own:
                    rows[entry.key] = replace(rows[entry.key], front=float(book.ahead(entry)))
        return rows

    def result(self) -> Result:
        """Return what stands at the end."""
        books = {index: shown(book) for index, book in self.books.items()}
        made = replace(super().result(), strayed=self.strayed, books=books)
        for book in self.books.values():
            made.unknown, made.spent = made.unknown + book.unknown, made.spent + book.spent
            made.remainders += book.remainders
        return made


def shown(book: OrdersBook) -> OrderBook:
    """Return a book as a backend shows it."""
    sides: list[list[Standing]] = []
    for side in (1, -1):
        entries = sorted((e for e in book.entries if e.side == side), key=lambda e: (-side * e.price, e.turn))
        left = [book.own[e.key].left if e.own else e.lots for e in entries]
        sides.append([Standing(e.key, e.own, e.price, n, e.shown) for e, n in zip(entries, left, strict=True)])
    return OrderBook((sides[0], sides[1]), (book.told[0], book.told[1]))
