"""Lean's tick zips: one day of trades or quotes of one symbol, CSV without header, ms since local midnight."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import DataError, nearest
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.csv_blocks import csv_blocks, first_line
from tradectl.history.stamps import zone

__all__ = ["IMPORTER", "read"]

PATH = re.compile(
    r".*/(?P<type>\w+)/(?P<market>\w+)/tick/(?P<symbol>[^/]+)/(?P<day>\d{8})_(?P<what>trade|quote)\.zip",
    re.IGNORECASE,
)
SUSPICIOUS = ("drop", "keep")
TRADE_COLUMNS = (3, 4, 5, 6)  # time, price, quantity; then venue, condition, suspicious
QUOTE_COLUMNS = (3, 5, 6, 7, 8)  # time, bid, ask; or with quantities; then the same three
VENUE_COLUMNS = 3
BAR_COLUMNS = 11  # of minutes and longer: time, then open, high, low, close and quantity of bid and of ask
FX_QTY = 1_000_000.0  # units shown on each side of a quote without sizes
MS = 1_000_000  # ns
END = int(EventFlag.MESSAGE_END)


@dataclass(frozen=True)
class Kind:
    """One security type: price scale, zone of its data, and whether ticks name venue and condition."""

    scale: float
    tz: str
    venues: bool


KINDS = {
    "equity": Kind(10_000.0, "America/New_York", venues=True),
    "future": Kind(1.0, "UTC", venues=True),
    "crypto": Kind(1.0, "UTC", venues=False),
    "cryptofuture": Kind(1.0, "UTC", venues=False),
    "forex": Kind(
        1.0, "Etc/GMT+5", venues=False
    ),  # New York's winter time all year: weeks end at 17:00 there
    "cfd": Kind(1.0, "UTC", venues=False),
}
VENUES = {"usa": "USA", "coinbase": "COINBASE", "gdax": "COINBASE"}


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of tick zips; symbol, day, market and kind are in their paths."""
    options.only("suspicious", "qty")
    drop = options.choice("suspicious", SUSPICIOUS) == "drop"
    qty = float(options.extra.get("qty", FX_QTY))
    for place in places:
        match = PATH.fullmatch(f"/{place.path.resolve().as_posix()}")
        if match is None:
            hint = "expected such as equity/usa/tick/bac/20131007_trade.zip"
            raise DataError(f"{place}: the path tells neither kind, market, symbol nor day", hint=hint)
        if match["type"].lower() not in KINDS:
            raise DataError(f"{place}: unknown kind {match['type']!r}", hint=nearest(match["type"], KINDS))
        options.place = place
        kind = KINDS[match["type"].lower()]
        symbol = match["symbol"].upper()
        options.tell(symbol, venue=VENUES.get(match["market"].lower(), match["market"].upper()))
        midnight = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=zone(options.tz or kind.tz))
        start = int(midnight.timestamp()) * 10**9
        trades = match["what"].lower() == "trade"
        _refuse_bars(place, kind, trades)
        for frame in _trades(place, kind, start) if trades else _quotes(place, kind, start, qty):
            made = frame.filter(~pl.col("suspicious")) if drop else frame
            yield symbol, made.drop("suspicious")


def _refuse_bars(place: Place, kind: Kind, trades: bool) -> None:
    """Raise DataError for a file whose columns are not those of ticks: bars stand under the same names."""
    wanted = TRADE_COLUMNS if trades else QUOTE_COLUMNS
    most = max(wanted) if kind.venues else max(wanted) - VENUE_COLUMNS
    found = len(first_line(place).split(","))
    if found not in wanted or found > most:
        bars = f": bars of bid and ask have {BAR_COLUMNS}" if found == BAR_COLUMNS else ""
        listed = " or ".join(str(n) for n in wanted if n <= most)
        what = "trade" if trades else "quote"
        raise DataError(f"{place}: {found} columns are no {what} ticks", hint=f"they have {listed}{bars}")


def _integers(place: Place) -> bool:
    """Tell whether the stamps of a file are whole milliseconds (newer files have fractions)."""
    return "." not in first_line(place).split(",", 1)[0]


def _stamp(frame: pl.DataFrame, start: int) -> pl.Series:
    """Return ns UTC of milliseconds since midnight."""
    ms = frame["ms"]
    ns = ms * MS if ms.dtype.is_integer() else (ms * MS).round(0).cast(pl.Int64)
    return (ns + start).alias("ts_event")


