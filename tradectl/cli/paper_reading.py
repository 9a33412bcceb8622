"""What a running paper session looks like at this moment, as plain values: read between two folds, nothing copied.

Live feeds have no order-by-order books, so a resting order's queue is ORDER.front.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tradectl.cli.paper_tail import iso, note_of
from tradectl.core.codes import BookLevel, LiquiditySide, OrderStatus, OrderType, Reason, Side, TradingState
from tradectl.core.depth_view import shown_best, shown_next, shown_qty
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import market_at, venue_at
from tradectl.core.resting import UNKNOWN_FRONT
from tradectl.db.tables import Names
from tradectl.engine.host_audit import live_orders

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session
    from tradectl.exchanges.model import ChannelHealth

__all__ = ["Account", "Held", "Level", "Reader", "Working", "feed_of", "status_of"]

PENDING = {1: "canceling", 2: "changing"}  # ORDER.pend_kind
ENGINE_COUNTS = ("n_events", "n_orders", "n_fills", "n_denied", "n_rejected", "n_cancels", "n_modifies", "n_trades")
Level = tuple[float, float]  # price, quantity


@dataclass(frozen=True)
class Account:
    """The account in its currency; `pnl` is since the start, `drawdown` a fraction of the peak."""

    currency: str
    equity: float
    pnl: float
    peak: float
    drawdown: float
    max_drawdown: float
    exposure: float
    fees: float
    trading_state: str
    breached: bool


@dataclass(frozen=True)
class Held:
    """One strategy's position in one instrument; money in the quote currency."""

    strategy: str
    instrument: str
    index: int  # of the instrument
    qty: float
    avg_price: float
    mark: float | None
    unrealised: float | None
    realised: float
    fees: float


@dataclass(frozen=True)
class Working:
    """One order that is working or on its way; `queue_ahead` None: it does not rest, or its queue is not shown."""

    order_id: int
    strategy: str
    instrument: str
    index: int  # of the instrument
    side: str
    order_type: str
    status: str
    price: float | None
    stop: float | None
    leaves: float
    qty: float
    queue_ahead: float | None
    age_s: float


