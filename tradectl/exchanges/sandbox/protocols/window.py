"""The best N levels of a book, as venues tell them that show no more."""

from __future__ import annotations

from collections.abc import Sequence

from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Market

__all__ = ["Window"]


class Window:
    """What the listeners of one subscription have been shown of a book.

    With `tells_leaving` a level that falls beyond the N best is told as removed; else the client cuts it off.
    `count` numbers the messages, the snapshot's included; `update_id` is the book's when the last one was told.
    """

    def __init__(self, market: Market, depth: int, *, tells_leaving: bool) -> None:
        self.market, self.depth, self.tells_leaving = market, depth, tells_leaving
        self.count = 1
        self.update_id = market.update_id
        self._shown = [dict(market.best(side, depth)) for side in (BIDS, ASKS)]

    def changes(self, levels: Sequence[Level]) -> list[Level]:
        """Return what has changed in the window since the last call, `levels` being what changed in the book."""
        found = self._of(BIDS, levels) + self._of(ASKS, levels)
        if found:
            self.count += 1
        return found

    def _of(self, side: int, levels: Sequence[Level]) -> list[Level]:
        mine = [level for level in levels if level[0] == side]
        if not mine:
            return []
        was, prices = self._shown[side], self.market.sides[side].prices
        if len(prices) <= self.depth and len(was) < self.depth:  # the window shows the whole side
            for _, price, lots in mine:
                if lots:
                    was[price] = lots
                else:
                    was.pop(price, None)
            return mine
        now = dict(self.market.best(side, self.depth))
        if now == was:
            return []
        self._shown[side] = now
        lots_now = self.market.sides[side].lots
        gone = [(side, p, 0) for p in was if p not in now and (self.tells_leaving or p not in lots_now)]
        return gone + [(side, price, lots) for price, lots in now.items() if was.get(price) != lots]
