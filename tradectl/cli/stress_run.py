"""What `stress` does, without printing: one run wired once, its variants folded, its break-even points found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradectl.cli.runner import Progress
from tradectl.cli.runner_summary import peak_rss_mb, units
from tradectl.cli.stress_axes import (
    AXES,
    HIGHEST_FEE,
    LOWEST_FEE,
    MOST_FACTOR,
    Axes,
    FeeLevel,
    Latency,
    Point,
    Wanted,
    axes_of,
    base_of,
    grid_rows,
    plan,
)
from tradectl.cli.stress_cell import Cell
from tradectl.cli.stress_fold import Folds
from tradectl.config.load import load_config
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_latency import outrun_latencies
from tradectl.core.codes import BookLevel
from tradectl.metrics.breakeven import crossings, fee_factor, flat_rate, narrow

__all__ = ["Asked", "break_even_fee", "break_even_latency", "grid_of", "stress"]

FINEST_NS = 1_000  # of a break-even latency; a power of ten, so that it is a round number
PARTS = 4_096  # of the way between two latencies, at most
Fold = Callable[[Point], Cell]
JUMP = 0.1  # of the change of P&L over the way that is searched
GRID_FIGURES = ("pnl", "fill_ratio")


@dataclass(frozen=True)
class Asked:
    """What a stress test is asked for; `jobs` folds at a time."""

    config: Path
    wanted: Wanted
    sets: tuple[str, ...]
    overrides: Mapping[str, Any]
    full: bool
    jobs: int


def stress(asked: Asked, progress: Progress) -> dict[str, Any]:
    """Fold the config and its variants; return everything that is told of them, in plain values."""
    start = time.perf_counter()
    loaded = load_config(asked.config, asked.sets, overrides=asked.overrides)
    rows = 0

    def surveyed(more: int) -> None:
        nonlocal rows
        rows += more
        progress("load", rows, None)

    stages = {"data": "load", "compile": "compile"}
    wired = wire(loaded, lambda what: progress(stages[what], 0, None), surveyed)
    base = base_of(wired.spec)
    axes = axes_of(asked.wanted, wired.spec)
    points = plan(axes, base, asked.full)
    for level in axes.fee_level:  # what is wrong is told before anything is folded
        for limits in wired.spec.limits:
            level.rates(limits)
    folds = Folds(wired, asked.jobs, lambda done, total: progress(folds.stage, done, total))
    folds.load(lambda seen: progress("load", seen, wired.data.total_rows))
    folds.stage = "folding the run itself"
    cells = [folds.base(base)]
    begun = time.perf_counter()
    folds.stage = f"folding {len(points) - 1} variants"
    cells += folds.run(points[1:])
    taken = time.perf_counter() - begun
    found = {one.point: one for one in cells}
    folds.stage = "looking for break-even points"
    even = {"latency": break_even_latency(axes, base, found, folds.one), "fee": break_even_fee(found[base], folds.one)}
    return {
        "name": wired.config.name,
        "config": str(asked.config),
        "config_hash": loaded.hash(),
        "currency": wired.config.account.currency,
        "initial_equity": units(folds.initial_atoms),
        "instruments": [one.id for one in wired.spec.instruments],
        "data": sorted({BookLevel(one.level).name.lower() for one in wired.spec.limits}),
        "events": folds.events,
        "full": asked.full,
        "axes": {name: [base._replace(**{name: v}).labels[name] for v in getattr(axes, name)] for name in AXES},
        "base": found[base].row(),
        "cells": [one.row() for one in cells],
        "grid": grid_of(axes, base, found),
        "break_even": even,
        "notes": [*_notes(base, cells), *_outrun(wired, axes)],
        "timing": {
            "load_s": round(wired.timings.load_s, 6),
            "compile_s": round(wired.timings.compile_s, 6),
            "cells_s": round(taken, 6),
            "total_s": round(time.perf_counter() - start, 6),
        },
        "jobs": folds.jobs,
        "folds": folds.count,
        "in_memory": folds.in_memory,
        "peak_rss_mb": peak_rss_mb(),
    }


def grid_of(axes: Axes, base: Point, found: Mapping[Point, Cell]) -> dict[str, Any]:
    """Return the heat map's product, latency across: labels and [row][column] figures; null where there is none."""
    rows = grid_rows(base)
    points = [
        [base._replace(latency=column, **{rows: row}) for column in axes.latency] for row in getattr(axes, rows)
    ]
    figures = {name: [[getattr(found[p], name) for p in row] for row in points] for name in GRID_FIGURES}
    at = base.labels
    return {
        "rows": rows,
        "columns": "latency",
        "row_labels": [row[0].labels[rows] for row in points],
        "column_labels": [one.labels["latency"] for one in points[0]],
        "base": [at[rows], at["latency"]],
        **figures,
    }


# --- latency


