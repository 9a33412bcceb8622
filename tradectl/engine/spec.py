"""What a run is made of, in the engine's own words: plain values that `config.wire` fills from a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import (
    AccountType,
    BarBy,
    BookLevel,
    Breach,
    FillAt,
    PathRule,
    QueueModel,
    SizingMethod,
    TriggerSource,
)
from tradectl.core.instrument import Instrument
from tradectl.core.ladder_layout import DEFAULT_WINDOW
from tradectl.core.layout import NO_LIMIT

__all__ = ["AccountSpec", "ExecutionSpec", "Hours", "InstrumentLimits", "RiskSpec", "RunSpec", "StrategySpec"]

NANO = 1_000_000_000


@dataclass(frozen=True)
class AccountSpec:
    """The account: its type, currency, initial balances (atoms by currency) and given rates (1e-12 by currency)."""

    account_type: AccountType = AccountType.CASH
    currency: str = "USD"
    balances: dict[str, int] = field(default_factory=lambda: {"USD": 100_000 * 100_000_000})
    leverage_nano: int = NANO
    rates_pico: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutionSpec:
    """How orders fill (docs/fills.md); *_nano are fractions in 1e-9, latencies in ns."""

    fill_at: FillAt = FillAt.NEXT_OPEN
    path: PathRule = PathRule.ADAPTIVE
    participation_nano: int = NANO
    slip_ticks: int = 0
    slip_nano: int = 0
    slip_share_nano: int = 0
    limit_gap_open: bool = False
    limit_touch: bool = False
    entry_bar: bool = True
    write_off: bool = False
    latency_entry_ns: int = 0
    latency_response_ns: int = 0
    latency_compute_ns: int = 0
    l1_leftover_ticks: int = 1
    sample_ns: int = NANO  # of equity on tick data: at most once in this time; 0: after every message


@dataclass(frozen=True)
class RiskSpec:
    """Account limits; *_atoms in the account's currency, NO_LIMIT where there is none."""

    max_order_notional_atoms: int = NO_LIMIT
    price_collar_nano: int = 0
    max_exposure_atoms: int = NO_LIMIT
    max_open_orders: int = NO_LIMIT
    rate_orders: int = 0
    rate_ns: int = 0
    max_drawdown_nano: int = NO_LIMIT
    on_breach: Breach = Breach.REJECT


@dataclass(frozen=True, eq=False)
class Hours:
    """When an instrument trades: (n, 5) int64 rows of SITTING, ns UTC, ascending; the first and last are edges.

    `by_clock`: its shorter derived bars are counted by the clock, not from the open; `keeps_outside`: what the data
    hold outside the sessions is traded.
    """

    sittings: npt.NDArray[np.int64]
    by_clock: bool = False
    keeps_outside: bool = False


@dataclass(frozen=True)
class InstrumentLimits:
    """Fees (1e-9 of notional), limits of one instrument and whether it starts unlisted."""

    maker_nano: int = 0
    taker_nano: int = 0
    max_order_lots: int = NO_LIMIT
    max_position_lots: int = NO_LIMIT
    max_position_notional: int = NO_LIMIT
    timeframe_ns: int = 60 * NANO
    listed: bool = True
    max_qty_lots: int = NO_LIMIT  # the venue's own
    level: BookLevel = BookLevel.BARS
    window: int = DEFAULT_WINDOW  # of its price ladder, ticks
    l3_orders: int = 65_536  # recorded orders that an order-by-order book knows at once
    queue_model: QueueModel = QueueModel.POWER3
    queue_power: float = 3.0
    trigger: TriggerSource = TriggerSource.LAST
    mid_bars: bool = False  # derived bars are made of mids, for there are no trades
    hours: Hours | None = None  # None: 24/7


@dataclass(frozen=True)
class StrategySpec:
    """One strategy: its bytes, its hooks by address (column of `Hook`), what it trades, its sizing."""

    name: str
    params: bytes
    state: bytes  # initial state of one record
    addresses: dict[int, int]
    portfolio: bool = False
    instruments: tuple[int, ...] | None = None  # None: all
    sizing_method: SizingMethod = SizingMethod.PERCENT_EQUITY
    sizing_value: int = 0
    disable_on_error: bool = False
    tag: str = ""
    plots: tuple[str, ...] = ()  # names of its series


@dataclass(frozen=True)
class RunSpec:
    """Everything that the engine needs to know before the first event."""

    instruments: Sequence[Instrument]
    limits: Sequence[InstrumentLimits]
    strategies: Sequence[StrategySpec]
    account: AccountSpec = field(default_factory=AccountSpec)
    execution: ExecutionSpec = field(default_factory=ExecutionSpec)
    risk: RiskSpec = field(default_factory=RiskSpec)
    frames_ns: Sequence[int] = ()  # derived timeframes, finest first
    frames_by: Sequence[tuple[BarBy, Decimal]] = ()  # bars by trades, units of the base or of the quote, after those
    call_source_bars: bool = True
    detail_capacity: int = 0
    order_capacity: int = 1024
    request_capacity: int = 1024
    report_capacity: int = 4096
    output_capacity: int = 65_536
    equity_capacity: int = 262_144
    funding_capacity: int = 4096  # settlements of funding that may wait for the ends of their bars
    latencies: Sequence[tuple[int, int, int]] = ()  # recorded (request, exchange, response) stamps, ns, by request
    keep_alive: Any = None  # what owns the code behind the addresses

    def without_plots(self) -> RunSpec:
        """Return the same run without the rows that strategies plot; its state is the same to the last byte."""
        return replace(self, strategies=tuple(replace(one, plots=()) for one in self.strategies))
