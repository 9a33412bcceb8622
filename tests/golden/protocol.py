"""What golden scripts and random sequences say to a simulator, and what it must answer: integers only.

Prices are ticks, quantities lots, money atoms (1e-8 of a unit), times ns, ratios `_e9` = units of 1e-9.
A run is `configure(config)`, then `step(step)` once per timestamp, then `result()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Protocol

from tradectl.core.codes import (
    AccountType,
    Breach,
    Command,
    FillAt,
    MarketStatus,
    PathRule,
    Reason,
    TimeInForce,
    TradingState,
)

__all__ = [
    "ATOMS", "E9", "Backend", "Bar", "Cancel", "Config", "FillRow", "InstrumentSpec", "Modify", "OrderRow",
    "PositionRow", "Request", "Result", "Step", "StepReport", "Submit",
]  # fmt: skip

ATOMS = 100_000_000  # atoms in a unit of currency
E9 = 1_000_000_000  # units in a ratio of one


@dataclass(frozen=True)
class InstrumentSpec:
    """One instrument; its index is its place in `Config.instruments`; two of the risk limits stand here."""

    name: str = "X"
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal("0.0001")
    min_qty_lots: int = 0
    min_notional_atoms: int = 0
    max_qty_lots: int = 10**12
    max_price_ticks: int = 10**9
    max_notional_atoms: int = 2**62
    max_order_qty_lots: int | None = None
    max_position_lots: int | None = None

    @cached_property
    def atoms_per_tick_lot(self) -> Fraction:
        """Return the money, in atoms, of one lot at a price of one tick."""
        return Fraction(self.tick_size) * Fraction(self.lot_size) * ATOMS


@dataclass(frozen=True)
class Config:
    """Everything that the fill contract makes configurable, in one currency; None = no such limit."""

    instruments: tuple[InstrumentSpec, ...] = (InstrumentSpec(),)
    timeframe_ns: int = 60 * E9
    account: AccountType = AccountType.CASH
    leverage_e9: int = E9
    balance_atoms: int = 100_000 * ATOMS
    maker_e9: int = 0
    taker_e9: int = 0
    fill_at: FillAt = FillAt.NEXT_OPEN
    path: PathRule = PathRule.ADAPTIVE
    limit_gap_open: bool = False  # limit_gap: open
    limit_touch: bool = False  # limit_touch: touch
    entry_bar: bool = True
    participation_e9: int = E9
    slippage_ticks: int = 0  # at most one of the three slippages is not zero
    slippage_rate_e9: int = 0  # bps: 1 bps = 100_000
    slippage_share_e9: int = 0  # volume_share: k
    write_off: bool = False  # delisting: write_off
    latency_entry_ns: int = 0
    detail_ns: int = 0  # timeframe of the detail bars, 0: none
    sessions: tuple[tuple[int, int], ...] | None = None  # (open, close), ns, the last beyond all data; None: 24/7
    keeps_outside: bool = False  # outside_session: keep
    max_order_notional_atoms: int | None = None
    price_collar_e9: int | None = None
    max_exposure_atoms: int | None = None
    max_open_orders: int | None = None
    max_order_rate: int | None = None  # orders per window
    rate_window_ns: int = 60 * E9
    max_drawdown_e9: int | None = None
    on_breach: Breach = Breach.REJECT


@dataclass(frozen=True)
class Bar:
    """One bar: prices in ticks, volume in lots (None: no volume column)."""

    open: int
    high: int
    low: int
    close: int
    volume: int | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Submit:
    """A new order; ids are counted from 1 over all submissions (denied ones too, and the risk unit's own).

    `order_type`, `side` and `time_in_force` are raw integers: they may be unknown to the enums. A `*_fault`
    is NOT_A_NUMBER, QTY_NOT_ON_LOT or PRICE_NOT_ON_TICK where the written value (`*_text`) is no such
    integer; the integer is then that value rounded away from zero (0 for NaN). Prices not given are 0.
    """

    side: int
    order_type: int
    qty_lots: int
    limit_ticks: int = 0
    trigger_ticks: int = 0
    time_in_force: int = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    instrument: int = 0  # may be out of range
    expires: int = 0  # of GTD, ns
    qty_fault: Reason = Reason.NONE
    limit_fault: Reason = Reason.NONE
    trigger_fault: Reason = Reason.NONE
    qty_text: str = ""
    limit_text: str = ""
    trigger_text: str = ""


@dataclass(frozen=True)
class Cancel:
    """Cancel an order by its id (which may be unknown)."""

    order_id: int


@dataclass(frozen=True)
class Modify:
    """Change total quantity, limit or stop price; None leaves it."""

    order_id: int
    qty_lots: int | None = None
    limit_ticks: int | None = None
    trigger_ticks: int | None = None
    qty_fault: Reason = Reason.NONE  # as in `Submit`
    limit_fault: Reason = Reason.NONE
    trigger_fault: Reason = Reason.NONE


Request = Submit | Cancel | Modify


@dataclass
class Step:
    """One timestamp: statuses, commands, the batch of bars that end at it, then what the hooks ask for.

    `funding` (instrument, time, rate in 1e-12, mark price in ticks or 0) comes first.
    In this order: `statuses` (instrument, status, price in ticks or 0 for the last one), `commands`, `bars`
    by instrument index (`details`: the finer bars inside them, in time order), then `requests` one by one.
    A step has at least one status, command or bar, and requests only where it has a bar.
    """

    ts: int
    statuses: list[tuple[int, MarketStatus, int]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    bars: dict[int, Bar] = field(default_factory=dict)
    details: dict[int, list[Bar]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    warmup: bool = False  # its bars are history from before a session
    funding: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class FillRow:
    """One fill; the end of a position by delisting has order id 0 and is a TAKER."""

    order_id: int
    instrument: int
    side: int
    price_ticks: int
    qty_lots: int
    liquidity: int
    phase: int
    fee_atoms: int
    realised_atoms: int
    ts: int
    ambiguous: bool = False


@dataclass(frozen=True)
class OrderRow:
    """One order as it stands; `leaves_lots` is 0 for a final one."""

    order_id: int
    instrument: int
    side: int
    order_type: int
    status: int
    reason: int
    filled_lots: int
    leaves_lots: int
    ts_submitted: int


@dataclass(frozen=True)
class PositionRow:
    """The position in one instrument; cost is signed (a short has a negative one)."""

    instrument: int
    lots: int
    cost_atoms: int
    realised_atoms: int


@dataclass
class StepReport:
    """What one step did: its fills, a reason per request (0: taken), rows of all orders that changed."""

    fills: list[FillRow]
    outcomes: list[int]
    orders: list[OrderRow]


@dataclass
class Result:
    """The whole run; `equity` has one sample per step, after everything that happened at it."""

    fills: list[FillRow]
    orders: list[OrderRow]
    positions: list[PositionRow]
    balance_atoms: int
    fees_atoms: int
    equity: list[tuple[int, int]]
    ambiguous_bars: int
    trading_state: TradingState
    audit_ok: bool
    funding_atoms: int = 0  # paid


class Backend(Protocol):
    """A simulator that golden scripts and random sequences run through."""

    name: str

    def configure(self, config: Config) -> None:
        """Begin a new run."""

    def step(self, step: Step) -> StepReport:
        """Apply one timestamp."""

    def result(self) -> Result:
        """Return the rows of the run so far, orders by id, fills in the order they happened."""


