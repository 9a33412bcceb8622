"""Every decision of a run as a plain value: what each hook asked for, read between the hook and the engine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from tradectl.core import records
from tradectl.core.codes import Hook, OrderFlag, OrderType, RequestKind, TimeInForce
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.layout import UNCHANGED, engine_at, request_at
from tradectl.engine.host_fault import iso
from tradectl.engine.spec import RunSpec
from tradectl.engine.state import State
from tradectl.strategy.compile import REPORT_HOOKS

__all__ = ["After", "Decision", "Recorder"]

RAISED = 1  # a hook's status, in numba's convention, when it raised
After = Callable[[int, Hook, int, int], None]
PRICED = (RequestKind.SUBMIT, RequestKind.MODIFY)


@dataclass(frozen=True)
class Decision:
    """One request of a hook; `event` is the number of events applied before, `ts` the hook's time, ns UTC.

    `qty` and prices are decimals of the units that traders use; None: left to sizing, without a price, unchanged.
    """

    event: int
    ts: int
    hook: str
    strategy: str
    kind: str
    symbol: str
    side: str = ""
    order_type: str = ""
    time_in_force: str = ""
    flags: int = 0
    qty: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    tag: int = 0
    order_id: int = 0

    def same(self, other: Decision) -> bool:
        """Return whether two runs decided the same; the number of the event may be another."""
        return replace(self, event=0) == replace(other, event=0)

    def signal(self) -> tuple[Any, ...]:
        """Return what it asks for without what depends on the money and orders that came before."""
        return (self.strategy, self.kind, self.symbol, self.side, self.order_type, self.flags, self.limit, self.stop)

    def text(self) -> str:
        """Return it in words."""
        qty = f"{self.qty:f}" if self.qty is not None else "by sizing" if self.side else ""
        words = [self.side or self.kind.replace("_", " "), qty, self.symbol, self.order_type]
        words += [f"{name} {value:f}" for name in ("limit", "stop") if (value := getattr(self, name)) is not None]
        words += [f"of order {self.order_id}"] if self.kind in ("MODIFY", "CANCEL") else []
        return " ".join(word for word in words if word)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {name: f"{v:f}" if isinstance(v, Decimal) else v for name, v in asdict(self).items()}
        return {**plain, "ts": iso(self.ts), "text": self.text()}


class Recorder:
    """Stands between the fold and the hooks of a run, and writes down what they ask for.

    `spec` is the run's, with addresses of its own. `after` hears of each call: index of the strategy, hook, time,
    address of the state.
    """

    def __init__(self, spec: RunSpec, after: After | None = None) -> None:
        self.decisions: list[Decision] = []
        self.after = after
        self._given = spec
        self._keep: list[Any] = []
        self._world: Any = None
        strategies = [
            replace(one, addresses={hook: self._between(k, Hook(hook), at) for hook, at in one.addresses.items()})
            for k, one in enumerate(spec.strategies)
        ]
        self.spec = replace(spec, strategies=tuple(strategies))

    def watch(self, state: State) -> None:
        """Read the requests of this state from now on."""
        self._world = state.world

    def _between(self, strategy: int, hook: Hook, address: int) -> int:
        """Return the address of what calls a hook and looks at its requests."""
        if not address:
            return 0
        types = [ctypes.c_void_p] * (6 if hook in REPORT_HOOKS else 5)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *types)
        inner = records.HOOKS[address] if DISABLE_JIT else prototype(address)

        def call(*args: int) -> int:
            status = int(inner(*args))
            if status != RAISED:
                self._read(strategy, hook)
                if self.after is not None:
                    self.after(strategy, hook, engine_at(self._world.engine, 0).now, args[4])
            return status

        if DISABLE_JIT:
            records.HOOKS[id(call)] = call
            self._keep.append(call)
            return id(call)
        made = prototype(call)
        self._keep += [inner, made]
        return int(ctypes.cast(made, ctypes.c_void_p).value or 0)

    def _read(self, strategy: int, hook: Hook) -> None:
        """Write down the requests that wait."""
        engine = engine_at(self._world.engine, 0)
        for k in range(engine.n_requests):
            self.decisions.append(self._decision(request_at(self._world.requests, k), engine, strategy, hook))

    def _decision(self, request: Any, engine: Any, strategy: int, hook: Hook) -> Decision:
        kind = RequestKind(request.kind)
        known = 0 <= request.instrument < len(self._given.instruments)
        instrument = self._given.instruments[request.instrument] if known else None
        tick, lot = (instrument.tick_size, instrument.lot_size) if instrument else (Decimal(1), Decimal(1))
        priced = kind in PRICED
        none = UNCHANGED if kind == RequestKind.MODIFY else 0

        def amount(value: int, unit: Decimal) -> Decimal | None:
            return value * unit if priced and value != none else None

        submit = kind == RequestKind.SUBMIT
        return Decision(
            event=engine.n_events, ts=engine.now, hook=hook.name.lower(),
            strategy=self._given.strategies[strategy].name, kind=kind.name,
            symbol=instrument.id if instrument else "",
            side={1: "BUY", -1: "SELL"}.get(request.side, "") if submit else "",
            order_type=OrderType(request.order_type).name if submit else "",
            time_in_force=TimeInForce(request.time_in_force).name if submit else "",
            flags=request.flags & ~int(OrderFlag.SYSTEM) if submit else 0,
            qty=amount(request.qty_lots, lot), limit=amount(request.price_ticks, tick),
            stop=amount(request.trigger_ticks, tick), tag=request.tag, order_id=request.order_id,
        )  # fmt: skip
