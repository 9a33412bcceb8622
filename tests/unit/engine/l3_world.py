"""A run on order-by-order data, driven by hand: events, requests, what filled, what rests."""

from __future__ import annotations

from decimal import Decimal

from tests.golden.kernel_backend import take_requests
from tradectl.core.codes import (
    AccountType,
    BookLevel,
    EventFlag,
    EventKind,
    FoldCode,
    OrderFlag,
    OrderStatus,
    OrderType,
    RequestKind,
    TimeInForce,
)  # fmt: skip
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.core.l3_check import validate_l3
from tradectl.core.layout import UNCHANGED
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State

ADD, MODIFY = EventKind.ORDER_ADD, EventKind.ORDER_MODIFY
CANCEL, EXEC = EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC
END, BEGIN_SNAPSHOT, END_SNAPSHOT = EventFlag.MESSAGE_END, EventFlag.SNAPSHOT_BEGIN, EventFlag.SNAPSHOT_END
BUY, SELL = 1, -1


class L3World:
    """One instrument with a book of orders; each event comes 10 ns after the last one."""

    def __init__(self, window=1 << 12, l3_orders=256, capacity=64, strategy=None, **limits):
        instrument = Instrument("T", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.001"))
        market = InstrumentLimits(level=BookLevel.ORDERS, window=window, l3_orders=l3_orders, **limits)
        account = AccountSpec(AccountType.MARGIN, "USD", {"USD": 10**9 * 10**8}, 10 * 10**9)
        told = strategy or StrategySpec("test", b"", b"", {})
        self.state = State(
            RunSpec(
                [instrument], [market], [told], account, ExecutionSpec(sample_ns=0),
                order_capacity=capacity, request_capacity=16, report_capacity=64, output_capacity=20_000,
                equity_capacity=4096,
            )
        )  # fmt: skip
        self.now = 0
        self.fills = []
        self.final = {}

    def make(self, kind, side=0, price=0, lots=0, key=0, flags=END):
        """Return the next event (1,)."""
        self.now += 10
        event = empty_events(1)
        values = {
            "ts_event": self.now, "ts_recv": self.now, "kind": kind, "side": side, "flags": int(flags),
            "w0": price, "w1": lots, "w2": key,
        }  # fmt: skip
        for name, value in values.items():
            event[0][name] = value
        return event

    def event(self, *words):
        """Fold one event; return its code."""
        code, _ = self.state.fold(self.make(*words))
        self.drain()
        return code

    def run(self, *events):
        """Fold events that are to be applied."""
        for event in events:
            assert self.event(*event) == FoldCode.DONE, event

    def drain(self):
        rows = self.state.drain()
        names = ("order_id", "price_ticks", "qty_lots", "liquidity_side", "phase", "front")
        self.fills += [tuple(int(f[n]) for n in names) for f in rows["fills"]]
        self.final.update({int(o["id"]): o.copy() for o in rows["orders"]})

    def request(self, **values):
        """Send one request; it takes effect before the next event. Returns its order's id."""
        row = self.state.requests[0]
        for name in row.dtype.names:
            row[name] = values.get(name, 0)
        self.state.engine[0]["now"] = self.now
        self.state.engine[0]["n_requests"] = 1
        take_requests(self.state.address)
        assert row["reason"] == 0, row["reason"]
        return int(row["order_id"])

    def submit(self, side, lots, price=None, tif="GTC", *, post_only=False, reduce_only=False, stop=None):
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        if stop is not None:
            kind = OrderType.STOP_MARKET if price is None else OrderType.STOP_LIMIT
        flags = (OrderFlag.POST_ONLY if post_only else 0) | (OrderFlag.REDUCE_ONLY if reduce_only else 0)
        return self.request(
            kind=RequestKind.SUBMIT, side=side, order_type=kind, qty_lots=lots, price_ticks=price or 0,
            trigger_ticks=stop or 0, time_in_force=TimeInForce[tif], flags=flags,
        )  # fmt: skip

    def cancel(self, order_id):
        self.request(kind=RequestKind.CANCEL, order_id=order_id)

    def modify(self, order_id, price, lots):
        self.request(
            kind=RequestKind.MODIFY, order_id=order_id, price_ticks=price, qty_lots=lots, trigger_ticks=UNCHANGED
        )  # fmt: skip

    def order(self, order_id):
        """Return an order's row, live or ended."""
        if order_id in self.final:
            return self.final[order_id]
        return next(o for o in self.state.orders[:-1] if o["id"] == order_id)

    def status(self, order_id):
        return OrderStatus(int(self.order(order_id)["status"])).name

    def book(self):
        """Check the book; return what is left in it by price, then time: (key, price, lots), own keys as "own n"."""
        sides = validate_l3(self.state.books)
        orders = self.state.orders
        return [
            [
                (row.order_id, row.price_ticks, row.lots)
                if row.own < 0
                else (f"own {row.order_id}", row.price_ticks, int(orders[row.own]["leaves_lots"]))
                for row in side
                if row.own >= 0 or row.lots > 0
            ]
            for side in sides
        ]

    @property
    def venue(self):
        return self.state.venues[0]
