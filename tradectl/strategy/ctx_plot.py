"""`ctx.plot`: a value of one of the strategy's own series, for the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tradectl.core.codes import Reason
from tradectl.core.jit import routine
from tradectl.core.layout import engine_at, plot_at
from tradectl.risk.gate import is_warming
from tradectl.strategy.plots import key_of

__all__ = ["compiled_plot", "ctx_plot"]

PLOTS_FULL = int(Reason.PLOTS_FULL)


@routine
def put_plot(ctx, key, value):
    """Append a PLOT row of the current instrument; none while warming up, or where nobody keeps them."""
    engine = engine_at(ctx.engine, 0)
    if ctx.plots_capacity == 0 or is_warming(engine):
        return
    if ctx.n_plots >= ctx.plots_capacity:
        engine.fault_reason = PLOTS_FULL
        return
    row = plot_at(ctx.plots, ctx.n_plots)
    ctx.n_plots += 1
    row.ts_event = engine.now
    row.series = key
    row.value = value + 0.0 if value == value else math.nan  # one NaN and one zero: rows are compared by their bytes
    row.instrument = ctx.cursor_instrument
    row.strategy = ctx.cursor_strategy


def ctx_plot(ctx, name, value):
    """Send a value of the series `name` of the strategy's `Plots` to the report, at this time; NaN leaves a gap."""
    put_plot(ctx, key_of(name), float(value))


def compiled_plot(name: str) -> Callable[..., Any]:
    """Return `ctx_plot` of one series, whose name is a number by the time it is compiled."""
    key = key_of(name)

    def plot(ctx, name, value):
        put_plot(ctx, key, float(value))

    return plot
