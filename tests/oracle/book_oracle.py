"""A price-time priority book in dictionaries: slow, obvious, nothing shared with the kernels."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FNV_START = 14695981039346656037


@dataclass
class Resting:
    order_id: int
    side: str  # "buy" or "sell"
    price: int
    qty: int


def fnv(words):
    h = FNV_START
    for word in words:
        h = ((h ^ (word % 2**64)) * 1099511628211) % 2**64
    return h


class OracleBook:
    """Two dictionaries of price -> queue; `capacity` orders may rest."""

    def __init__(self, capacity=10**9):
        self.queues = {"buy": {}, "sell": {}}
        self.by_id = {}
        self.trades = []  # (aggressor id, resting id, price, qty) of the last operation
        self.leaves = 0
        self.capacity = capacity

    def prices(self, side):
        """Return the prices of a side, best first."""
        return sorted(self.queues[side], reverse=side == "buy")

    def tradable(self, side, limit):
        """List the orders that a new order of `side` may trade with, in priority."""
        other = "sell" if side == "buy" else "buy"
        found = []
        for price in self.prices(other):
            if limit is not None and (price > limit if side == "buy" else price < limit):
                break
            found.extend(self.queues[other][price])
        return found

    def submit(self, order_id, side, price, qty, tif="GTC", post_only=False):
        """Submit a limit order, or a market one with price None; return the outcome's name."""
        self.trades, self.leaves = [], qty
        if qty <= 0:
            return "QTY_NOT_POSITIVE"
        if price is not None and order_id in self.by_id:
            return "DUPLICATE_ORDER_ID"
        makers = self.tradable(side, price)
        if post_only and makers:
            return "POST_ONLY_WOULD_TAKE"
        if tif == "FOK" and sum(o.qty for o in makers) < qty:
            return "FOK_UNFILLED"
        if tif == "GTC" and not makers and len(self.by_id) >= self.capacity:
            return "ORDERS_FULL"
        for maker in makers:
            if self.leaves == 0:
                break
            traded = min(maker.qty, self.leaves)
            self.trades.append((order_id, maker.order_id, maker.price, traded))
            maker.qty -= traded
            self.leaves -= traded
            if maker.qty == 0:
                self.remove(maker)
        if self.leaves == 0:
            return "NONE"
        if tif != "GTC":
            return "IOC_REMAINDER"
        order = Resting(order_id, side, price, self.leaves)
        self.by_id[order_id] = order
        self.queues[side].setdefault(price, deque()).append(order)
        return "NONE"

    def remove(self, order):
        queue = self.queues[order.side][order.price]
        queue.remove(order)
        if not queue:
            del self.queues[order.side][order.price]
        del self.by_id[order.order_id]

    def cancel(self, order_id):
        self.trades, self.leaves = [], 0
        if order_id not in self.by_id:
            return "UNKNOWN_ORDER"
        self.remove(self.by_id[order_id])
        return "NONE"

    def modify(self, order_id, price, qty):
        self.trades, self.leaves = [], qty
        if qty <= 0:
            return "QTY_NOT_POSITIVE"
        if order_id not in self.by_id:
            return "UNKNOWN_ORDER"
        order = self.by_id[order_id]
        if price == order.price and qty <= order.qty:
            order.qty = qty
            return "NONE"
        self.remove(order)
        return self.submit(order_id, order.side, price, qty)

    def rows(self, side):
        """List (id, price, qty) of a side in priority."""
        return [(o.order_id, p, o.qty) for p in self.prices(side) for o in self.queues[side][p]]

    def digest(self):
        bids, asks = self.rows("buy"), self.rows("sell")
        return {
            "book_hash": fnv(word for row in bids + asks for word in row),
            "live": len(bids) + len(asks),
            "live_qty": sum(q for _, _, q in bids + asks),
            "best_bid": bids[0][1] if bids else None,
            "best_ask": asks[0][1] if asks else None,
            "levels": len(self.queues["buy"]) + len(self.queues["sell"]),
        }
