"""Round trips from the fills of a run: what was entered, what left, what it made, and how far it went meanwhile.

A round trip goes from flat to flat, or to the fill that flips a position; such a fill is shared by the two trips in
proportion to its lots, so that the sums over all trips and what is still open are the run's own to the atom.
Funding is told apart and is no part of a trip.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.metrics.streams import DAY_NS

__all__ = ["KEY", "SIDES", "WHOLE_BARS", "excursions", "trips"]

KEY = ("strategy", "symbol")
SIDES = pl.Enum(["LONG", "SHORT"])
WHOLE_BARS = ("OPEN", "CLOSE")  # phases of fills that do not stand inside a bar
MONEY = ("realised", "fees", "pnl")
DAY_S = DAY_NS // 10**9


def trips(fills: pl.DataFrame) -> pl.DataFrame:
    """Return the finished round trips of a table of fills, one row each, in the order in which they closed.

    strategy, symbol, side (LONG, SHORT), ts_open, ts_close, duration, qty and qty_lots entered, entry_price and
    exit_price (averages by quantity), realised, fees and pnl = realised − fees (quote currency; `*_atoms` exact),
    return (pnl ÷ notional entered), tag of the first fill, n_fills, exit_type and exit_phase of the last one,
    ambiguous (any fill), min_price and max_price of its fills, mae and mfe (NaN: `excursions` knows them).
    """
    parts = _parts(fills)
    entering = pl.col("entering")
    lots, value = pl.col("part_lots"), pl.col("price") * pl.col("part_lots")
    grouped = parts.group_by(*KEY, "trip", maintain_order=True).agg(
        side=pl.when(pl.col("sign").first() > 0).then(pl.lit("LONG")).otherwise(pl.lit("SHORT")).cast(SIDES),
        ts_open=pl.col("ts").first(),
        ts_close=pl.col("ts").last(),
        duration=pl.col("ts").last() - pl.col("ts").first(),
        qty=(pl.col("qty") / pl.col("qty_lots") * lots).filter(entering).sum(),
        qty_lots=lots.filter(entering).sum(),
        entry_price=value.filter(entering).sum() / lots.filter(entering).sum(),
        exit_price=value.filter(~entering).sum() / lots.filter(~entering).sum(),
        realised_atoms=pl.col("part_realised").sum(),
        fees_atoms=pl.col("part_fee").sum(),
        notional=pl.col("part_notional").filter(entering).sum(),
        tag=pl.col("tag").first(),
        n_fills=pl.len(),
        exit_type=pl.col("order_type").last(),
        exit_phase=pl.col("phase").last(),
        ambiguous=pl.col("ambiguous").any(),
        min_price=pl.col("price").min(),
        max_price=pl.col("price").max(),
        closed=pl.col("closes").last(),
        row=pl.col("row").last(),
    )
    return _told(grouped.filter("closed").sort("row"))


def _parts(fills: pl.DataFrame) -> pl.DataFrame:
    """Return the fills with the number of their trip; one that flips a position stands twice."""
    sign = pl.when(pl.col("side") == "BUY").then(1).otherwise(-1).cast(pl.Int64)
    before, after = pl.col("before"), pl.col("position_lots")
    share = pl.when("flips").then(after.abs() / pl.col("qty_lots")).otherwise(0.0)
    rows = (
        fills.with_row_index("row")
        .with_columns(sign=sign)
        .with_columns(before=after - pl.col("sign") * pl.col("qty_lots"))
        .with_columns(closes=(before != 0) & ((after == 0) | (before.sign() != after.sign())))
        .with_columns(flips=pl.col("closes") & (after != 0), done=pl.col("closes").cast(pl.Int64))
        .with_columns(
            trip=(pl.col("done").cum_sum() - pl.col("done")).over(*KEY),
            next_fee=(pl.col("fee_atoms") * share).floor().cast(pl.Int64),
            next_lots=pl.when("flips").then(after.abs()).otherwise(0),
            next_share=share,
        )
    )
    first = rows.with_columns(
        part_lots=pl.col("qty_lots") - pl.col("next_lots"),
        part_fee=pl.col("fee_atoms") - pl.col("next_fee"),
        part_realised=pl.col("realised_atoms"),
        part_notional=pl.col("notional") * (1.0 - pl.col("next_share")),
        entering=(before == 0) | (before.sign() == pl.col("sign")),
    )
    second = rows.filter("flips").with_columns(
        trip=pl.col("trip") + 1,
        part_lots=pl.col("next_lots"),
        part_fee=pl.col("next_fee"),
        part_realised=pl.lit(0, pl.Int64),
        part_notional=pl.col("notional") * pl.col("next_share"),
        entering=pl.lit(True),
        closes=pl.lit(False),
    )
    return pl.concat([first, second]).sort("row", maintain_order=True)


def _told(grouped: pl.DataFrame) -> pl.DataFrame:
    money = grouped.with_columns(pnl_atoms=pl.col("realised_atoms") - pl.col("fees_atoms"))
    floats = [(pl.col(f"{name}_atoms") / ATOMS_PER_UNIT).alias(name) for name in MONEY]
    made = money.with_columns(*floats, mae=pl.lit(float("nan")), mfe=pl.lit(float("nan"))).with_columns(
        pl.when(pl.col("notional") > 0).then(pl.col("pnl") / pl.col("notional")).alias("return"),
        trip=pl.int_range(pl.len(), dtype=pl.Int64),
    )
    return made.select(
        "trip", *KEY, "side", "ts_open", "ts_close", "duration", "qty", "qty_lots", "entry_price", "exit_price",
        *(column for name in MONEY for column in (name, f"{name}_atoms")),
        "return", "tag", "n_fills", "exit_type", "exit_phase", "ambiguous", "min_price", "max_price", "mae", "mfe",
    )  # fmt: skip


def excursions(table: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return round trips with min_price, max_price, mae and mfe from `prices` (ts, symbol, high, low, in time order).

    mae and mfe are fractions ≥ 0 of the average entry price: the farthest that the price went against the trip and
    for it (J. Sweeney, 1997). `ts` is the exclusive end of each bar. Bars that lie between the first and the last
    fill count whole; of a bar inside of which the trip began or ended only its own prices count.
    """
    low, high = table["min_price"].to_numpy().copy(), table["max_price"].to_numpy().copy()
    symbols = table["symbol"].cast(pl.String)
    whole = table["exit_phase"].cast(pl.String).is_in(WHOLE_BARS).to_numpy()
    since, until = (table[name].dt.epoch("ns").to_numpy() for name in ("ts_open", "ts_close"))
    for (symbol,), bars in prices.partition_by("symbol", as_dict=True, maintain_order=True).items():
        rows = np.flatnonzero((symbols == str(symbol)).to_numpy())
        stamps = bars["ts"].dt.epoch("ns").to_numpy()
        start = np.searchsorted(stamps, since[rows], side="right")
        inclusive = np.searchsorted(stamps, until[rows], side="right")
        end = np.where(whole[rows], inclusive, np.searchsorted(stamps, until[rows], side="left"))
        rows, start, end = (part[end > start] for part in (rows, start, end))
        low[rows] = np.minimum(low[rows], _over(np.minimum, bars["low"].to_numpy(), start, end))
        high[rows] = np.maximum(high[rows], _over(np.maximum, bars["high"].to_numpy(), start, end))
    entry, long = pl.col("entry_price"), pl.col("side") == "LONG"
    below = ((entry - pl.col("min_price")) / entry).clip(lower_bound=0.0)
    above = ((pl.col("max_price") - entry) / entry).clip(lower_bound=0.0)
    return table.with_columns(min_price=pl.Series(low), max_price=pl.Series(high)).with_columns(
        mae=pl.when(long).then(below).otherwise(above), mfe=pl.when(long).then(above).otherwise(below)
    )


def _over(
    ufunc: Any, values: npt.NDArray[np.float64], start: npt.NDArray[Any], end: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return a ufunc reduced over values[start:end], for each pair; none of them is empty."""
    if not len(start):
        return np.zeros(0)
    neutral = values[-1:]  # so that an end may stand behind the last value
    pairs = np.stack((start, end), axis=1).ravel()
    return np.asarray(ufunc.reduceat(np.concatenate((values, neutral)), pairs)[::2])