def break_even_latency(axes: Axes, base: Point, found: Mapping[Point, Cell], fold: Fold) -> dict[str, Any]:
    """Return the first latency at which the base's profit ends or begins, between two ends with their P&L.

    `within` are the two values of the axis between which it was looked for. `is_jump`: between the two ends, which
    are next to each other, P&L changes by more than a tenth of what it changes over the whole way. Latencies are
    gone through from the shortest on; nothing says that there is one crossing only, so all that the axis shows are
    counted. Between two of its values entry and response grow in proportion.
    """
    each = [(one, found[base._replace(latency=one)].pnl) for one in axes.latency if not one.recorded]
    delays = [one for one, pnl in each if pnl is not None]
    profits = [pnl for _, pnl in each if pnl is not None]
    turns = crossings(profits)
    if not turns:
        status = "unknown" if not profits else "always_profit" if profits[0] > 0 else "never_profit"
        nothing = dict.fromkeys(("low", "high", "within", "is_jump"))
        return {"status": status, "crossings": 0, **nothing}
    first, last = delays[turns[0]], delays[turns[0] + 1]
    span = max(last.entry_ns - first.entry_ns, abs(last.response_ns - first.response_ns))

    step = 10 ** (len(str(max(FINEST_NS, span // PARTS))) - 1)

    def between(part: int) -> Latency:
        way = min(part * step, span)
        return Latency(*(
            a + (b - a) * way // span
            for a, b in ((first.entry_ns, last.entry_ns), (first.response_ns, last.response_ns))
        ))  # fmt: skip

    parts = -(-span // step)
    known = {0: found[base._replace(latency=first)], parts: found[base._replace(latency=last)]}

    def profit(part: int) -> float | None:
        known[part] = fold(base._replace(latency=between(part)))
        return known[part].pnl

    gains = profits[turns[0]] > 0
    ends = narrow(0, parts, gains, profit)
    low, high = ({**_latency_row(between(end)), "pnl": known[end].pnl} for end in ends)
    status = "profit_ends" if gains else "profit_begins"
    way = profits[turns[0] : turns[0] + 2]
    within = [{**_latency_row(one), "pnl": pnl} for one, pnl in zip((first, last), way, strict=True)]
    is_jump = ends[1] - ends[0] == 1 and abs(high["pnl"] - low["pnl"]) > JUMP * abs(way[1] - way[0])
    return {
        "status": status, "crossings": len(turns), "low": low, "high": high, "within": within, "is_jump": is_jump,
    }  # fmt: skip


def _latency_row(latency: Latency) -> dict[str, Any]:
    return {"latency": latency.label, "entry_ns": latency.entry_ns, "response_ns": latency.response_ns}


# --- fees


def break_even_fee(base: Cell, fold: Fold) -> dict[str, Any]:
    """Return the fees that leave nothing, as one rate and as a multiple, each tried in a run of its own.

    P&L falls linearly in fees as long as the fills stay the same; `same_fills` says whether they did.
    """
    pnl, fees, notional = base.pnl or 0.0, base.fees or 0.0, base.notional or 0.0
    if notional <= 0.0:
        return {"status": "no_fills", "gross": None, "rate": None, "factor": None, "tried": []}
    rate, factor = flat_rate(pnl, fees, notional), fee_factor(pnl, fees)
    levels = []
    nano = _below(rate, 9)
    if LOWEST_FEE <= nano <= HIGHEST_FEE:
        levels.append(FeeLevel(None, nano, nano))
    if 0.0 <= factor <= MOST_FACTOR:
        levels.append(FeeLevel(Decimal(_below(factor, 6)).scaleb(-6)))
    status = "before_fees_a_loss" if pnl + fees <= 0 else "profit" if pnl > 0 else "loss"
    tried = [_tried(base, level, fold) for level in levels]
    return {"status": status, "gross": pnl + fees, "rate": rate, "factor": factor, "tried": tried}


def _below(value: float, decimals: int) -> int:
    """Return value × 10^decimals as the whole number below; a float's own error does not count."""
    return math.floor(round(value * 10.0**decimals, 3))


def _tried(base: Cell, level: FeeLevel, fold: Fold) -> dict[str, Any]:
    cell = fold(base.point._replace(fee_level=level))
    same = cell.fills_hash == base.fills_hash
    return {"fee_level": level.label, "pnl": cell.pnl, "fees": cell.fees, "same_fills": same, "error": cell.error}


# --- notes


def _outrun(wired: Wired, axes: Axes) -> list[str]:
    """Say of which data the latencies of the axis, or some of them, are not simulated."""
    if wired.data.report is None or wired.data.whole:
        return []
    entries_ns = [one.entry_ns for one in axes.latency if not one.recorded]
    return outrun_latencies(wired.data.report, wired.spec, entries_ns)


def _notes(base: Point, cells: Sequence[Cell]) -> list[str]:
    """Return what is to be known beside the figures."""
    notes = []
    if base.queue is None:
        notes.append("no depth in the data: queue models are left out, the heat map shows fees instead")
    if cells[0].fees == 0.0 and cells[0].notional:
        notes.append("the config's fees are zero, and so are their multiples; give rates, e.g. --fees 0.0002/0.0005")
    if base.latency.recorded:
        notes.append("the config's latencies are recorded; each value of the axis is a constant in their place")
    failed = [one for one in cells if one.error is not None]
    if failed:
        place = ", ".join(f"{name} {value}" for name, value in failed[0].point.labels.items())
        notes.append(f"{len(failed)} variants failed, the first at {place}: {failed[0].error}")
    disabled = sum(1 for one in cells if one.strategy_errors)
    if disabled:
        notes.append(f"in {disabled} variants a strategy raised and was disabled")
    if any(one.ambiguous_bars for one in cells):
        notes.append("bars were ambiguous: `backtest` shows what their paths change")
    if all(one.fills == 0 for one in cells):
        notes.append("no variant filled an order")
    return notes
