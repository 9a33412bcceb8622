"""Tardis CSV: trades, quotes, incremental_book_L2 and book_snapshot_N; both stamps in µs, told by the header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import DataError, nearest
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.messages import Messages
from tradectl.history.importers.table import Table, id_numbers, number_column, open_table

__all__ = ["IMPORTER", "read", "suits"]

START = b"exchange,symbol,timestamp,local_timestamp,"
SIDES = {"buy": 1, "bid": 1, "sell": -1, "ask": -1, "unknown": 0, "": 0}
END = int(EventFlag.MESSAGE_END)


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of Tardis files; of book snapshots quotes where `kind: quotes` asks for these."""
    options.only()
    for place in places:
        options.place = place
        table = open_table(place)
        kind, make = _kind(table, options)
        at = {name: k for k, name in enumerate(table.header)}
        numbers = [
            name for name in table.header if name.rpartition(".")[2].rpartition("_")[2] in ("price", "amount")
        ]
        held: dict[str, Messages] = {}
        for frame in table.frames(at, numbers):
            for (venue, symbol), part in frame.partition_by(
                "exchange", "symbol", as_dict=True, maintain_order=True
            ).items():
                rows = make(part, numbers, options)
                name = f"{venue}:{symbol}"
                if kind == "depth":
                    rows = held.setdefault(name, Messages(("ts_recv", "ts_event"))).feed(rows)
                yield name, rows
        for name, rest in held.items():
            yield name, rest.end()


STAMPS = ("timestamp", "local_timestamp")
QUOTE_COLUMNS = ("bid_price", "bid_amount", "ask_price", "ask_amount")
NEEDED = {"depth": ("side", "price", "amount"), "trades": ("side",), "quotes": (), "snapshots": ()}


def _kind(table: Table, options: Options) -> tuple[str, Callable[..., pl.DataFrame]]:
    """Return the kind of rows and what reads them; DataError where a column that they need is missing."""
    kind, reads = _told(table, options)
    needed = STAMPS + NEEDED[kind] + (QUOTE_COLUMNS if reads is _quotes else ())
    for name in needed:
        if name not in table.header:
            raise DataError(f"{table.place}: no column {name!r}", hint=nearest(name, table.header))
    return kind, reads


def _told(table: Table, options: Options) -> tuple[str, Callable[..., pl.DataFrame]]:
    header = set(table.header)
    if "is_snapshot" in header:
        return "depth", _changes
    if "asks[0].price" in header:
        return ("quotes", _tops) if options.kind == "quotes" else ("snapshots", _snapshots)
    if "bid_price" in header:
        return "quotes", _quotes
    if {"id", "price", "amount"} <= header:
        return "trades", _trades
    hint = "known: trades, quotes, incremental_book_L2, book_snapshot_5, book_snapshot_25"
    raise DataError(
        f"{table.place}: no Tardis file of a known kind: {', '.join(table.header)[:120]}", hint=hint
    )


def _stamps(frame: pl.DataFrame, options: Options) -> tuple[dict[str, Any], Any]:
    """Return the stamps in ns and the rows whose stamps can be read."""
    keep = np.ones(frame.height, np.bool_)
    made: dict[str, Any] = {"row": frame["row"]}
    for name, column in (("ts_event", "timestamp"), ("ts_recv", "local_timestamp")):
        stamp = frame[column].cast(pl.Int64, strict=False)
        for at in stamp.is_null().arg_true().to_list():
            options.bad(int(frame["row"][at]), column, str(frame[column][at]), "a number of µs")
            keep[at] = False
        made[name] = stamp.fill_null(0) * 1_000
    return made, keep


def _number(frame: pl.DataFrame, name: str, options: Options, keep: Any) -> Any:
    values, bad = number_column(frame, name, name, options)
    if bad is not None:
        keep &= ~bad.to_numpy()
    return values.fill_null(float("nan")).to_numpy()


