"""Own orders in an order-by-order book: slow, obvious, two plain lists; nothing shared with the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field

MAKER, TAKER = 1, 2
TOOK, QUEUE, THROUGH = 5, 6, 7  # how a fill came about, as the fold numbers it


@dataclass
class Entry:
    """An order that rests: `lots` are left of a recorded one, 0 where own orders have taken everything."""

    key: int
    side: int
    price: int
    lots: int
    turn: int
    shown: int = 0  # what the recording says of it
    own: bool = False

    @property
    def surplus(self):
        return 0 if self.own else max(self.lots - self.shown, 0)

    @property
    def displayed(self):
        return 0 if self.own else min(self.lots, self.shown)


@dataclass
class Own:
    key: int
    side: int
    lots: int
    price: int | None
    tif: str = "GTC"
    post_only: bool = False
    filled: int = 0
    status: str = "LIVE"
    turn: int = 0

    @property
    def left(self):
        return self.lots - self.filled


@dataclass
class L3Oracle:
    entries: list[Entry] = field(default_factory=list)  # all that is in the book, in no order
    own: dict[int, Own] = field(default_factory=dict)
    fills: list[tuple] = field(default_factory=list)  # order, price, lots, liquidity, how, lots ahead
    ahead_at_post: dict[int, int] = field(default_factory=dict)
    pending: list[tuple] = field(default_factory=list)
    unknown: int = 0
    spent: int = 0
    remainders: int = 0
    stray: bool = False  # the touch at the end of the last message was another than the recording's
    broken: bool = False
    healed: bool = False
    turn: int = 0
    told: list[tuple] = field(default_factory=lambda: [(None, 0)] * 2)  # price and lots of the touch, per side

    # --- the book

    def next_turn(self):
        self.turn += 1
        return self.turn

    def queue(self, side):
        """Return what rests on a side, by price, then time."""
        resting = [e for e in self.entries if e.side == side and (e.own or e.lots > 0)]
        return sorted(resting, key=lambda e: (-side * e.price, e.turn))

    def find(self, key):
        return next((e for e in self.entries if not e.own and e.key == key), None)

    def touch(self, side):
        prices = [e.price for e in self.queue(side) if e.displayed]
        return prices[0] if prices else None

    def recorded_touch(self, side):
        prices = [side * e.price for e in self.entries if e.side == side and e.shown > 0]
        return side * max(prices) if prices else None

    def shown(self, side):
        """Return the displayed levels of a side, best first."""
        levels = {}
        for e in self.queue(side):
            if e.displayed:
                levels[e.price] = levels.get(e.price, 0) + e.displayed
        return list(levels.items())

    def tidy(self):
        self.entries = [e for e in self.entries if e.own or e.lots > 0 or e.shown > 0]

    def ahead(self, entry):
        same = [e for e in self.queue(entry.side) if e.price == entry.price and e.turn < entry.turn]
        return sum(self.own[e.key].left if e.own else e.lots for e in same)

    # --- recorded orders meet own ones

    def meet(self, candidates, lots, price, how):
        """Let `lots` that trade at `price` meet own orders and surplus among the candidates; return the rest."""
        for e in candidates:
            if lots == 0:
                break
            if e.own:
                order = self.own[e.key]
                part = min(lots, order.left)
                kind = how if e.price == price else THROUGH
                self.fills.append((e.key, e.price, part, MAKER, kind, self.ahead(e)))
                order.filled += part
                if order.left == 0:
                    order.status = "FILLED"
                    self.entries.remove(e)
            else:
                part = min(lots, e.surplus)
                e.lots -= part
            lots -= part
        return lots

    def strike(self, entry):
        """Let a recorded order trade with own orders that it crosses; surplus that it crosses ends."""
        if entry.lots == 0:
            return False
        crossed = [e for e in self.queue(-entry.side) if e.side * (e.price - entry.price) >= 0]
        for e in crossed:
            e.lots -= e.surplus
        self.tidy()
        if self.broken:
            return False
        crossed = [e for e in crossed if e.own]
        before = entry.lots
        entry.lots = self.meet(crossed, entry.lots, entry.price, THROUGH)
        self.tidy()
        return entry.lots != before

    # --- messages

    def add(self, side, price, lots, key):
        old = self.find(key)
        if old is not None:
            self.entries.remove(old)
        if old is not None or lots <= 0:
            self.unknown += 1
        if lots > 0:
            entry = Entry(key, side, price, lots, self.next_turn(), lots)
            self.entries.append(entry)
            self.strike(entry)

    def cancel(self, key, lots):
        entry = self.find(key)
        if entry is None:
            self.unknown += 1
            return
        if entry.lots == 0:
            self.spent += 1
        if lots <= 0 or lots >= entry.shown:
            self.entries.remove(entry)
        else:
            entry.shown -= lots
            entry.lots = max(entry.lots - lots, 0)
        self.tidy()

    def modify(self, key, price, lots):
        entry = self.find(key)
        if entry is None:
            self.unknown += 1
            return
        left = max(lots + entry.lots - entry.shown, 0)
        if left == 0 and entry.lots == 0:
            self.spent += 1
        if lots <= 0:
            self.entries.remove(entry)
            return
        moves = price != entry.price or lots > entry.shown
        entry.price, entry.shown, entry.lots = price, lots, min(left, lots) if moves else left
        if moves:
            entry.turn = self.next_turn()
        if moves:
            self.strike(entry)
        self.tidy()

    def execute(self, side, price, lots, key):
        entry = self.find(key)
        if entry is None or lots <= 0:
            self.unknown += 1
            touch = self.touch(side)
            at_touch = touch is None or side * (price - touch) >= 0
            if lots > 0 and at_touch and not self.broken:
                ahead = []
                for e in self.queue(side):
                    plain = not e.own and e.surplus == 0
                    if side * (e.price - price) < 0 or (plain and e.price == price):
                        break
                    ahead.append(e)
                self.meet(ahead, lots, price, QUEUE)
                self.tidy()
            return
        left = lots
        if entry.lots == 0:
            self.spent += 1
        elif not self.broken:
            queue = self.queue(entry.side)
            left = self.meet(queue[: queue.index(entry)], lots, entry.price, QUEUE)
        entry.lots -= min(left, entry.lots)
        self.remainders += entry.lots > 0 and entry.shown <= lots
        entry.shown = max(entry.shown - lots, 0)
        self.tidy()

    def message(self, kind, side=0, price=0, lots=0, key=0, *, begins=False, ends=False, last=True):
        """Apply one event; `begins` and `ends` a snapshot, `last` of its message."""
        self.arrive()
        if begins:
            self.entries = [e for e in self.entries if e.own]
        if kind == "ADD":
            self.add(side, price, lots, key)
        elif kind == "CANCEL":
            self.cancel(key, lots)
        elif kind == "MODIFY":
            self.modify(key, price, lots)
        elif kind == "EXEC":
            self.execute(side, price, lots, key)
        elif kind == "GAP":
            self.broken, self.healed = True, False
        elif kind == "CLEAR":
            self.entries = [e for e in self.entries if e.own]
            self.healed = self.broken
        if ends:
            for e in sorted((e for e in self.entries if e.own), key=lambda e: self.own[e.key].turn):
                e.turn = self.next_turn()
            self.healed = self.broken
        if last:
            self.finish()

    def finish(self):
        """End a message: orders that waited meet the book; recorded orders that cross own ones trade with them."""
        bid, ask = self.touch(1), self.touch(-1)  # judged by what the message left
        self.stray = (bid, ask) != (self.recorded_touch(1), self.recorded_touch(-1))
        self.told = [(self.shown(side) or [(None, 0)])[0] for side in (1, -1)]
        if self.healed:
            self.broken = self.healed = False
            resting = {e.key for e in self.entries if e.own}
            waiting = [o for o in self.own.values() if o.status == "LIVE" and o.key not in resting]
            for order in sorted(waiting, key=lambda o: o.turn):
                if order.post_only and self.crosses(order):
                    order.status = "CANCELED"
                else:
                    self.meet_book(order)
        if self.broken or (bid is not None and ask is not None and bid >= ask):
            return
        for side in (1, -1):
            struck = True
            while struck:
                first = next((e for e in self.queue(side) if e.displayed), None)
                own = [e for e in self.queue(-side) if e.own and first and side * (first.price - e.price) >= 0]
                struck = bool(own) and self.strike(first)

    # --- own orders

    def arrive(self):
        for what, *rest in self.pending:
            getattr(self, "arrive_" + what)(*rest)
        self.pending = []

    def crosses(self, order):
        touch = self.touch(-order.side)
        return touch is not None and order.price is not None and order.side * (order.price - touch) >= 0

    def arrive_submit(self, order):
        self.own[order.key] = order
        if order.post_only and not self.broken and self.crosses(order):
            order.status = "REJECTED"
            return
        order.turn = self.next_turn()
        self.meet_book(order)

    def arrive_cancel(self, key):
        if self.own[key].status == "LIVE":
            self.own[key].status = "CANCELED"
            self.entries = [e for e in self.entries if not (e.own and e.key == key)]

    def arrive_modify(self, key, price, lots):
        order = self.own[key]
        if order.status != "LIVE" or lots <= order.filled:
            return
        before = order.price, order.lots
        order.price, order.lots = price, lots
        if order.post_only and not self.broken and self.crosses(order):
            order.price, order.lots = before
            return
        if price != before[0] or lots > before[1]:
            self.entries = [e for e in self.entries if not (e.own and e.key == key)]
            order.turn = self.next_turn()
            self.meet_book(order)

    def reachable(self, order):
        """Return what is displayed within an order's limit, best first."""
        levels = self.shown(-order.side)
        return [(p, q) for p, q in levels if order.price is None or order.side * (order.price - p) >= 0]

    def meet_book(self, order):
        if self.broken:
            if order.tif != "GTC":
                order.status = "CANCELED"
            return
        levels = self.reachable(order)
        if order.tif != "FOK" or sum(q for _, q in levels) >= order.left:
            self.take(order, levels)
        if order.status != "LIVE":
            return
        if order.tif != "GTC":
            order.status = "EXPIRED"
        elif order.price is None:
            order.status = "CANCELED"
        else:
            entry = Entry(order.key, order.side, order.price, 0, self.next_turn(), own=True)
            self.entries.append(entry)
            self.ahead_at_post[order.key] = self.ahead(entry)

    def take(self, order, levels):
        for price, shown in levels:
            part = min(order.left, shown)
            if part == 0:
                break
            self.fills.append((order.key, price, part, TAKER, TOOK, 0))
            order.filled += part
            for e in self.queue(-order.side):
                if e.displayed and e.price == price:
                    used = min(part, e.lots)
                    e.lots -= used
                    part -= used
            self.tidy()
        if order.left == 0:
            order.status = "FILLED"
