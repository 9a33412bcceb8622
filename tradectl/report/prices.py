"""What prices did during a run: its events read once more, as bars wide enough to stay few.

Bars of the data count as they are; trades and quotes (their mid) are gathered into bars of a second. Where the rows
are more than `MOST`, the width doubles. Detail bars, made-up bars and warm-up rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.config.trading import Account
from tradectl.config.wire_data import Opened
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.instrument import Instrument
from tradectl.history.grid import nearest_floats
from tradectl.metrics.load import RATED_BY

__all__ = ["MOST", "STAMP", "collect", "rated"]

MOST = 2_000_000  # rows over all instruments
SECOND = 1_000_000_000  # ns
CHUNK = 131_072  # events
SKIPPED = int(EventFlag.DETAIL | EventFlag.SYNTHETIC | EventFlag.WARMUP)
STAMP = pl.Datetime("ns", "UTC")
RULES = {
    "open": pl.col("open").first(),
    "high": pl.col("high").max(),
    "low": pl.col("low").min(),
    "close": pl.col("close").last(),
}
Rows = npt.NDArray[Any]


def collect(opened: Opened, most: int = MOST, watch: Callable[[Rows], None] | None = None) -> pl.DataFrame:
    """Return ts (exclusive end), symbol (venue:SYMBOL), open, high, low, close, in order of symbol and time.

    `watch` hears all events as they are read. Instruments without bars, trades and quotes have no rows.
    """
    widths = [max(frame, SECOND) for frame in opened.frame_of]
    parts: list[pl.DataFrame] = []
    rows, factor = 0, 1
    for events in opened.chunks(CHUNK):
        part = _bars(_priced(events), widths, factor)
        rows += part.height
        parts.append(part)
        while rows > most:
            whole = _joined(parts)
            if whole.height > most:
                factor *= 2
                whole = _joined([whole], 2)
            parts, rows = [whole], whole.height
        if watch is not None:
            watch(events)
    return _told(_joined(parts), opened, [width * factor for width in widths])


def rated(prices: pl.DataFrame, instruments: Sequence[Instrument], account: Account) -> pl.DataFrame:
    """Add what each symbol's quote currency has its rate from (`rated_by`), where any is not the account's own.

    A rate that the config gives is constant and so takes no part in a return: null, as of the account's currency.
    """
    if all(one.quote == account.currency for one in instruments):
        return prices
    from_first = {one.base: one.id for one in reversed(instruments) if one.quote == account.currency}
    source = {one.id: None if one.quote in account.rates else from_first.get(one.quote) for one in instruments}
    names = [one.id for one in instruments]
    by = prices["symbol"].replace_strict(names, [source[name] for name in names], return_dtype=pl.String)
    return prices.with_columns(by.alias(RATED_BY))


def _priced(events: Rows) -> Rows:
    """Return the events that tell a price."""
    kinds = events["kind"]
    wanted = np.isin(kinds, (EventKind.BAR, EventKind.TRADE, EventKind.QUOTE))
    found = events[wanted & (events["flags"] & SKIPPED == 0)]
    empty = (found["kind"] == EventKind.QUOTE) & ((found["w0"] <= 0) | (found["w2"] <= 0))
    return np.asarray(found[~empty])


def _bars(events: Rows, widths: Iterable[int], factor: int) -> pl.DataFrame:
    """Return bars of the events' prices in ticks, one an instrument and interval."""
    instrument, bar = events["instrument"].astype(np.int64), events["kind"] == EventKind.BAR
    quote = events["kind"] == EventKind.QUOTE
    price = np.where(quote, (events["w0"] + events["w2"]) / 2.0, events["w0"].astype(np.float64))
    width = np.array(list(widths), np.int64)[instrument] * factor
    # a bar's stamp is the end of what it tells, a print's or a quote's the moment itself
    frame = pl.DataFrame({
        "instrument": instrument,
        "slot": (events["ts_event"] - bar) // width,
        "open": price,
        "high": np.where(bar, events["w1"], price),
        "low": np.where(bar, events["w2"], price),
        "close": np.where(bar, events["w3"], price),
    })  # fmt: skip
    return frame.group_by("instrument", "slot", maintain_order=True).agg(**RULES)


def _joined(parts: list[pl.DataFrame], by: int = 1) -> pl.DataFrame:
    """Return bars of several parts as one table, `by` neighbours as one."""
    whole = pl.concat(parts).with_columns(slot=pl.col("slot") // by)
    return whole.group_by("instrument", "slot", maintain_order=True).agg(**RULES)


def _told(bars: pl.DataFrame, opened: Opened, widths: list[int]) -> pl.DataFrame:
    steps = np.array([one.tick_size.as_integer_ratio() for one in opened.instruments], np.float64)
    names = [one.id for one in opened.instruments]
    where = bars["instrument"].to_numpy()
    (tick, ticks), width = steps[where].T, np.array(widths)[where]
    return bars.select(
        ts=pl.Series((bars["slot"].to_numpy() + 1) * width).cast(STAMP),
        symbol=pl.Series(np.array(names, object)[where], dtype=pl.String),
        **{name: pl.Series(nearest_floats([bars[name].to_numpy(), tick], [ticks])) for name in RULES},
        instrument=pl.col("instrument"),
    ).sort("instrument", "ts").drop("instrument")  # fmt: skip
