"""Databento's DBN files (`.dbn`, `.dbn.zst`): market by order, by price, trades, and best bid and ask.

Needs the package databento-dbn (`pip install 'tradectl[databento]'`), which unpacks and frames the records; their
fields are read here, many at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.databento_mbo import F_LAST, MboOrders, complete, price_of, side_of
from tradectl.history.importers.levels import shown_changes

__all__ = ["IMPORTER", "read"]

Array = npt.NDArray[Any]
BLOCK = 1 << 20  # bytes read at a time
ZSTD = b"\x28\xb5\x2f\xfd"
HEAD = [("length", "u1"), ("rtype", "u1"), ("publisher", "<u2"), ("instrument", "<u4"), ("ts_event", "<u8")]
STAMPS = [("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4")]
MBO = [
    *HEAD, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel", "u1"),
    ("action", "S1"), ("side", "S1"), *STAMPS,
]  # fmt: skip
PRICED = [
    *HEAD, ("price", "<i8"), ("size", "<u4"), ("action", "S1"), ("side", "S1"), ("flags", "u1"),
    ("depth", "u1"), *STAMPS,
]  # fmt: skip
LEVEL = [
    ("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<u4"), ("ask_size", "<u4"), ("bid_count", "<u4"),
    ("ask_count", "<u4"),
]  # fmt: skip
LAYOUTS: dict[str, list[Any]] = {  # record class -> its fields
    "MBOMsg": MBO,
    "TradeMsg": PRICED,
    "MBP1Msg": [*PRICED, ("levels", LEVEL, 1)],
    "MBP10Msg": [*PRICED, ("levels", LEVEL, 10)],
    "BBOMsg": [*PRICED, ("levels", LEVEL, 1)],
}
OTHERS = ("Metadata", "InstrumentDefMsg", "StatusMsg", "SymbolMappingMsg", "SystemMsg", "StatMsg", "ErrorMsg")
END = int(EventFlag.MESSAGE_END)


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of DBN files, each instrument under its raw symbol."""
    options.only()
    for place in places:
        options.place = place
        yield from _File(place, options).pieces()


def _dbn() -> ModuleType:
    try:
        import databento_dbn
    except ImportError as error:
        hint = "install it: pip install 'tradectl[databento]'"
        raise ConfigError(
            "DBN files are read with the package databento-dbn, which is missing", hint=hint
        ) from error
    return databento_dbn  # type: ignore[no-any-return,unused-ignore]


