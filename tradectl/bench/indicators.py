"""What an indicator costs: nanoseconds a value in a compiled hook, and seconds of compilation it adds to a strategy."""

from __future__ import annotations

import gc
import inspect
import multiprocessing
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.bench.bars import walk_events
from tradectl.core import layout as L
from tradectl.core.codes import Hook
from tradectl.core.jit import Words, entry
from tradectl.core.layout import world_at
from tradectl.core.records import call_hook
from tradectl.strategy.compile import CompiledHooks, compile_hooks
from tradectl.strategy.indicators.registry import INDICATORS
from tradectl.strategy.loader import LoadedStrategy, load_strategy

__all__ = ["Line", "bar_rows", "bench_indicators", "drive_bars", "strategy_text"]

BAR_SIZE = L.BAR.itemsize
DAY_NS = 86_400_000_000_000
INPUTS = {  # what an update takes in, from a bar
    "ticks": "ctx.close_ticks", "close_ticks": "ctx.close_ticks", "high_ticks": "ctx.high_ticks",
    "low_ticks": "ctx.low_ticks", "volume_lots": "ctx.volume_lots", "x": "ctx.close", "price": "ctx.close",
    "y": "ctx.open", "high": "ctx.high", "low": "ctx.low", "close": "ctx.close", "volume": "ctx.volume",
    "session": f"ctx.ts_event // {DAY_NS}",
}  # fmt: skip
BASE = ("sma", "ema")  # what the strategy has already to which one more is added
BARS, REPEATS, CHILDREN = 200_000, 5, 2


@dataclass(frozen=True)
class Line:
    """One indicator of a strategy: its name, and its constructor's arguments as text."""

    name: str
    arguments: str = ""

    def declared(self) -> str:
        """Return what declares it in the state."""
        kind = INDICATORS[self.name].record
        missing = inspect.signature(kind.__init__).parameters.get("length")
        needs = missing is not None and missing.default is inspect.Parameter.empty
        return f"{kind.__name__}({self.arguments or ('14' if needs else '')})"

    def call(self, record: str) -> str:
        """Return the call that takes in a bar."""
        names = list(inspect.signature(INDICATORS[self.name].update).parameters)[1:]
        return f"{self.name}({', '.join([record, *(INPUTS[name] for name in names)])})"


def strategy_text(lines: Sequence[Line], *, rows: int = 0, params: Sequence[str] = ()) -> str:
    """Return a strategy of these indicators that adds up what they return.

    With `rows` it also keeps every output of up to `rows` bars in `out`, output by output, NaN until ready.
    """
    state = [f"a{k} = {line.declared()}" for k, line in enumerate(lines)]
    outputs = [(k, name) for k, line in enumerate(lines) for name in INDICATORS[line.name].outputs]
    state += ["seen = Int64()", "total = Float64()", "day = Int64()"]
    state += [f"out = Array(Float64, {len(outputs) * rows})"] if rows else []
    body = ["s.total += ctx.open + ctx.high + ctx.low + ctx.close + ctx.volume", f"s.day = {INPUTS['session']}"]
    for k, line in enumerate(lines):
        body += [f"v{k} = {line.call(f's.a{k}')}", f"s.total += v{k}"]
    for row, (k, name) in enumerate(outputs if rows else []):
        value = f"v{k}" if name == "value" else f"s.a{k}.{name}"
        body.append(f"s.out[{row * rows} + s.seen] = {value} if ready(s.a{k}) else math.nan")
    body.append("s.seen += 1")
    given = "".join(f"        {one}\n" for one in params)
    return (
        "import math\nfrom tradectl.strategy import *\n\n\n@strategy\nclass Measured:\n"
        + (f"    class Params:\n{given}\n" if params else "")
        + "    class State:\n" + "".join(f"        {one}\n" for one in state)
        + "\n    def on_bar(ctx, p, s):\n" + "".join(f"        {one}\n" for one in body)
    )  # fmt: skip


@entry(Words(6))
def _drive(hook, world_address, params, state, bars, n):  # type: ignore[no-untyped-def]
    """Call a hook with each of n bars; return how many calls raised."""
    world = world_at(world_address, 0)
    raised = 0
    for t in range(n):
        world.cursor_bar = bars + t * BAR_SIZE
        raised += call_hook(hook, world_address, params, state)
    return raised