class Reader:
    """Reads one session's state; `short` are the instruments' names, without the venue where that is clear."""

    def __init__(self, session: Session) -> None:
        folded = session.folded
        self.session, self.state = session, folded.state
        self.names = Names.of(self.state)
        self.currency = str(folded.wired.config.account.currency)
        instruments = self.state.spec.instruments
        bare = Counter(one.symbol for one in instruments)
        self.short = [one.symbol if bare[one.symbol] == 1 else one.id for one in instruments]
        self.price_places = {name: places(one.tick_size) for name, one in zip(self.short, instruments, strict=True)}
        self.qty_places = {name: places(one.lot_size) for name, one in zip(self.short, instruments, strict=True)}

    def name_of(self, exchange: str, symbol: str) -> str:
        """Return the short name of an exchange's symbol, or the symbol itself."""
        markets = self.session.hub.markets
        found = (self.short[one.index] for one in markets if (one.exchange, one.symbol) == (exchange, symbol))
        return next(found, symbol)

    def price(self, ticks: float, index: int) -> float:
        """Return a price."""
        num, den, _, _ = self.names.grid[index]
        return float(ticks * num / den)

    def qty(self, lots: float, index: int) -> float:
        """Return a quantity."""
        _, _, num, den = self.names.grid[index]
        return float(lots * num / den)

    def account(self) -> Account:
        """Return the account."""
        engine, rates = self.state.engine[0], self.state.currencies
        equity, peak = int(engine["equity_atoms"]), int(engine["peak_atoms"])
        start = self.session.folded.days.initial_atoms
        fees = float((rates["fees_atoms"] * (rates["rate_pico"] / 1e12)).sum())
        return Account(
            self.currency,
            equity / ATOMS_PER_UNIT,
            0.0 if start is None else (equity - start) / ATOMS_PER_UNIT,
            peak / ATOMS_PER_UNIT,
            1.0 - equity / peak if peak > 0 else 0.0,
            float(engine["max_drawdown"]),
            int(engine["gross_atoms"]) / ATOMS_PER_UNIT,
            fees / ATOMS_PER_UNIT,
            TradingState(int(engine["trading_state"])).name,
            bool(engine["breached"]),
        )

    def counts(self) -> dict[str, int]:
        """Return the engine's counters: events, orders, fills, denied."""
        engine = self.state.engine[0]
        return {name[2:]: int(engine[name]) for name in ENGINE_COUNTS}

    def mark(self, index: int) -> float | None:
        """Return the price at which an instrument is valued."""
        market = self.state.markets[index]
        twice = int(market["twice_mark"]) or (2 * int(market["last"]) if market["has_price"] else 0)
        return self.price(twice / 2, index) if twice else None

    def held(self) -> list[Held]:
        """Return the positions that are not flat."""
        n, made = len(self.names.symbols), []
        for place in np.flatnonzero(self.state.positions["lots"]).tolist():
            row, index = self.state.positions[place], place % n
            market = self.state.markets[index]
            lots, cost, mark = int(row["lots"]), int(row["cost_atoms"]) / ATOMS_PER_UNIT, self.mark(index)
            qty = self.qty(lots, index)
            per_lot = int(market["unit_num"]) / int(market["unit_den"]) / ATOMS_PER_UNIT  # of one tick
            worth = None if mark is None else lots * mark / self.price(1, index) * per_lot
            average = self.price(cost / (lots * per_lot), index)
            made.append(
                Held(
                    self.names.strategies[place // n],
                    self.names.symbols[index],
                    index,
                    qty,
                    average,
                    mark,
                    None if worth is None else round(worth - cost, 8),  # to the atom
                    int(row["realised_atoms"]) / ATOMS_PER_UNIT,
                    int(row["fees_atoms"]) / ATOMS_PER_UNIT,
                )
            )
        return made

    def working(self, most: int | None = None) -> list[Working]:
        """Return the live orders by id, at most `most` of them."""
        now = int(self.state.engine[0]["now"])
        return [self._working(row, now) for row in islice(live_orders(self.state), most)]

    def _working(self, row: Any, now: int) -> Working:
        index, front = int(row["instrument"]), float(row["front"])
        limit, stop = int(row["price_ticks"]), int(row["trigger_ticks"])
        rests = row["note"] != 0 and front < UNKNOWN_FRONT
        return Working(
            int(row["id"]),
            self.names.strategies[int(row["strategy"])],
            self.names.symbols[index],
            index,
            Side(int(row["side"])).name,
            OrderType(int(row["order_type"])).name,
            PENDING.get(int(row["pend_kind"])) or OrderStatus(int(row["status"])).name.lower(),
            self.price(limit, index) if limit else None,
            self.price(stop, index) if stop else None,
            self.qty(int(row["leaves_lots"]), index),
            self.qty(int(row["qty_lots"]), index),
            self.qty(max(front, 0.0), index) if rests else None,
            max(now - int(row["ts_submitted"]), 0) / 1e9,
        )

    def book(self, index: int, levels: int) -> tuple[list[Level], list[Level]]:
        """Return the best levels of an instrument's bids and asks; empty where it has no book."""
        if self.state.markets[index]["level"] < BookLevel.QUOTES:
            return [], []
        world = self.state.world
        market, venue = market_at(world.markets, index), venue_at(world.venues, index)
        sides: tuple[list[Level], list[Level]] = ([], [])
        for side in range(2):
            ticks = shown_best(world.books, market, venue, side)
            while ticks not in (NO_BID, NO_ASK) and len(sides[side]) < levels:
                lots = shown_qty(world.books, market, venue, side, ticks)
                sides[side].append((self.price(ticks, index), self.qty(lots, index)))
                ticks = shown_next(world.books, market, venue, side, ticks)
        return sides

    def is_broken(self, index: int) -> bool:
        """Return whether an instrument's book waits for a snapshot."""
        return bool(self.state.venues[index]["broken"])

    def disabled(self) -> list[str]:
        """Return the strategies that raised and were switched off."""
        rows = zip(self.names.strategies, self.state.strategies, strict=False)
        return [name for name, row in rows if not row["enabled"]]

    def fill(self, row: Any) -> dict[str, Any]:
        """Return a FILL record as plain values."""
        index = int(row["instrument"])
        return {
            "at": iso(int(row["ts_event"])),
            "fill_id": int(row["fill_id"]),
            "order_id": int(row["order_id"]),
            "strategy": self.names.strategies[int(row["strategy"])],
            "instrument": self.names.symbols[index],
            "side": Side(int(row["side"])).name,
            "qty": self.qty(int(row["qty_lots"]), index),
            "price": self.price(int(row["price_ticks"]), index),
            "liquidity_side": LiquiditySide(int(row["liquidity_side"])).name,
            "fee": int(row["fee_atoms"]) / ATOMS_PER_UNIT,
            "realised": int(row["realised_atoms"]) / ATOMS_PER_UNIT,
            "position": self.qty(int(row["position_lots"]), index),
        }

    def ended(self, row: Any) -> dict[str, Any]:
        """Return an ORDER record that ended as plain values."""
        index, limit = int(row["instrument"]), int(row["price_ticks"])
        return {
            "at": iso(int(row["ts_last"])),
            "order_id": int(row["id"]),
            "strategy": self.names.strategies[int(row["strategy"])],
            "instrument": self.names.symbols[index],
            "side": Side(int(row["side"])).name,
            "order_type": OrderType(int(row["order_type"])).name,
            "qty": self.qty(int(row["qty_lots"]), index),
            "filled": self.qty(int(row["filled_lots"]), index),
            "price": self.price(limit, index) if limit else None,
            "status": OrderStatus(int(row["status"])).name,
            "reason": Reason(int(row["reason"])).name,
        }


def places(step: Decimal) -> int:
    """Return the digits behind the point that multiples of a step have."""
    return max(-int(step.normalize().as_tuple().exponent), 0)


def last_ns(health: ChannelHealth, now_ns: int) -> float | None:
    """Return how long (s) a channel has been silent; None: nothing came yet."""
    return max(now_ns - health.last_recv_ns, 0) / 1e9 if health.last_recv_ns else None


def feed_of(one: ChannelHealth, now_ns: int) -> dict[str, Any]:
    """Return one channel's health as plain values."""
    return {
        "instrument": one.market.instrument.id,
        "channel": one.channel.name.lower(),
        "state": one.state,
        "connections": one.epoch,
        "messages": one.messages,
        "gaps": one.gaps,
        "dropped": one.dropped,
        "lag_ms": one.lag_ns / 1e6,
        "silent_s": last_ns(one, now_ns),
    }


def status_of(session: Session, reader: Reader) -> dict[str, Any]:
    """Return everything a user may want to know of a running session as plain values."""
    now_ns = session.clock.now_ns()
    return {
        "run": session.folder.path.name,
        "mode": "paper",
        "pid": os.getpid(),
        "last_event": iso(session.live.last_ts),
        **vars(reader.account()),
        "positions": [vars(one) for one in reader.held()],
        "orders": [vars(one) for one in reader.working()],
        "counts": reader.counts(),
        "waiting": session.hub.waiting,
        "feeds": [feed_of(one, now_ns) for one in session.hub.health()],
        "disabled": reader.disabled(),
        "notes": [note_of(note) for note in [*islice(reversed(session.hub.log.notes), 5)][::-1]],
    }
