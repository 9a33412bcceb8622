"""Any table of trades, quotes, depth or orders: columns by mapping or by their usual names.

Depth rows of one stamp (and id) are one message. A side is read from words (buy, b, bid, sell, s, ask, …) or
signs; `maker` is the column that says whether the buyer was the maker, from which the aggressor follows.
Settings: `qty`: the size of quotes and trades that state none (default 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import stamps
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.messages import Messages
from tradectl.history.importers.table import Table, id_numbers, number_column, open_table
from tradectl.history.stamps import StampFormat

__all__ = ["FIELDS", "IMPORTER", "SYNONYMS", "kinds_of_columns", "read"]

# Names that a column of each field goes by, lower case; the first one present is taken.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "ts_event", "timestamp", "timestamp_ns", "timestamp_us", "timestamp_ms", "exchange_time", "exch_ts",
        "transact_time", "trade_time", "time", "datetime", "date_time", "date", "ts", "t", "created_at",
    ),
    "received": ("ts_recv", "local_timestamp", "received", "receive_time", "recv_time", "local_ts", "ts_local"),
    "symbol": ("symbol", "ticker", "pair", "instrument", "product_id"),
    "price": ("price", "p", "px", "trade_price", "rate", "last"),
    "qty": ("qty", "amount", "size", "quantity", "volume", "q", "vol", "base_qty", "trade_size", "foreignnotional"),
    "side": ("side", "direction", "taker_side", "aggressor", "aggressor_side", "takerside", "type"),
    "maker": ("is_buyer_maker", "buyer_maker", "isbuyermaker", "m"),
    "id": (
        "id", "trade_id", "agg_trade_id", "aggtradeid", "tid", "update_id", "u", "sequence", "seq", "order_id",
        "trdmatchid",
    ),
    "bid": ("bid", "bid_price", "best_bid", "bid_px", "bid_px_1", "bidprice", "b", "best_bid_price"),
    "bid_qty": ("bid_qty", "bid_amount", "bid_size", "best_bid_qty", "bid_qty_1", "bid_volume", "bidsize", "bq"),
    "ask": ("ask", "ask_price", "best_ask", "ask_px", "ask_px_1", "askprice", "a", "offer", "best_ask_price"),
    "ask_qty": ("ask_qty", "ask_amount", "ask_size", "best_ask_qty", "ask_qty_1", "ask_volume", "asksize", "aq"),
    "snapshot": ("is_snapshot", "snapshot"),
    "action": ("action", "event", "event_type", "op", "type"),
}  # fmt: skip
FIELDS = tuple(SYNONYMS)
KINDS = {"trades": EventKind.TRADE, "quotes": EventKind.QUOTE, "depth": EventKind.DEPTH}
NUMBERS = ("price", "qty", "bid", "bid_qty", "ask", "ask_qty")
NEEDED = {
    "trades": ("timestamp", "price"),
    "quotes": ("timestamp", "bid", "ask"),
    "depth": ("timestamp", "side", "price", "qty"),
    "orders": ("timestamp", "action", "side", "price", "qty", "id"),
}
USED: dict[str, tuple[str, ...]] = {
    "trades": ("price", "qty", "side", "maker", "id"),
    "quotes": ("bid", "bid_qty", "ask", "ask_qty", "id"),
    "depth": ("price", "qty", "side", "id", "snapshot"),
    "orders": ("action", "price", "qty", "side", "id"),
}
SIDES = {
    **dict.fromkeys(("buy", "b", "bid", "bids", "bought", "long", "1", "+1"), 1),
    **dict.fromkeys(("sell", "s", "ask", "asks", "a", "sold", "short", "-1"), -1),
    **dict.fromkeys(("", "0", "none", "n", "unknown", "u"), 0),
}
ACTIONS = {
    **dict.fromkeys(("add", "a", "new", "insert", "created", "open", "submit"), int(EventKind.ORDER_ADD)),
    **dict.fromkeys(("modify", "m", "change", "changed", "update", "replace"), int(EventKind.ORDER_MODIFY)),
    **dict.fromkeys(("cancel", "c", "delete", "deleted", "d", "remove"), int(EventKind.ORDER_CANCEL)),
    **dict.fromkeys(("exec", "execute", "e", "f", "fill", "trade", "match"), int(EventKind.ORDER_EXEC)),
}
TRUE = ("true", "1", "t", "yes", "y")


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of tables of one kind."""
    options.only("qty")
    kind = options.kind
    for place in places:
        options.place = place
        if kind == "book":
            raise ConfigError(
                f"{place}: data.kind: book needs a format that says what each row is",
                hint="set kind to trades, quotes, depth or orders, and name one block for each",
            )
        table = open_table(place, options.mapping.get("header"), NEEDED[kind])
        at = _locate(table, options.mapping, kind)
        yield from _rows(table, at, options)


