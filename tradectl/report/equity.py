"""Equity against buying and holding, its drawdown, and how much of it was in the market."""

from __future__ import annotations

import numpy as np
import polars as pl

from tradectl.metrics.load import buy_and_hold
from tradectl.report.draw import Floats, Ints, Trace, line, stamps, steps, throughout
from tradectl.report.html import Chart, Section, note
from tradectl.report.model import Report
from tradectl.report.series import pick
from tradectl.report.text import TICKS, money, percent, share, signed, stamp

__all__ = ["drawdown_of", "equity", "exposure_of"]

KEY = ("strategy", "symbol")
STEPS = 600  # of the exposure's chart
SWAMPED = 8.0  # times the range of the run's own equity


def equity(report: Report) -> Section:
    """Return the charts of equity, drawdown and exposure."""
    made = Section("equity", "Equity")
    ts, levels = stamps(report.data.equity["ts"]), report.data.equity["equity"].to_numpy()
    if not len(ts):
        made.add(note("The run has no sample of equity."))
        return made
    made.lead = "Balance and open positions at their last price, sampled after each moment of the run."
    made.draw(_equity(report, ts, levels))
    held = exposure_of(report, ts, levels)
    if held is not None:
        made.draw(held)
    return made


def drawdown_of(levels: Floats, initial: float) -> Floats:
    """Return the fraction below the highest equity so far, ≥ 0; the initial equity counts."""
    peak = np.maximum(np.maximum.accumulate(levels), initial)
    return np.asarray(1.0 - levels / peak)


def _equity(report: Report, ts: Ints, levels: Floats) -> Chart:
    initial, down = report.data.initial, drawdown_of(levels, report.data.initial)
    worst = int(np.argmax(down))
    lowest, highest = int(np.argmin(levels)), int(np.argmax(levels))
    told = (
        f"From {money(initial)} to {money(levels[-1])} {report.currency}; highest {money(levels[highest])} on "
        f"{stamp(int(ts[highest]), seconds=False)}, lowest {money(levels[lowest])} on "
        f"{stamp(int(ts[lowest]), seconds=False)}; deepest drawdown {percent(down[worst])} on "
        f"{stamp(int(ts[worst]), seconds=False)} UTC."
    )
    hover: Trace = {"hovertemplate": "%{y:,.2f}"}
    below: Trace = {"yaxis": "y2", "fill": "tozeroy", "fillcolor": "@shade", "showlegend": False}
    traces = [
        line("Strategy", ts, levels, "own", **hover),
        line("Drawdown", ts, -100.0 * down, "loss", hovertemplate="%{y:.2f} %", **below),
    ]
    held = _held(report, ts)
    if held is not None:
        # what would flatten the run's own line is there, but drawn only when asked for
        swamped = np.ptp(held[1]) > SWAMPED * max(np.ptp(levels), 1e-9)
        traces.insert(0, line("Buy and hold", *held, "other", **hover, visible="legendonly" if swamped else True))
    layout = {
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"domain": [0.34, 1.0], "tickformat": TICKS, "title": {"text": report.currency}},
        "yaxis2": {"domain": [0.0, 0.26], "ticksuffix": " %", "rangemode": "tozero"},
    }
    return Chart("equity-chart", "Equity and drawdown", told, traces, layout, 440)


def _held(report: Report, ts: Ints) -> tuple[Ints, Floats] | None:
    """Return (stamps, equity) of buying and holding, on some of the run's stamps."""
    if report.prices is None or report.held is None:
        return None
    at = ts[pick(ts, ts.astype(np.float64))]
    returns = buy_and_hold(report.prices, at, int(ts[0]))
    return at, np.asarray(report.data.initial * np.cumprod(1.0 + returns))


def exposure_of(report: Report, ts: Ints, levels: Floats) -> Chart | None:
    """Return the chart of what was held ÷ equity after each fill; positions count at their own last fill's price."""
    fills = report.data.fills
    if fills.is_empty():
        return None
    rows = _worths(report)
    when, how = stamps(rows["ts"]), "after each fill"
    at = np.clip(np.searchsorted(ts, when, side="right") - 1, 0, None)
    base = np.where(levels[at] > 0, levels[at], np.nan)
    gross, net = 100.0 * rows["gross"].to_numpy() / base, 100.0 * rows["net"].to_numpy() / base
    most, last, goes_short = float(np.nanmax(gross)), net[-1], float(np.nanmin(net)) < 0.0
    end, gross, net = throughout(report.span, when, gross, net)
    if len(end) > STEPS:
        gross, net = (_means(end, one) for one in (gross, net))
        end, how = np.linspace(end[0], end[-1], STEPS).astype(np.int64), f"mean of {STEPS} equal intervals"
    told = (
        f"In the market {share(report.summary.get('exposure'))} of the time; most at once {percent(most / 100.0)} of "
        f"equity, at the end {signed(last / 100.0, percent)}. Drawn: {how}."
    )
    hover = "%{y:.1f} %"
    traces = [steps("All positions", end, gross, "own", hovertemplate=hover, fill="tozeroy", fillcolor="@wash")]
    if goes_short:
        traces.append(steps("Long less short", end, net, "mark", hovertemplate=hover))
    layout = {"xaxis": {"type": "date"}, "yaxis": {"ticksuffix": " %", "rangemode": "tozero"}}
    return Chart("exposure-chart", "Exposure", told, traces, layout, 240)


def _means(when: Ints, values: Floats) -> Floats:
    """Return time-weighted means of a held value over `STEPS` equal intervals; the last one is what it ends with."""
    edges = np.linspace(when[0], when[-1], STEPS)
    held = np.nan_to_num(values)
    area = np.concatenate(([0.0], np.cumsum(held[:-1] * np.diff(when))))
    below = np.interp(edges, when, area)
    return np.append(np.diff(below) / np.diff(edges), held[-1])


def _worths(report: Report) -> pl.DataFrame:
    """Return ts, gross and net: what all positions were worth after each fill, in the account's currency."""
    net = pl.col("position") * pl.col("notional") / pl.col("qty") * pl.col("rate")
    change = [(pl.col(name) - pl.col(name).shift(1, fill_value=0.0).over(*KEY)).cum_sum() for name in ("gross", "net")]
    return (
        report.data.fills.with_columns(pl.col(*KEY).cast(pl.String))
        .join(report.data.currencies, on="symbol", how="left", maintain_order="left")
        .with_columns(net=net, gross=net.abs())
        .select("ts", *change)
        .unique("ts", keep="last", maintain_order=True)  # what stood between two fills of one moment was never held
    )
