"""One variant of a run that is stress-tested, and its figures, gathered while it is folded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradectl.cli.runner_fold import PICO
from tradectl.cli.stress_axes import Point
from tradectl.core.codes import LiquiditySide, OrderStatus
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.engine.host import Outcome
from tradectl.engine.ports import Rows
from tradectl.engine.state import State

__all__ = ["Cell", "Tally", "cell_of"]


@dataclass(frozen=True)
class Cell:
    """One variant and its figures, named as in summary.json; money in the account's currency.

    A figure is None where it is not defined, as are all where `error` says why the fold stopped. `fills_hash` is
    that of all fills' times, orders, prices and lots: equal where only fees differ.
    """

    point: Point
    pnl: float | None = None
    total_return: float | None = None
    final_equity: float | None = None
    fees: float | None = None
    notional: float | None = None
    orders: int | None = None
    fills: int | None = None
    fill_ratio_orders: float | None = None
    fill_ratio_qty: float | None = None
    maker_share_notional: float | None = None
    max_drawdown: float | None = None
    denied: int | None = None
    rejected: int | None = None
    ambiguous_bars: int | None = None
    strategy_errors: int | None = None
    state_hash: str | None = None
    fills_hash: str | None = None
    error: str | None = None

    def row(self) -> dict[str, Any]:
        """Return it flat: the labels of its axes, latencies in ns, then the figures."""
        latency = self.point.latency
        figures = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "point"}
        delays = {"entry_ns": latency.entry_ns, "response_ns": latency.response_ns}
        return {**self.point.labels, **(dict.fromkeys(delays) if latency.recorded else delays), **figures}

    @property
    def fill_ratio(self) -> float | None:
        """Return the filled share of the quantity; of orders where several instruments' quantities do not add up."""
        return self.fill_ratio_orders if self.fill_ratio_qty is None else self.fill_ratio_qty


class Tally:
    """A sink that keeps sums over fills and orders, the equity that the run starts with, and no row."""

    def __init__(self, instruments: int, initial_atoms: int | None) -> None:
        self.initial_atoms = initial_atoms  # None: that of the first sample
        self.money = np.zeros(instruments)  # atoms of each quote currency
        self.maker_money = np.zeros(instruments)
        self.sent = self.filled = self.ordered_lots = self.filled_lots = 0
        self.digest = hashlib.blake2b(digest_size=16)

    def rows(self, kind: str, rows: Rows) -> None:
        """Take rows from the host."""
        if kind == "fills":
            self._fills(rows)
        elif kind == "orders":
            self._orders(rows)
        elif kind == "equity" and self.initial_atoms is None:
            self.initial_atoms = int(rows["equity_atoms"][0])

    def _fills(self, rows: Rows) -> None:
        columns = [rows[name] for name in ("ts_event", "order_id", "price_ticks", "qty_lots", "side")]
        self.digest.update(np.stack(columns, axis=1).astype(np.int64).tobytes())
        rows = rows[rows["order_id"] != 0]  # not what a delisting closed
        made = rows[rows["liquidity_side"] == LiquiditySide.MAKER]
        for sums, some in ((self.money, rows), (self.maker_money, made)):
            sums += np.bincount(some["instrument"], some["notional_atoms"], len(sums))

    def _orders(self, rows: Rows) -> None:
        rows = rows[(rows["status"] != OrderStatus.DENIED) & (rows["id"] != 0)]
        self.sent += len(rows)
        self.filled += int((rows["status"] == OrderStatus.FILLED).sum())
        self.ordered_lots += int(rows["qty_lots"].sum())
        self.filled_lots += int(rows["filled_lots"].sum())


def cell_of(point: Point, state: State, outcome: Outcome, tally: Tally) -> Cell:
    """Return the figures of a fold that is done."""
    if outcome.error is not None:
        return Cell(point, error=str(outcome.error))
    engine, n = state.engine[0], len(state.spec.instruments)
    final, initial = int(engine["equity_atoms"]), tally.initial_atoms
    rates = np.array([row.rate_pico for row in outcome.balances])[state.markets[:n]["currency"]] / PICO
    notional = float((tally.money * rates).sum()) / ATOMS_PER_UNIT
    made = float((tally.maker_money * rates).sum()) / ATOMS_PER_UNIT
    return Cell(
        point,
        pnl=None if initial is None else (final - initial) / ATOMS_PER_UNIT,
        total_return=final / initial - 1.0 if initial else None,
        final_equity=final / ATOMS_PER_UNIT,
        fees=sum(row.fees_atoms * row.rate_pico // PICO for row in outcome.balances) / ATOMS_PER_UNIT,
        notional=notional,
        orders=int(engine["n_orders"]),
        fills=int(engine["n_fills"]),
        fill_ratio_orders=tally.filled / tally.sent if tally.sent else None,
        fill_ratio_qty=tally.filled_lots / tally.ordered_lots if n == 1 and tally.ordered_lots else None,
        maker_share_notional=made / notional if notional > 0.0 else None,
        max_drawdown=float(engine["max_drawdown"]),
        denied=int(engine["n_denied"]),
        rejected=int(engine["n_rejected"]),
        ambiguous_bars=int(engine["n_ambiguous"]),
        strategy_errors=int(state.strategies["n_errors"].sum()),
        state_hash=state.hash(),
        fills_hash=tally.digest.hexdigest(),
    )