def _side(frame: pl.DataFrame, options: Options, keep: Any) -> Any:
    words = frame["side"].cast(pl.String).fill_null("").str.to_lowercase()
    made = words.replace_strict(SIDES, default=None, return_dtype=pl.Int8)
    for at in made.is_null().arg_true().to_list():
        options.bad(int(frame["row"][at]), "side", str(words[at]), "buy, sell, bid, ask or unknown")
        keep[at] = False
    return made.fill_null(0).to_numpy()


def _trades(frame: pl.DataFrame, _numbers: Sequence[str], options: Options) -> pl.DataFrame:
    made, keep = _stamps(frame, options)
    made |= {"price": _number(frame, "price", options, keep), "qty": _number(frame, "amount", options, keep)}
    made |= {"side": _side(frame, options, keep), "id": id_numbers(frame["id"])}
    return _kept(book_frame(made, kind=int(EventKind.TRADE), flags=END), keep)


def _quotes(frame: pl.DataFrame, _numbers: Sequence[str], options: Options) -> pl.DataFrame:
    return _quoted(frame, QUOTE_COLUMNS, options)


def _tops(frame: pl.DataFrame, _numbers: Sequence[str], options: Options) -> pl.DataFrame:
    names = ("bids[0].price", "bids[0].amount", "asks[0].price", "asks[0].amount")
    return _quoted(frame, names, options)


def _quoted(frame: pl.DataFrame, names: Sequence[str], options: Options) -> pl.DataFrame:
    made, keep = _stamps(frame, options)
    for column, name in zip(("price", "qty", "price2", "qty2"), names, strict=True):
        made[column] = np.nan_to_num(_number(frame, name, options, keep), nan=0.0)
    return _kept(book_frame(made, kind=int(EventKind.QUOTE), flags=END), keep)


def _changes(frame: pl.DataFrame, _numbers: Sequence[str], options: Options) -> pl.DataFrame:
    """Return level changes with their truth column `snapshot`; an amount of 0 removes the level."""
    made, keep = _stamps(frame, options)
    made |= {"price": _number(frame, "price", options, keep), "qty": _number(frame, "amount", options, keep)}
    made["side"] = _side(frame, options, keep)
    snapshot = frame["is_snapshot"].cast(pl.String).str.to_lowercase() == "true"
    rows = book_frame(made, kind=int(EventKind.DEPTH)).with_columns(
        snapshot.fill_null(False).alias("snapshot")
    )
    return _kept(rows, keep)


def _snapshots(frame: pl.DataFrame, numbers: Sequence[str], options: Options) -> pl.DataFrame:
    """Return each row's levels as one snapshot message; levels that are empty are left out."""
    made, keep = _stamps(frame, options)
    prices = [name for name in numbers if name.endswith(".price")]
    price = np.stack([_number(frame, name, options, keep) for name in prices], axis=1)
    qty = np.stack(
        [_number(frame, name.removesuffix("price") + "amount", options, keep) for name in prices], axis=1
    )
    there = np.isfinite(price) & keep[:, None]
    side = np.broadcast_to(
        np.array([1 if name.startswith("bids") else -1 for name in prices], np.int8), price.shape
    )
    row = np.repeat(np.arange(frame.height), len(prices)).reshape(price.shape)[there]
    columns = {name: column.to_numpy()[row] for name, column in made.items()}
    columns |= {"price": price[there], "qty": qty[there], "side": side[there]}
    begins = np.diff(row, prepend=-1) != 0
    ends = np.diff(row, append=-1) != 0
    columns["flags"] = begins * int(EventFlag.SNAPSHOT_BEGIN) + ends * (END | int(EventFlag.SNAPSHOT_END))
    return book_frame(columns, kind=int(EventKind.DEPTH))


def _kept(frame: pl.DataFrame, keep: Any) -> pl.DataFrame:
    return frame if keep.all() else frame.filter(keep)


def suits(_place: Place, head: bytes) -> bool:
    """Tell a Tardis file by its first columns."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(START)


IMPORTER = Importer(
    "tardis", read, "Tardis CSV: trades, quotes, incremental_book_L2, book_snapshot_N", suits=suits
)
