"""The course of one order within an event: each status that it takes, seen while the event runs as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tradectl.core.codes import OrderStatus
from tradectl.core.layout import ORDER
from tradectl.core.records import struct_of

__all__ = ["FINAL", "LOCAL", "Course", "Moment", "looks_of"]

FINAL = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.DENIED, OrderStatus.REJECTED)
LOCAL = (OrderStatus.SUBMITTED, OrderStatus.PENDING_UPDATE, OrderStatus.PENDING_CANCEL, OrderStatus.DENIED)
FILLS = (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)
Looks = tuple[int, int, int, int, int]  # status, price, stop (ticks), quantity, filled (lots)


@dataclass(frozen=True)
class Moment:
    """Something that happened to the order: local time, the venue's time (0: it happened here), and how it looked."""

    ts: int
    ts_event: int
    looks: Looks


def looks_of(order: Any) -> Looks:
    """Return what of an order is told when it changes."""
    return (order.status, order.price_ticks, order.trigger_ticks, order.qty_lots, order.filled_lots)


class Course:
    """Notes the statuses that an order takes while plain Python runs inside of `noting`."""

    def __init__(self, engine: Any, order: Any, order_id: int) -> None:
        self.engine, self.order, self.order_id = engine, order, order_id
        self.moments: list[Moment] = []
        self.open: Moment | None = None
        self.is_fill = False  # the open moment is a fill whose status has not been written yet

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Listen to what is written into orders; afterwards `moments` holds all that has changed."""
        struct = struct_of(ORDER)
        heard = {"status": self._status, "filled_lots": self._fill}
        fields = {name: getattr(struct, name) for name in heard}
        for name, hear in heard.items():
            setattr(struct, name, _telling(fields[name], hear))
        try:
            yield
        finally:
            for name, field in fields.items():
                setattr(struct, name, field)
            self._close()

    def _status(self, order: Any) -> None:
        if order.id != self.order_id:
            return
        if self.is_fill and order.status in FILLS:
            self.open = None  # the fill and its status are one moment
        self._begin(order, order.ts_last if order.status not in LOCAL else 0)

    def _fill(self, order: Any) -> None:
        if order.id == self.order_id and order.filled_lots:
            self._begin(order, order.ts_last)
            self.is_fill = True

    def _begin(self, order: Any, ts_event: int) -> None:
        self._close()
        self.open = Moment(self.engine.now, ts_event, looks_of(order))
        self.is_fill = False

    def _close(self) -> None:
        """Keep the open moment: what a change or an end writes after the status belongs to it, later fills do not."""
        made, self.open = self.open, None
        if made is None or self.order.id != self.order_id or made.looks[0] == OrderStatus.NONE:
            return
        status, _, _, _, filled = made.looks
        _, price, stop, qty, _ = looks_of(self.order)
        ts_event = self.order.ts_last if status in FINAL and made.ts_event else made.ts_event
        made = replace(made, ts_event=ts_event, looks=(status, price, stop, qty, filled))
        if status == OrderStatus.DENIED:
            self.moments.clear()  # it was never submitted
        if not self.moments or self.moments[-1].looks != made.looks:
            self.moments.append(made)


def _telling(field: Any, hear: Callable[[Any], None]) -> property:
    """Return a field of a record that tells when it has been written."""

    def put(record: Any, value: int) -> None:
        field.__set__(record, value)
        hear(record)

    return property(field.__get__, put)