def drive_bars(
    loaded: LoadedStrategy, hooks: CompiledHooks, bars: npt.NDArray[Any], tick: tuple[float, float] = (1.0, 100.0)
) -> tuple[npt.NDArray[Any], float]:
    """Call `on_bar` with each of the BAR records; return the (1,) state then, and the seconds it took."""
    world, market = np.zeros(1, L.WORLD), np.zeros(1, L.MARKET)
    market["tick_num"], market["tick_den"] = tick
    market["lot_num"] = market["lot_den"] = 1.0
    params = np.frombuffer(bytearray(loaded.params_bytes()), np.uint8)
    state = np.frombuffer(bytearray(loaded.state_bytes()), loaded.state_dtype)
    world["cursor_market"], world["self_address"] = market.ctypes.data, world.ctypes.data
    begun = time.perf_counter()
    addresses = (one.ctypes.data for one in (world, params, state, bars))
    raised = _drive(hooks.addresses[Hook.ON_BAR], *addresses, len(bars))
    seconds = time.perf_counter() - begun
    if raised:
        raise RuntimeError("indicators bench: the hook raised") from hooks.last_error
    return state, seconds


def bar_rows(
    open_: npt.NDArray[Any], high: npt.NDArray[Any], low: npt.NDArray[Any], close: npt.NDArray[Any],
    volume: npt.NDArray[Any], ts_event: npt.NDArray[Any],
) -> npt.NDArray[Any]:  # fmt: skip
    """Return BAR records of integer ticks, lots and ns."""
    made = np.zeros(len(open_), L.BAR)
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": volume, "ts_event": ts_event}
    for name, column in columns.items():
        made[name] = column
    return made


def _walk(bars: int) -> npt.NDArray[Any]:
    events = walk_events(bars)
    return bar_rows(*(events[name] for name in ("w0", "w1", "w2", "w3", "w4", "ts_event")))


def _load(lines: Sequence[Line], folder: Path) -> LoadedStrategy:
    """Load a strategy that shares no compiled code with an earlier one."""
    path = folder / f"measured_{time.time_ns()}.py"
    path.write_text(strategy_text(lines), encoding="utf-8")
    return load_strategy(path)


def _measure(lines: Sequence[Line], folder: Path, bars: npt.NDArray[Any]) -> tuple[float, float]:
    """Return ns a bar (the best of several), and CPU seconds of compilation."""
    loaded = _load(lines, folder)
    begun = time.process_time()
    hooks = compile_hooks(loaded)
    compiled = time.process_time() - begun
    seconds = min(drive_bars(loaded, hooks, bars)[1] for _ in range(REPEATS))
    return seconds / len(bars) * 1e9, compiled


def _apart(lines: Sequence[Line], folder: Path, bars: npt.NDArray[Any]) -> tuple[float, float]:
    """Measure in children of this process, which know what it has compiled but not what another child has."""
    context = multiprocessing.get_context("fork")
    gc.freeze()  # as a run does, too
    found = []
    for _ in range(CHILDREN):
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=lambda out=sender: out.send(_measure(lines, folder, bars)))
        child.start()
        found.append(receiver.recv())
        child.join()
    return min(ns for ns, _compiled in found), min(compiled for _ns, compiled in found)


def bench_indicators(names: Sequence[str] = ()) -> dict[str, Any]:
    """Measure each indicator beside two averages: ns a value, and CPU seconds of compilation it adds to a strategy."""
    bars = _walk(BARS)
    base = [Line(name) for name in BASE]
    result: dict[str, Any] = {"bars": len(bars)}
    with tempfile.TemporaryDirectory(prefix="tradectl-bench-") as name:
        folder = Path(name)
        _measure(base, folder, bars)  # the compiler's own start, and what all strategies share
        ns, compiled = _apart(base, folder, bars)
        result["base_ns"], result["base_compile_s"] = round(ns, 2), round(compiled, 3)
        added = {}
        for one in names or [name for name in INDICATORS if name != "cross"]:
            with_one, seconds = _apart([*base, Line(one)], folder, bars)
            result[f"{one}_ns"] = round(max(with_one - ns, 0.0), 2)
            added[one] = result[f"{one}_compile_s"] = round(seconds - compiled, 3)
    return result | _worst(added, result)


def _worst(added: Mapping[str, float], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the slowest of all, and the one that takes longest to compile."""
    slow = max(added, key=lambda name: result[f"{name}_ns"])
    long = max(added, key=lambda name: added[name])
    return {"slowest": slow, "slowest_ns": result[f"{slow}_ns"], "longest": long, "longest_compile_s": added[long]}