def kinds_of_columns(table: Table) -> tuple[str, ...]:
    """Return the kinds of book data whose columns a table has under their usual names."""
    return tuple(
        kind for kind, needed in NEEDED.items() if all(table.at(SYNONYMS[name]) is not None for name in needed)
    )


def _locate(table: Table, mapping: Mapping[str, Any], kind: str) -> dict[str, int]:
    """Return the index of each field's column; DataError names what is missing."""
    found: dict[str, int] = {}
    for name in ("timestamp", "received", "symbol", *USED[kind]):
        wanted = mapping.get(name)
        at = table.at((str(wanted).strip().lower(),) if wanted else SYNONYMS[name])
        if at is not None and (wanted or at not in found.values()):
            found[name] = at
        elif wanted:
            raise DataError(
                f"{table.place}: column {wanted!r} for {name} is not in the header",
                hint=nearest(wanted, table.header),
            )
    for name in NEEDED[kind]:
        if name not in found:
            raise DataError(
                f"{table.place}: no column for {name} of {kind}",
                hint=f"{nearest(name, [n for n in table.header if n])}; give data.mapping: {{{name}: <column>}}",
            )
    return found


def form_of(table: Table, column: pl.Series, options: Options) -> StampFormat:
    """Return how the stamps of a column are read."""
    unit, text = options.mapping.get("unit"), options.mapping.get("timestamp_format")
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return StampFormat(date_only=column.dtype == pl.Date, tz=options.tz or "UTC")
    try:
        return stamps.detect(column.drop_nulls().head(100).to_list(), unit, text, options.tz or "UTC")
    except DataError as error:
        message = f"{table.place}: column {column.name!r}: {error.message}"
        raise DataError(message, hint=error.hint) from error


def _rows(table: Table, at: dict[str, int], options: Options) -> Iterator[Piece]:
    head = table.head(at)
    if not head.height:
        raise DataError(f"{table.place}: no data row below the header")
    forms: dict[str, StampFormat] = {}
    for name in ("timestamp", "received"):
        if name in at:
            forms[name] = form_of(table, head[name], options)
    messages: dict[str, Messages] = {}
    for frame in table.frames(at, [name for name in NUMBERS if name in at]):
        made = _canonical(table, frame, forms, options)
        if made.height == 0:
            continue
        parts = {"": made.drop("symbol")} if "symbol" not in at else {
            str(name[0] or ""): part.drop("symbol")
            for name, part in made.partition_by("symbol", as_dict=True, maintain_order=True).items()
        }  # fmt: skip
        for symbol, part in parts.items():
            if options.kind == "depth":
                part = messages.setdefault(symbol, Messages()).feed(part)
            yield symbol, part
    for symbol, rest in messages.items():
        yield symbol, rest.end()