def _price(column: pl.Series, kind: Kind) -> npt.NDArray[np.float64]:
    """Return prices, divided by numpy: Polars multiplies by 1/scale, which is not exact."""
    made: npt.NDArray[np.float64] = column.to_numpy() / kind.scale
    return made


def _suspicious(frame: pl.DataFrame) -> pl.Series:
    if "suspicious" in frame.columns:
        return frame["suspicious"].fill_null(0).cast(pl.Int64) != 0
    return pl.repeat(value=False, n=frame.height, eager=True).alias("suspicious")


def _trades(place: Place, kind: Kind, start: int) -> Iterator[pl.DataFrame]:
    ms: pl.DataType = pl.Int64() if _integers(place) else pl.Float64()
    schema: dict[str, pl.DataType] = {"ms": ms, "price": pl.Float64(), "qty": pl.Float64()}
    if kind.venues:
        schema |= {"venue": pl.String(), "condition": pl.String(), "suspicious": pl.Int64()}
    optional = ("venue", "condition", "suspicious")
    for line, table in csv_blocks(place, schema, optional=optional):
        columns = {
            "ts_event": _stamp(table, start), "price": _price(table["price"], kind), "qty": table["qty"],
            "row": np.arange(line, line + table.height),
        }  # fmt: skip
        frame = book_frame(columns, kind=int(EventKind.TRADE), flags=END)
        yield frame.with_columns(_suspicious(table).alias("suspicious"))


def _quotes(place: Place, kind: Kind, start: int, qty: float) -> Iterator[pl.DataFrame]:
    """Best bid and ask; a tick of one side keeps the other as it was, the two halves of one update are one row."""
    ms: pl.DataType = pl.Int64() if _integers(place) else pl.Float64()
    fields = len(first_line(place).split(","))
    names = ("ms", "bid", "ask") if fields == 3 else ("ms", "bid", "bid_qty", "ask", "ask_qty")
    schema: dict[str, pl.DataType] = {name: pl.Float64() for name in names} | {"ms": ms}
    if kind.venues:
        schema |= {"venue": pl.String(), "condition": pl.String(), "suspicious": pl.Int64()}
    optional = ("bid", "bid_qty", "ask", "ask_qty", "venue", "condition", "suspicious")
    held: dict[str, float] = {}
    for line, table in csv_blocks(place, schema, optional=optional):
        if fields == 3:
            table = table.with_columns(bid_qty=pl.lit(qty), ask_qty=pl.lit(qty))
        rows = table.with_columns(_suspicious(table).alias("suspicious"), _stamp(table, start))
        rows = rows.with_columns(row=np.arange(line, line + table.height))
        bid, ask = pl.col("bid").fill_null(0) > 0, pl.col("ask").fill_null(0) > 0
        rows = rows.filter(bid | ask).with_columns(
            *(pl.when(bid).then(pl.col(name).fill_null(0)).alias(name) for name in ("bid", "bid_qty")),
            *(pl.when(ask).then(pl.col(name).fill_null(0)).alias(name) for name in ("ask", "ask_qty")),
            half=bid & ~ask & (ask & ~bid).shift(-1) & (pl.col("ts_event") == pl.col("ts_event").shift(-1)),
        )
        both = [
            pl.col(name).forward_fill().fill_null(held.get(name, 0.0)) for name in names[1:] if fields > 3
        ]
        rows = rows.with_columns(both).filter(~pl.col("half").fill_null(value=False))
        if rows.height:
            held = {name: float(rows[name][-1]) for name in ("bid", "bid_qty", "ask", "ask_qty")}
        columns = {
            "ts_event": rows["ts_event"], "row": rows["row"], "price": _price(rows["bid"], kind),
            "qty": rows["bid_qty"], "price2": _price(rows["ask"], kind), "qty2": rows["ask_qty"],
        }  # fmt: skip
        frame = book_frame(columns, kind=int(EventKind.QUOTE), flags=END)
        yield frame.with_columns(rows["suspicious"])


def _suits(place: Place, head: bytes) -> bool:
    return PATH.fullmatch(f"/{place.path.resolve().as_posix()}") is not None


IMPORTER = Importer(
    "lean_ticks", read, "Lean tick zips: trades and quotes of equities, futures, crypto and forex",
    venue="USA", has_receive_clock=False, suits=_suits,
)  # fmt: skip
