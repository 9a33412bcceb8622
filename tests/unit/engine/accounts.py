"""A run of several strategies or currencies, driven request by request without any strategy code."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.golden.kernel_backend import take_requests
from tradectl.core.codes import AccountType, EventFlag, EventKind, FoldCode, OrderType, RequestKind
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.engine.spec import AccountSpec, InstrumentLimits, RiskSpec, RunSpec, StrategySpec
from tradectl.engine.state import State

__all__ = ["MINUTE", "UNIT", "Desk", "instrument"]

UNIT = 100_000_000  # atoms of a currency unit
MINUTE = 60_000_000_000


def instrument(symbol: str, tick: str = "1", lot: str = "1") -> Instrument:
    """Return an instrument BASE/QUOTE."""
    base, quote = symbol.split("/")
    return Instrument("T", symbol, base, quote, Decimal(tick), Decimal(lot))


class Desk:
    """A state with its clock; every call is one timestamp or one request."""

    def __init__(
        self, symbols: Sequence[Instrument], account: AccountSpec, strategies: Sequence[StrategySpec] | None = None,
        limits: InstrumentLimits | None = None, risk: RiskSpec | None = None,
    ) -> None:  # fmt: skip
        self.state = State(
            RunSpec(
                symbols, [limits or InstrumentLimits()] * len(symbols),
                strategies or [StrategySpec("a", b"", b"", {}), StrategySpec("b", b"", b"", {})],
                account, risk=risk or RiskSpec(), order_capacity=64, request_capacity=16, report_capacity=64,
                output_capacity=32_768, equity_capacity=256,
            )
        )  # fmt: skip
        self.now = MINUTE
        self.fills: list[Any] = []
        self.samples: list[int] = []  # equity, atoms

    def bars(self, *closes: int | None) -> None:
        """Fold one timestamp of flat bars at these prices (None: no bar)."""
        rows = [(i, price) for i, price in enumerate(closes) if price is not None]
        events = empty_events(len(rows))
        for event, (i, price) in zip(events, rows, strict=True):
            event["kind"], event["instrument"] = EventKind.BAR, i
            event["ts_event"] = event["ts_recv"] = self.now
            event["w0"] = event["w1"] = event["w2"] = event["w3"] = price
            event["w4"] = -1
        events[-1]["flags"] = EventFlag.LAST
        self.now += MINUTE
        assert self.state.fold(events)[0] == FoldCode.DONE
        out = self.state.drain()
        self.fills += list(out["fills"])
        self.samples += out["equity"]["equity_atoms"].tolist()

    def submit(
        self, strategy: int, i: int, side: int, lots: int, order_type: int = OrderType.MARKET, **more: int
    ) -> int:
        """Submit one order; return the reason of its refusal or 0."""
        row = self.state.requests[0]
        for name in row.dtype.names:
            row[name] = 0
        values = {"kind": RequestKind.SUBMIT, "strategy": strategy, "instrument": i, "side": side, "qty_lots": lots}
        for name, value in (values | {"order_type": order_type, "time_in_force": 1} | more).items():
            row[name] = value
        self.state.engine[0]["n_requests"] = 1
        take_requests(self.state.address)
        return int(self.state.requests[0]["reason"])

    def lots(self, strategy: int, i: int) -> int:
        """Return a strategy's own position."""
        return int(self.state.positions[strategy * len(self.state.markets) + i]["lots"])

    def net(self, i: int) -> int:
        """Return the account's net position."""
        return int(self.state.markets[i]["net_lots"])


def margin(currency: str, balances: dict[str, int], leverage: int = 1, **rates: int) -> AccountSpec:
    """Return a margin account with balances in units and rates in 1e-12."""
    atoms = {name: units * UNIT for name, units in balances.items()}
    return AccountSpec(AccountType.MARGIN, currency, atoms, leverage * 1_000_000_000, rates)
