"""Trade tables of venues: Binance's aggTrades and trades archives, Kraken's trade archives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import DataError
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.csv_blocks import csv_blocks, first_line

__all__ = ["IMPORTERS"]

Schema = dict[str, pl.DataType]
I64, F64, TEXT = pl.Int64(), pl.Float64(), pl.String()
AGG: Schema = {"id": I64, "price": F64, "qty": F64, "first": I64, "last": I64, "time": I64, "maker": TEXT}
SINGLE: Schema = {"id": I64, "price": F64, "qty": F64, "quote_qty": F64, "time": I64, "maker": TEXT}
KEPT: Schema = {"time": I64, "id": I64, "type": TEXT, "taker": TEXT, "price": F64, "qty": F64}
KRAKEN: Schema = {"time": F64, "price": F64, "qty": F64}
KEPT_HEADER = "timestamp,id,type,side,price,amount"
BINANCE_NAME = re.compile(r"(?P<symbol>\w+)-(?:agg)?trades(?:[.\-].*)?", re.IGNORECASE)
PAIR_NAME = re.compile(r"(?P<symbol>[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)?)(?:[.\-].*)?")


@dataclass(frozen=True)
class Layout:
    """Columns of a file by position, lines of header, and those that may be empty."""

    columns: Schema
    skip: int = 0
    optional: tuple[str, ...] = ()


def _binance_layout(place: Place) -> Layout:
    """Tell the layout from the header, or from which column of the first row is true or false."""
    first = first_line(place)
    fields = first.split(",")
    if first.startswith(KEPT_HEADER):
        return Layout(KEPT, 1, ("id", "type"))
    header = int(not fields[0].strip().isdigit())
    flag = next((k for k, f in enumerate(fields) if f.strip().lower() in ("true", "false")), 0)
    if flag == 6 or (header and "first" in first.lower()):
        return Layout(AGG, header)
    if flag == 5 or (header and "quote" in first.lower()):
        return Layout(SINGLE, header)
    raise DataError(
        f"{place}: {len(fields)} columns, beginning {first[:60]!r}: no table of trades or aggTrades",
        hint=f"expected aggTrades ({', '.join(AGG)}), trades ({', '.join(SINGLE)}) or {KEPT_HEADER}",
    )


def _stamps(column: pl.Series) -> pl.Series:
    """Return ns of integer stamps in s, ms, µs or ns, each told by its size."""
    value = pl.col("t")
    scaled = (
        pl.when(value < 10**11).then(value * 10**9)
        .when(value < 10**14).then(value * 10**6)
        .when(value < 10**17).then(value * 10**3)
        .otherwise(value)
    )  # fmt: skip
    return pl.DataFrame({"t": column}).select(scaled).to_series()


def _binance(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    options.only("symbol")
    for place in places:
        layout = _binance_layout(place)
        symbol = _symbol(place, options, BINANCE_NAME)
        options.place = place
        for line, table in csv_blocks(place, layout.columns, skip=layout.skip, optional=layout.optional):
            if "maker" in table.columns:
                side = pl.Series(np.where(table["maker"].str.to_lowercase() == "true", -1, 1))
            else:
                side = pl.Series(np.where(table["taker"].str.to_lowercase() == "sell", -1, 1))
            yield symbol, _framed(table, _stamps(table["time"]), line, side=side, id=table["id"].fill_null(0))


def _kraken(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Tell trades without side; stamps are seconds, with fractions in newer files (exact to 1 µs)."""
    options.only("symbol")
    for place in places:
        first = first_line(place)
        skip = int(not first.split(",")[0].replace(".", "").isdigit())
        symbol = _symbol(place, options, PAIR_NAME)
        options.place = place
        for line, table in csv_blocks(place, KRAKEN, skip=skip):
            stamps = (table["time"] * 1e6).round(0).cast(pl.Int64) * 1_000
            yield symbol, _framed(table, stamps, line)


def _framed(table: pl.DataFrame, stamps: pl.Series, line: int, **more: pl.Series) -> pl.DataFrame:
    columns = {
        "ts_event": stamps, "price": table["price"], "qty": table["qty"],
        "row": np.arange(line, line + table.height), **more,
    }  # fmt: skip
    return book_frame(columns, kind=int(EventKind.TRADE), flags=int(EventFlag.MESSAGE_END))


def _symbol(place: Place, options: Options, pattern: re.Pattern[str]) -> str:
    if "symbol" in options.extra:
        return str(options.extra["symbol"])
    name = place.member or place.path.name
    match = pattern.fullmatch(name.rsplit("/", 1)[-1]) or PAIR_NAME.fullmatch(name)
    return match["symbol"] if match else ""


def _suits_binance(place: Place, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0].decode(errors="replace").strip()
    if first.startswith(KEPT_HEADER) or (first.startswith("agg_trade_id,") and "is_buyer_maker" in first):
        return True
    return BINANCE_NAME.fullmatch(place.member or place.path.name) is not None


def _importer(name: str, read: Callable[[Sequence[Place], Options], Iterator[Piece]], about: str, venue: str,
              suits: Callable[[Place, bytes], bool] | None) -> Importer:  # fmt: skip
    return Importer(name, read, about, venue=venue, has_receive_clock=False, pairs=True, suits=suits)


IMPORTERS: dict[str, Importer] = {
    "binance_trades": _importer(
        "binance_trades", _binance, "Binance aggTrades and trades archives (CSV)", "BINANCE", _suits_binance
    ),
    "kraken_trades": _importer(
        "kraken_trades", _kraken, "Kraken trade archives (CSV of time, price, volume)", "KRAKEN", None
    ),
}
