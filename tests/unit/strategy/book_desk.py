"""A strategy of the shipped ones on a book that a test moves by hand."""

from __future__ import annotations

import importlib.util
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

from tradectl.core.codes import AccountType, BookLevel, Command, EventFlag, EventKind, FoldCode, OrderStatus
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.engine.host import command_event
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy

__all__ = ["MS", "SECOND", "Desk", "module"]

STRATEGIES = Path(__file__).parents[3] / "strategies"
MS, SECOND = 1_000_000, 1_000_000_000  # ns
UNIT = 100_000_000  # atoms
END = int(EventFlag.MESSAGE_END)
ALL = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END) | END


def module(name: str) -> ModuleType:
    """Return the module of a shipped strategy, to call its plain functions."""
    spec = importlib.util.spec_from_file_location(name, STRATEGIES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(STRATEGIES))
    try:
        spec.loader.exec_module(made)
    finally:
        sys.path.remove(str(STRATEGIES))
    return made


class Desk:
    """One instrument (tick 0.01, lot 1) with one strategy; `wait` and every event move the clock."""

    def __init__(self, name: str | Path, latency_ns: int = 0, jit: bool = False, **params: Any) -> None:
        path = name if isinstance(name, Path) else STRATEGIES / f"{name}.py"
        loaded = load_strategy(str(path), params, n_instruments=1, jit=jit)
        hooks = compile_hooks(loaded, jit)
        spec = StrategySpec(
            path.stem, loaded.params_bytes(), loaded.state_bytes(), {int(k): a for k, a in hooks.addresses.items()}
        )
        self.state = State(
            RunSpec(
                [Instrument("T", "X/USD", "X", "USD", Decimal("0.01"), Decimal(1))],
                [InstrumentLimits(level=BookLevel.DEPTH)], [spec],
                AccountSpec(AccountType.MARGIN, "USD", {"USD": 10**9 * UNIT}, 10 * 10**9),
                ExecutionSpec(latency_entry_ns=latency_ns, latency_response_ns=latency_ns, sample_ns=0),
                keep_alive=[hooks, loaded],
            )
        )  # fmt: skip
        self.dtype = loaded.state_dtype
        self.now = 1_000 * SECOND
        self.fills: list[Any] = []
        self.ended: list[Any] = []
        self.state.fold(command_event(Command.START, self.now))

    def book(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        """Tell the whole book: lots by price in ticks."""
        rows = [(1, *level) for level in bids.items()] + [(-1, *level) for level in asks.items()]
        flags = [0] * len(rows)
        flags[0] |= ALL[0]
        flags[-1] |= ALL[1]
        self._send([(EventKind.DEPTH, side, f, p, q) for (side, p, q), f in zip(rows, flags, strict=True)])

    def level(self, side: int, price: int, lots: int) -> None:
        """Tell one level."""
        self._send([(EventKind.DEPTH, side, END, price, lots)])

    def trade(self, side: int, price: int, lots: int) -> None:
        """Tell a trade by its aggressor."""
        self._send([(EventKind.TRADE, side, END, price, lots)])

    def wait(self, ns: int) -> None:
        """Let time go by: the deepest bid is told again, so that timers and reports come."""
        self.now += ns
        self.level(1, 1, 1)

    def orders(self, side: int) -> list[tuple[int, int, int]]:
        """Return (price, lots left, id) of the live orders of a side, highest price first."""
        live = [
            (int(o["price_ticks"]), int(o["leaves_lots"]), int(o["id"]))
            for o in self.state.orders
            if o["id"] and OrderStatus.SUBMITTED <= o["status"] <= OrderStatus.PENDING_CANCEL and o["side"] == side
        ]
        return sorted(live, reverse=True)

    @property
    def memory(self) -> Any:
        """Return the strategy's state record."""
        start = int(self.state.strategies[0]["state"])
        return self.state.blob[start : start + self.dtype.itemsize].view(self.dtype)[0]

    @property
    def position(self) -> int:
        """Return the position in lots."""
        return int(self.state.positions[0]["lots"])

    def _send(self, rows: list[tuple[int, int, int, int, int]]) -> None:
        self.now += MS
        events = empty_events(len(rows))
        for event, (kind, side, flags, price, lots) in zip(events, rows, strict=True):
            event["ts_event"] = event["ts_recv"] = self.now
            event["kind"], event["side"], event["flags"] = kind, side, flags
            event["w0"], event["w1"] = price, lots
        assert self.state.fold(events)[0] == FoldCode.DONE
        drained = self.state.drain()
        self.fills += list(drained["fills"].copy())
        self.ended += list(drained["orders"].copy())