def _canonical(
    table: Table, frame: pl.DataFrame, forms: Mapping[str, StampFormat], options: Options
) -> pl.DataFrame:
    """Return a frame of canonical rows, with `row`, `symbol` (may be null) and `snapshot`."""
    keep = np.ones(frame.height, np.bool_)
    columns: dict[str, Any] = {}
    for name, form in forms.items():
        made = stamps.to_ns(frame[name], form)
        for k in made.is_null().arg_true().to_list():
            options.bad(int(frame["row"][k]), name, str(frame[name][k] or ""), "a time stamp")
            keep[k] = False
        columns["ts_event" if name == "timestamp" else "ts_recv"] = made.fill_null(0)
    numbers: dict[str, pl.Series] = {}
    for name in NUMBERS:
        if name in frame.columns:
            number, bad = number_column(frame, name, name, options)
            if bad is not None:
                keep &= ~bad.to_numpy()
            numbers[name] = number
    _scaled(numbers, options)
    if options.kind == "quotes":
        columns |= _quoted(frame, numbers, options)
    else:
        columns["price"] = numbers["price"].fill_null(float("nan"))
        columns["qty"] = numbers.get("qty", _unsized(frame, options)).fill_null(float("nan"))
        columns["side"] = _sides(frame, options, keep)
    columns["kind"] = np.full(frame.height, KINDS.get(options.kind, 0), np.uint8)
    if options.kind == "orders":
        columns["kind"] = _coded(frame, "action", ACTIONS, options, keep)
    if "id" in frame.columns:
        columns["id"] = id_numbers(frame["id"])
    flags = 0 if options.kind == "depth" else int(EventFlag.MESSAGE_END)
    rows = book_frame({**columns, "row": frame["row"]}, flags=flags)
    symbol = frame["symbol"] if "symbol" in frame.columns else pl.Series([""]).new_from_index(0, frame.height)
    rows = rows.with_columns(symbol.cast(pl.String).alias("symbol"))
    if options.kind == "depth":
        rows = rows.with_columns(_truths(frame, "snapshot"))
    return rows if keep.all() else rows.filter(keep)


def _scaled(numbers: dict[str, pl.Series], options: Options) -> None:
    scale = float(options.mapping.get("scale") or 1)
    for name in ("price", "bid", "ask"):
        if name in numbers and scale != 1:
            numbers[name] = numbers[name] / round(1 / scale) if scale < 1 else numbers[name] * scale


def _unsized(frame: pl.DataFrame, options: Options) -> pl.Series:
    return pl.Series(np.full(frame.height, float(options.extra.get("qty", 1))))


def _quoted(frame: pl.DataFrame, numbers: Mapping[str, pl.Series], options: Options) -> dict[str, Any]:
    """Return the columns of both sides; one without a price has no quantity."""
    made: dict[str, Any] = {}
    for side, price, qty in (("bid", "price", "qty"), ("ask", "price2", "qty2")):
        made[price] = numbers[side].fill_null(0.0).fill_nan(0.0).to_numpy()
        size = numbers.get(f"{side}_qty", _unsized(frame, options)).fill_null(0.0).to_numpy()
        made[qty] = np.where(made[price] == 0, 0.0, size)
    return made


def _sides(frame: pl.DataFrame, options: Options, keep: Any) -> Any:
    """Return +1, -1 or 0 of each row; of `maker` the aggressor is the other one."""
    if "maker" in frame.columns and options.kind == "trades":
        return np.where(_truths(frame, "maker").to_numpy(), -1, 1)
    if "side" not in frame.columns:
        return np.zeros(frame.height, np.int8)
    return _coded(frame, "side", SIDES, options, keep)


def _truths(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, np.zeros(frame.height, np.bool_))
    column = frame[name]
    if column.dtype == pl.Boolean:
        return column.fill_null(False)
    return (
        column.cast(pl.String).str.strip_chars().str.to_lowercase().is_in(TRUE).fill_null(False).alias(name)
    )


def _coded(frame: pl.DataFrame, name: str, codes: Mapping[str, int], options: Options, keep: Any) -> Any:
    """Return the codes of a column of words; words that are none are told, and their rows left out."""
    words = frame[name].cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    made = words.replace_strict(codes, default=None, return_dtype=pl.Int64)
    for at in made.is_null().arg_true().to_list():
        options.bad(
            int(frame["row"][at]), name, str(frame[name][at]), f"one of {', '.join(k for k in codes if k)}"
        )
        keep[at] = False
    return made.fill_null(0).to_numpy()


IMPORTER = Importer(
    "generic", read, "any table of trades, quotes, depth or orders, by mapping or by usual names of columns"
)
