"""Bitstamp's order by order feed: tables of created, changed and deleted orders, and raw log lines of the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from tradectl.core.codes import EventKind
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece
from tradectl.history.importers.lines import decode_lines, first_text, stamp_to_ns
from tradectl.history.importers.rows import Sink

__all__ = ["IMPORTER", "BitstampDecoder", "read"]

HEADER = b"id,timestamp,exchange.timestamp,price,volume,action,direction"
CENT, LOT = Decimal("0.01"), Decimal("0.00000001")
ATOMS = 1e8  # volumes of the tables are in 1e-8 of the base currency
ADD, MODIFY = int(EventKind.ORDER_ADD), int(EventKind.ORDER_MODIFY)
CANCEL, EXEC = int(EventKind.ORDER_CANCEL), int(EventKind.ORDER_EXEC)


class Seen(NamedTuple):
    """One line: an order, and what happened to it; qty is what is left of it (when deleted: what was canceled)."""

    action: str
    order: int
    side: int
    price: float
    qty: float


class BitstampDecoder:
    """Turns order messages into rows of a book that is never crossed at a message's end.

    An order that takes is told like any other: created, then changed or deleted as it fills, mixed with the
    messages of the orders that it meets. It is held back while it crosses the book, and added with what is
    left of it once it does not; the trade itself is the execution of the resting order. Orders older than
    the recording are unknown until they change, and join the book then.
    """

    def __init__(self, sink: Sink, symbol: str) -> None:
        self.rows = sink[symbol]
        self.resting: dict[int, Seen] = {}
        self.levels: dict[int, dict[float, int]] = {1: {}, -1: {}}  # side -> price -> orders there
        self.best: dict[int, float | None] = {1: None, -1: None}
        self.takers: dict[int, Seen] = {}  # held back
        self.stamps = (0, 0)
        self.number = 0

    def line(self, line: bytes, number: int) -> None:
        """Decode one line of a table or of a log."""
        if line.strip() == HEADER:
            return
        if line.count(b",") == 6 and b"{" not in line:
            order, stamp, _, price, volume, action, direction = line.decode().strip().split(",")
            side = {"bid": 1, "ask": -1}[direction]
            seen = Seen(action, int(order), side, float(price), round(float(volume)) / ATOMS)
        else:
            stamp, kind, body = line.decode().strip().split(" ", 2)
            if not kind.startswith("order_") or kind == "order_book":
                return
            told = json.loads(body)
            side = 1 if int(told["order_type"]) == 0 else -1
            entered, left = float(told["price"]), float(told["amount"])
            seen = Seen(kind.removeprefix("order_"), int(told["id"]), side, entered, left)
        ts = stamp_to_ns(stamp)
        self.stamps, self.number = (ts, ts), number
        self.apply(seen)

    def apply(self, seen: Seen) -> None:
        """Apply what happened to one order, then add the takers that no longer cross."""
        start = len(self.rows)
        if seen.action == "created":
            self._enter(seen)
        elif seen.action == "changed":
            self._changed(seen)
        elif seen.action == "deleted":
            self._deleted(seen)
        else:
            raise ValueError(f"action {seen.action!r} is none of created, changed, deleted")
        if self.takers:
            for taker in [t for t in self.takers.values() if not self._crosses(t)]:
                del self.takers[taker.order]
                self._add(taker)
        if len(self.rows) > start:
            self.rows.end()

    def _enter(self, seen: Seen) -> None:
        if seen.qty == 0.0 or seen.order in self.resting:
            return
        if self._crosses(seen):
            self.takers[seen.order] = seen
        else:
            self._add(seen)

    def _changed(self, seen: Seen) -> None:
        if seen.order in self.takers:
            self.takers[seen.order] = seen
        elif seen.order not in self.resting:
            self._enter(seen)
        else:
            before = self.resting[seen.order]
            filled = round(before.qty - seen.qty, 8)
            self.resting[seen.order] = before._replace(qty=seen.qty)
            if filled > 0.0:
                self._write(EXEC, before, filled)
            elif filled < 0.0:
                self._write(MODIFY, before, seen.qty)

    def _deleted(self, seen: Seen) -> None:
        if self.takers.pop(seen.order, None) is not None or seen.order not in self.resting:
            return
        before = self.resting.pop(seen.order)
        filled = round(before.qty - seen.qty, 8)  # volume 0: filled whole
        if filled > 0.0:
            self._write(EXEC, before, filled)
        if seen.qty > 0.0:
            self._write(CANCEL, before, 0.0)
        self._left(before.side, before.price)

    def _add(self, seen: Seen) -> None:
        self.resting[seen.order] = seen
        levels, best = self.levels[seen.side], self.best[seen.side]
        levels[seen.price] = levels.get(seen.price, 0) + 1
        if best is None or (seen.price - best) * seen.side > 0.0:
            self.best[seen.side] = seen.price
        self._write(ADD, seen, seen.qty)

    def _left(self, side: int, price: float) -> None:
        levels = self.levels[side]
        levels[price] -= 1
        if not levels[price]:
            del levels[price]
            if price == self.best[side]:
                self.best[side] = (max if side > 0 else min)(levels, default=None)

    def _crosses(self, seen: Seen) -> bool:
        other = self.best[-seen.side]
        return other is not None and (seen.price - other) * seen.side >= 0.0

    def _write(self, kind: int, seen: Seen, qty: float) -> None:
        self.rows.one(kind, seen.side, self.stamps, seen.price, qty, (seen.order, self.number), more=True)


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of recorded orders; `symbol` in `data.options` names what the files do not."""
    options.only("symbol")
    sink, symbol = Sink(), str(options.extra.get("symbol", "BTCUSD"))
    options.tell(symbol, tick_size=CENT, lot_size=LOT)
    decoder = BitstampDecoder(sink, symbol)
    yield from decode_lines(places, options, sink, decoder.line)


def _suits(place: Place, head: bytes) -> bool:
    first = first_text(place, head).split(b"\n", 1)[0].strip()
    return first == HEADER or any(
        b" order_" + a + b" {" in first for a in (b"created", b"changed", b"deleted")
    )


IMPORTER = Importer(
    "bitstamp_orders", read, "Bitstamp order by order (2015): tables of orders, and raw log lines",
    venue="BITSTAMP", endings=(".xz", ".log"), has_receive_clock=False, pairs=True, suits=_suits,
)  # fmt: skip
