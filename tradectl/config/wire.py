"""From a checked configuration to everything a run needs: events, strategies, and the engine's RunSpec."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.config.load import Loaded
from tradectl.config.wire_calendars import hours_of
from tradectl.config.wire_data import Opened, find_instrument, open_data
from tradectl.config.wire_hooks import unheard
from tradectl.config.wire_latency import outrun_latencies, recorded_latencies
from tradectl.config.wire_numbers import (
    account_spec,
    counted_frames,
    execution_spec,
    frames_left_out,
    limits_of,
    refuse_unused_rates,
    risk_spec,
    sizing_of,
    wanted_frames,
)  # fmt: skip
from tradectl.config.wire_rules import reference_of
from tradectl.core.codes import Hook
from tradectl.core.instrument import Instrument
from tradectl.engine.advance import OUTPUT_MARGIN, advance, advance_bars
from tradectl.engine.spec import RunSpec, StrategySpec
from tradectl.errors import ConfigError
from tradectl.strategy.compile import CompiledHooks, compile_hooks
from tradectl.strategy.loader import LoadedStrategy, load_strategy

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig, StrategyBlock

__all__ = ["Timings", "Wired", "wire"]

MIN_CAPACITY = 65_536  # rows of fills and orders that the output buffers hold
MIN_EQUITY = 131_072


@dataclass
class Timings:
    """Seconds spent: opening and surveying data, compiling strategies and kernels."""

    load_s: float = 0.0
    compile_s: float = 0.0
    was_cached: bool = True


@dataclass(repr=False)
class Wired:
    """A run that only needs to be folded."""

    config: RunConfig
    spec: RunSpec
    data: Opened
    loaded: list[LoadedStrategy]
    hooks: list[CompiledHooks]
    timings: Timings

    def chunks(self, max_rows: int) -> Iterator[Any]:
        """Yield the run's events."""
        return self.data.chunks(max_rows)


def wire(
    loaded: Loaded,
    told: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
    opened: Opened | None = None,
) -> Wired:
    """Open the data, load and compile the strategies, and turn all settings into the engine's integers.

    `told` hears what is being done (`data`, `compile`), `progress` the number of rows of each batch that
    is surveyed. `opened` stands for the data of a live session.
    """
    config, folder = loaded.config, loaded.path.resolve().parent
    timings = Timings()
    tell = told or (lambda _what: None)
    # Faults in a strategy's source are told before minutes are spent on data.
    strategies = _strategies(config, folder, 1)
    # The kernels come from their cache, or are compiled, while the data is surveyed.
    only_bars = all(block.kind in ("bars", "funding") for block in config.data)
    if opened is not None:
        only_bars = all(opened.frame_of)
    fold = advance_bars if only_bars else advance
    kernels = threading.Thread(target=fold.load, name="kernels", daemon=True)
    kernels.start()
    start = time.perf_counter()
    tell("data")
    data = opened or open_data(config, folder, progress)
    refuse_unused_rates(loaded, data.instruments)
    timings.load_s = time.perf_counter() - start
    start = time.perf_counter()
    tell("compile")
    kernels.join()  # two threads must not compile at the same time
    fold.load()
    if len(data.instruments) > 1:  # what is held per instrument has another size now
        strategies = _strategies(config, folder, len(data.instruments))
    hooks = [compile_hooks(one, block.jit) for one, block in zip(strategies, config.strategies, strict=True)]
    timings.compile_s = time.perf_counter() - start
    timings.was_cached = fold.was_cached and all(h.was_cached for h in hooks)
    left_out = list(frames_left_out(config, data.instruments, data.frame_of))
    spec = _spec(config, folder, data, strategies, hooks)
    if data.report is not None:
        data.report.notes += left_out
        for block, one in zip(config.strategies, strategies, strict=True):
            data.report.notes += unheard(block.label, one, data.kinds)
        if not data.whole:  # the stamps of a journal are those of its session
            data.report.notes += outrun_latencies(data.report, spec)
    return Wired(config, spec, data, strategies, hooks, timings)


def _strategies(config: RunConfig, folder: Path, n_instruments: int) -> list[LoadedStrategy]:
    """Load all strategies for a number of instruments."""
    return [
        load_strategy(reference_of(config, block, folder), block.params, n_instruments=n_instruments, jit=block.jit)
        for block in config.strategies
    ]


def _spec(
    config: RunConfig,
    folder: Path,
    data: Opened,
    loaded: Sequence[LoadedStrategy],
    hooks: Sequence[CompiledHooks],
) -> RunSpec:
    n = len(data.instruments)
    frames_ns, call_source_bars = wanted_frames(config, data.frame_of)
    on_bar = [block.label for block, one in zip(config.strategies, hooks, strict=True) if Hook.ON_BAR in one.addresses]
    if on_bar and not config.bars and not call_source_bars:
        raise ConfigError(
            f"strategy {on_bar[0]} has on_bar, and the data has no bars",
            hint="give `bars: [1m]` to make them, or write on_trade, on_quote or on_depth",
        )
    requests = max(config.engine.request_capacity, 2 * n + 64)
    coarsest = max(data.frame_of)
    no_kinds = [frozenset[str]()] * n
    outputs = max(MIN_CAPACITY, 2 * OUTPUT_MARGIN + 2 * (config.engine.order_capacity + requests))
    return RunSpec(
        instruments=tuple(data.instruments),
        limits=tuple(
            limits_of(config, instrument, frame, kinds, hours_of(config, instrument, frame, frames_ns))
            for instrument, frame, kinds in zip(
                data.instruments, data.frame_of, data.kinds or no_kinds, strict=True
            )
        ),
        strategies=tuple(
            _strategy_spec(config, block, one, compiled, data.instruments)
            for block, one, compiled in zip(config.strategies, loaded, hooks, strict=True)
        ),
        account=account_spec(config.account),
        execution=execution_spec(config.execution, config.output.equity_every.ns),
        latencies=recorded_latencies(config.execution.latency, folder),
        risk=risk_spec(config.risk),
        frames_ns=frames_ns,
        frames_by=counted_frames(config, data.instruments, data.kinds),
        call_source_bars=call_source_bars,
        detail_capacity=coarsest // data.detail_ns + 1 if data.detail_ns else 0,
        order_capacity=config.engine.order_capacity,
        request_capacity=requests,
        report_capacity=config.engine.report_capacity,
        output_capacity=outputs,
        equity_capacity=max(MIN_EQUITY, config.engine.chunk + 16),
        keep_alive=list(hooks),
    )


def _strategy_spec(
    config: RunConfig,
    block: StrategyBlock,
    loaded: LoadedStrategy,
    hooks: CompiledHooks,
    instruments: Sequence[Instrument],
) -> StrategySpec:
    used = None
    if block.symbols is not None:
        used = tuple(sorted(find_instrument(symbol, instruments) for symbol in block.symbols))
    made = StrategySpec(
        name=block.label,
        params=loaded.params_bytes(),
        state=loaded.state_bytes(),
        addresses={int(hook): address for hook, address in hooks.addresses.items()},
        portfolio=loaded.is_portfolio,
        instruments=used,
        disable_on_error=(block.on_error or config.on_strategy_error or "stop") == "disable",
        tag=block.label,
        plots=tuple(loaded.spec.plots) if config.output.plots else (),
    )
    sizing = block.sizing or config.sizing
    if sizing is None:
        return made
    method, value = sizing_of(sizing)
    return replace(made, sizing_method=method, sizing_value=value)
