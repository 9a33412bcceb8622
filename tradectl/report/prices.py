"""What prices did during a run: its events read once more, as bars wide enough to stay few.

Bars of the data keep their own ends; trades and quotes (their mid) are gathered into bars of a second. Where the rows
are more than `MOST`, neighbours within a session share a row that ends with the last of them, and where even that is
too much, sessions do. Detail bars, made-up bars and warm-up rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.config.trading import Account
from tradectl.config.wire_data import Opened
from tradectl.core.calendars import DAY_NS
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
    "end": pl.col("end").max(),
    "open": pl.col("open").first(),
    "high": pl.col("high").max(),
    "low": pl.col("low").min(),
    "close": pl.col("close").last(),
}
PRICES = ("open", "high", "low", "close")
Stamps = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]


def collect(
    opened: Opened,
    closes: Stamps | None = None,
    most: int = MOST,
    watch: Callable[[Rows], None] | None = None,
) -> pl.DataFrame:
    """Return ts (exclusive end), symbol (venue:SYMBOL), open, high, low, close, in order of symbol and time.

    `closes` are those of the run's sessions, ns UTC, ascending; None: its days are UTC days. `watch` hears all events
    as they are read. Instruments without bars, trades and quotes have no rows.
    """
    widths = np.array([max(frame, SECOND) for frame in opened.frame_of], np.int64)
    parts: list[pl.DataFrame] = []
    rows, factor = 0, 1
    for events in opened.chunks(CHUNK):
        part = _joined(_rows(_priced(events)), widths, factor, closes)
        rows += part.height
        parts.append(part)
        while rows > most:
            whole = _joined(pl.concat(parts), widths, factor, closes)
            if whole.height > most:
                factor *= 2
                whole = _joined(whole, widths, factor, closes)
            parts, rows = [whole], whole.height
        if watch is not None:
            watch(events)
    return _told(_joined(pl.concat(parts), widths, factor, closes), opened)


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


def _rows(events: Rows) -> pl.DataFrame:
    """Return instrument, end (ns UTC, exclusive) and the events' prices in ticks, one row an event."""
    bar, quote = events["kind"] == EventKind.BAR, events["kind"] == EventKind.QUOTE
    price = np.where(quote, (events["w0"] + events["w2"]) / 2.0, events["w0"].astype(np.float64))
    ts = events["ts_event"]
    return pl.DataFrame({
        "instrument": events["instrument"].astype(np.int64),
        # a bar's stamp is the end of what it tells, a print's or a quote's the moment itself
        "end": np.where(bar, ts, (ts // SECOND + 1) * SECOND),
        "open": price,
        "high": np.where(bar, events["w1"], price),
        "low": np.where(bar, events["w2"], price),
        "close": np.where(bar, events["w3"], price),
    })  # fmt: skip


def _joined(rows: pl.DataFrame, widths: Stamps, factor: int, closes: Stamps | None) -> pl.DataFrame:
    """Return rows of one end as one; where `factor` is more than 1, those of as many of an instrument's `widths`."""
    keys = [pl.col("end").alias("slot")]
    if factor > 1:
        end, width = rows["end"].to_numpy(), widths[rows["instrument"].to_numpy()]
        span = width * factor
        # a bar that lies over a close belongs to the session that closes
        session = (end - 1) // DAY_NS if closes is None else np.searchsorted(closes, end - width, "right")
        # from a day on whole sessions are gathered, so that rows of a day each become fewer too
        within = span < DAY_NS
        keys = [
            pl.lit(pl.Series("session", np.where(within, session, session * DAY_NS // span))),
            pl.lit(pl.Series("slot", np.where(within, (end - 1) // span, 0))),
        ]
    return rows.group_by("instrument", *keys, maintain_order=True).agg(**RULES).select(rows.columns)


def _told(bars: pl.DataFrame, opened: Opened) -> pl.DataFrame:
    steps = np.array([one.tick_size.as_integer_ratio() for one in opened.instruments], np.float64)
    names = [one.id for one in opened.instruments]
    where = bars["instrument"].to_numpy()
    tick, ticks = steps[where].T
    told = {name: pl.Series(nearest_floats([bars[name].to_numpy(), tick], [ticks])) for name in PRICES}
    return bars.select(
        ts=pl.col("end").cast(STAMP),
        symbol=pl.Series(np.array(names, object)[where], dtype=pl.String),
        **told,
        instrument=pl.col("instrument"),
    ).sort("instrument", "ts").drop("instrument")  # fmt: skip