class _File:
    """One file: its symbols, and what of each instrument waits for the end of its message."""

    def __init__(self, place: Place, options: Options) -> None:
        self.place, self.options = place, options
        self.names: dict[int, list[tuple[str, str, str]]] = {}  # id -> (first day, end day, symbol)
        self.schema = ""
        self.number = 0  # records read
        self.waiting: dict[int, tuple[Array, Array]] = {}  # id -> (records, their numbers)
        self.orders: dict[int, MboOrders] = {}
        self.shown: dict[int, Array] = {}  # id -> the last levels shown

    def pieces(self) -> Iterator[Piece]:
        """Yield frames; TruncatedError at an early end, DataError for what is no DBN."""
        for records in self._records():
            for name, group in groupby(records, lambda record: type(record).__name__):
                found = list(group)
                self.number += len(found) if name != "Metadata" else 0
                if name in LAYOUTS:
                    yield from self._batch(name, found)
                else:
                    self._told(name, found)
        for instrument, (left, row) in self.waiting.items():  # a message without an end, at the end
            if len(left):
                orders = self.orders.setdefault(instrument, MboOrders())
                yield self._symbol(instrument, left), orders.rows(left, row)

    def _records(self) -> Iterator[list[Any]]:
        dbn = _dbn()
        with self.place.path.open("rb") as stream:
            first = stream.read(4)
            packing = dbn.Compression.ZSTD if first == ZSTD else dbn.Compression.NONE
            decoder = dbn.DBNDecoder(compression=packing)
            block, any_record = first + stream.read(BLOCK), False
            while block:
                try:
                    decoder.write(block)
                    records = decoder.decode()
                except (dbn.DBNError, RuntimeError, ValueError) as error:
                    if any_record:
                        raise TruncatedError(f"after record {self.number:,}: {error}") from error
                    raise DataError(f"{self.place}: no DBN file: {error}") from error
                any_record = any_record or bool(records)
                yield records
                block = stream.read(BLOCK)
            if not any_record:
                raise DataError(f"{self.place}: no DBN file, or one that ends within its header")
            if decoder.buffer():
                raise TruncatedError(f"it ends within record {self.number + 1:,}")

    def _told(self, name: str, records: list[Any]) -> None:
        """Take what other records say of symbols and grids."""
        for record in records:
            if name == "Metadata":
                self.schema = str(record.schema or "")
                for symbol, spans in record.mappings.items():
                    for span in spans:
                        if span["symbol"].isdigit():
                            days = (span["start_date"].isoformat(), span["end_date"].isoformat(), symbol)
                            self.names.setdefault(int(span["symbol"]), []).append(days)
            elif name == "SymbolMappingMsg":
                days = ("", "9999", str(record.stype_out_symbol))
                self.names[int(record.instrument_id)] = [days]
            elif name == "InstrumentDefMsg":
                tick = Decimal(int(record.min_price_increment)).scaleb(-9)
                self.options.tell(str(record.raw_symbol), tick_size=tick)
            elif name not in OTHERS:
                raise DataError(
                    f"{self.place}: records of {name} are not read",
                    hint=f"schemas: mbo, mbp-1, mbp-10, trades, tbbo, bbo ({', '.join(LAYOUTS)})",
                )

    def _batch(self, name: str, found: list[Any]) -> Iterator[Piece]:
        more = found[0].record_size() - np.dtype(LAYOUTS[name]).itemsize  # a stamp of sending, at the end
        layout = [*LAYOUTS[name], ("more", f"V{more}")] if more else LAYOUTS[name]
        records = np.frombuffer(b"".join(map(bytes, found)), np.dtype(layout))
        row = np.arange(self.number - len(found) + 1, self.number + 1)
        for instrument in np.unique(records["instrument"]).tolist():
            mine = records["instrument"] == instrument
            yield from self._instrument(name, int(instrument), records[mine], row[mine])

    def _instrument(self, name: str, instrument: int, records: Array, row: Array) -> Iterator[Piece]:
        if name == "MBOMsg":
            if instrument in self.waiting:
                before = self.waiting[instrument]
                records, row = np.concatenate([before[0], records]), np.concatenate([before[1], row])
            ready = complete(records)
            self.waiting[instrument] = (records[ready:], row[ready:])
            records, row = records[:ready], row[:ready]
            if len(records):
                orders = self.orders.setdefault(instrument, MboOrders())
                yield self._symbol(instrument, records), orders.rows(records, row)
            return
        symbol = self._symbol(instrument, records)
        if name == "TradeMsg":
            yield symbol, _trades(records, row)
        elif name == "MBP10Msg":
            yield symbol, self._depth(instrument, records, row)
        else:
            yield symbol, _quotes(records, row, traded_only=self.schema == "tbbo", sampled=name == "BBOMsg")

    def _symbol(self, instrument: int, records: Array) -> str:
        """Return the raw symbol on the day of the first record; the id where none is told."""
        spans = self.names.get(instrument, [])
        if len(spans) > 1:
            day = datetime.fromtimestamp(int(records["ts_recv"][0]) // 10**9, UTC).date().isoformat()
            spans = [span for span in spans if span[0] <= day < span[1]] or spans
        return spans[0][2] if spans else str(instrument)

    def _depth(self, instrument: int, records: Array, row: Array) -> pl.DataFrame:
        """Return the changes between the ten levels shown; the first showing is a snapshot."""
        levels = records["levels"]
        first = instrument not in self.shown
        start = np.zeros_like(levels[:1]) if first else self.shown[instrument]
        levels = np.concatenate([start, levels])
        self.shown[instrument] = levels[-1:]
        frames = [_trades(records[records["action"] == b"T"], row[records["action"] == b"T"])]
        for side, price, size in ((1, "bid", "bid_size"), (-1, "ask", "ask_size")):
            changes = shown_changes(price_of(levels[price]), levels[size].astype(np.float64))
            at = changes.at - 1
            columns = {"price": changes.price, "qty": changes.qty, "row": row[at], **_stamps(records[at])}
            frames.append(book_frame(columns, kind=int(EventKind.DEPTH), side=side))
        frame = pl.concat([f.with_columns(flags=pl.lit(0, pl.UInt16)) for f in frames])
        frame = frame.sort("row", maintain_order=True)
        ends = row[(records["flags"] & F_LAST) != 0]
        message = np.searchsorted(ends, frame["row"].to_numpy())
        flags = np.zeros(frame.height, np.uint16)
        flags[np.flatnonzero(np.append(message[1:] != message[:-1], np.True_)[: len(flags)])] = END
        if first and frame.height:
            mine = np.flatnonzero(frame["row"].to_numpy() == frame["row"][0])
            flags[mine[0]] |= int(EventFlag.SNAPSHOT_BEGIN)
            flags[mine[-1]] |= int(EventFlag.SNAPSHOT_END)
        return frame.with_columns(flags=pl.Series(flags))


def _stamps(records: Array) -> dict[str, Array]:
    return {name: records[name].astype(np.int64) for name in ("ts_event", "ts_recv")}


def _trades(records: Array, row: Array) -> pl.DataFrame:
    columns = {
        "price": price_of(records["price"]), "qty": records["size"].astype(np.float64),
        "side": side_of(records["side"]), "id": records["sequence"].astype(np.int64), "row": row,
        **_stamps(records),
    }  # fmt: skip
    return book_frame(columns, kind=int(EventKind.TRADE), flags=END)


def _quotes(records: Array, row: Array, *, traded_only: bool, sampled: bool) -> pl.DataFrame:
    """Quotes of changes, and trades; the quote in a trade's record is the one before it.

    With `traded_only` (tbbo) that quote is told too, before its trade; `sampled` (bbo) records hold no trades.
    """
    trade = (records["action"] == b"T") & np.bool_(not sampled)
    shown = np.ones(len(records), np.bool_) if traded_only else ~trade
    best = records["levels"][:, 0][shown]
    columns = {
        "price": price_of(best["bid"]), "qty": best["bid_size"].astype(np.float64),
        "price2": price_of(best["ask"]), "qty2": best["ask_size"].astype(np.float64),
        "id": records["sequence"][shown].astype(np.int64), "row": row[shown], **_stamps(records[shown]),
    }  # fmt: skip
    quotes = book_frame(columns, kind=int(EventKind.QUOTE), flags=END)
    return pl.concat([quotes, _trades(records[trade], row[trade])]).sort("row", maintain_order=True)


def _suits(place: Place, head: bytes) -> bool:
    return ".dbn" in place.path.name.lower()


IMPORTER = Importer(
    "databento", read, "Databento DBN files: mbo, mbp-1, mbp-10, trades, tbbo, bbo (extra: databento)",
    venue="DATABENTO", endings=(".dbn", ".dbn.zst"), pairs=False, suits=_suits,
)  # fmt: skip
