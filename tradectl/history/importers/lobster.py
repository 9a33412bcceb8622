"""LOBSTER's message and orderbook files: NASDAQ messages, and the best levels after each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind, MarketStatus
from tradectl.errors import DataError
from tradectl.history.files import Place
from tradectl.history.importers.base import BATCH, Importer, Options, Piece, bad_row, book_frame
from tradectl.history.importers.csv_blocks import BLOCK, csv_blocks, first_line
from tradectl.history.importers.levels import shown_changes
from tradectl.history.importers.lobster_orders import OrderStream
from tradectl.history.importers.rows import Rows
from tradectl.history.stamps import zone

__all__ = ["IMPORTER", "read"]

NAME = re.compile(r"(?P<symbol>[A-Za-z0-9.\-]+)_(?P<day>\d{4}-\d{2}-\d{2})_.*(?P<what>message|orderbook)_.*")
MESSAGE: dict[str, pl.DataType] = {
    "time": pl.Float64(), "type": pl.Int64(), "order_id": pl.Int64(),
    "size": pl.Int64(), "price": pl.Int64(), "direction": pl.Int64(),
}  # fmt: skip
AS = ("orders", "depth", "quotes")
ORDERS_BLOCK = 1 << 18  # bytes of text at a time where rows become lists
SCALE = 10_000  # prices are dollars times this
Array = npt.NDArray[Any]


class Table(NamedTuple):
    """One block: line of its first row, the messages, and the levels shown after each (None: not known)."""

    line: int
    messages: pl.DataFrame
    asks: tuple[Array, Array] | None  # prices, quantities: (n, N), best first
    bids: tuple[Array, Array] | None


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of message files; the orderbook file of each is looked for beside it."""
    options.only("as")
    how = options.choice("as", AS)
    if "as" not in options.extra and options.kind in ("depth", "quotes"):
        how = options.kind
    matches = [(place, NAME.fullmatch(place.member or place.path.name)) for place in places]
    if not any(match for _, match in matches):
        hint = "expected such as AMZN_2012-06-21_34200000_57600000_message_5.csv"
        raise DataError(f"{places[0]}: the name tells neither symbol nor day", hint=hint)
    for place, match in matches:
        if match is None or match["what"] == "orderbook":  # a folder holds notes too
            continue
        options.place = place
        beside = _beside(place)
        if beside is None and how != "orders":
            hint = "messages alone can be read as: orders"
            raise DataError(f"{place}: no orderbook file beside it, which {how} are read from", hint=hint)
        options.tell(match["symbol"], venue="NASDAQ")
        midnight = datetime.fromisoformat(match["day"]).replace(tzinfo=zone(options.tz or "America/New_York"))
        tables = _tables(place, beside, ORDERS_BLOCK if how == "orders" else BLOCK)
        frames = {"orders": _orders, "depth": _depth, "quotes": _quotes}[how]
        for frame in frames(tables, int(midnight.timestamp()) * 10**9, place):
            yield match["symbol"], frame


def _beside(place: Place) -> Place | None:
    if place.member:
        return Place(place.path, place.member.replace("_message_", "_orderbook_"))
    path = Path(str(place.path).replace("_message_", "_orderbook_"))
    for name in (path, path.with_suffix(""), Path(f"{path}.gz")):
        if name.is_file():
            return Place(name)
    return None


def _tables(place: Place, beside: Place | None, block: int) -> Iterator[Table]:
    """Yield both files side by side; DataError if one has more rows than the other."""
    if beside is None:
        for line, messages in csv_blocks(place, MESSAGE, block=block):
            yield Table(line, messages, None, None)
        return
    columns = len(first_line(beside).rstrip(",").split(","))
    if columns % 4:
        raise DataError(f"{beside}: {columns} columns are no whole number of levels (4 columns each)")
    shown = csv_blocks(beside, {f"column_{k + 1}": pl.Int64() for k in range(columns)}, block=block)
    rest = pl.DataFrame()
    for line, messages in csv_blocks(place, MESSAGE, block=block):
        while rest.height < messages.height:
            more = next(shown, None)
            if more is None:
                where = f"{beside}: {line - 1 + rest.height:,} rows"
                raise DataError(f"{where}, fewer than the message file {place} has")
            rest = pl.concat([rest, more[1]]) if rest.height else more[1]
        levels = rest.head(messages.height).to_numpy()
        rest = rest.slice(messages.height)
        asks, bids = (levels[:, 0::4], levels[:, 1::4]), (levels[:, 2::4], levels[:, 3::4])
        yield Table(line, messages, asks, bids)


def _stamps(messages: pl.DataFrame, midnight: int) -> npt.NDArray[np.int64]:
    seconds = messages["time"].to_numpy()
    made: npt.NDArray[np.int64] = np.rint(seconds * 1e9).astype(np.int64) + midnight
    return made


def _orders(tables: Iterator[Table], midnight: int, place: Place) -> Iterator[pl.DataFrame]:
    rows = Rows()
    stream = OrderStream(rows)
    for table in tables:
        stamps = _stamps(table.messages, midnight).tolist()
        lists = [table.messages[name].to_list() for name in list(MESSAGE)[1:]]
        shown = _shown(table) if table.asks is not None else None
        for at, (kind, order, size, price, side) in enumerate(zip(*lists, strict=True)):
            stream.stamps, stream.number = (stamps[at], stamps[at]), table.line + at
            here = shown[at] if shown is not None else None
            if here is not None and stream.number == 1:
                stream.seed(*_before(here, kind, size, price, side))
                if kind in (2, 3):  # row 0 shows the book after it
                    continue
            try:
                stream.message(kind, order, size, price, side, here)
            except ValueError as error:
                raise bad_row(
                    place, table.line + at, "type", str(kind), "a message type from 1 to 7"
                ) from error
            if len(rows) >= BATCH:
                yield rows.take()
    if len(rows):
        yield rows.take()


def _shown(table: Table) -> list[tuple[Any, Any]]:
    """Return (bids, asks) of each row as lists of (price, quantity) without empty levels.

    A row whose side is as in the row before shares its list.
    """
    sides = []
    for side in (table.bids, table.asks):
        assert side is not None
        both = np.concatenate(side, axis=1)
        new = np.concatenate([[True], (both[1:] != both[:-1]).any(axis=1)])
        price, qty = side[0][new], side[1][new]
        made = [
            [(p, q) for p, q in zip(*row, strict=True) if q > 0]
            for row in zip(price.tolist(), qty.tolist(), strict=True)
        ]
        sides.append([made[k] for k in (np.cumsum(new) - 1).tolist()])
    return list(zip(*sides, strict=True))


def _before(
    shown: tuple[Any, Any], kind: int, size: int, price: int, side: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the book before a first message that adds an order or executes one, from the one after it."""
    change = {1: -size, 4: size}.get(kind, 0)
    sides = []
    for this, levels in ((1, shown[0]), (-1, shown[1])):
        book = dict(levels)
        if this == side and change:
            book[price] = book.get(price, 0) + change
        sides.append(sorted(((p, q) for p, q in book.items() if q > 0), reverse=this > 0))
    return sides[0], sides[1]


def _trades(table: Table, stamps: Array) -> pl.DataFrame:
    """Return executions (visible, hidden, crosses) as trades and halts as statuses, at their places."""
    m = {name: table.messages[name].to_numpy() for name in list(MESSAGE)[1:]}
    at = np.flatnonzero(np.isin(m["type"], (4, 5, 6, 7)))
    kind, halt = m["type"][at], m["type"][at] == 7
    status = np.where(m["price"][at] == 1, int(MarketStatus.LISTED), int(MarketStatus.HALTED))
    columns = {
        "ts_event": stamps[at],
        "kind": np.where(halt, int(EventKind.STATUS), int(EventKind.TRADE)),
        "side": np.where(kind <= 5, -m["direction"][at], 0),
        "price": np.where(halt, 0.0, m["price"][at] / SCALE),
        "qty": np.where(halt, 0.0, m["size"][at]),
        "id": np.where(halt, status, 0),
        "row": table.line + at,
        "rank": np.zeros(len(at), np.int64),
    }
    return _framed(columns)


def _framed(columns: dict[str, Any]) -> pl.DataFrame:
    rank = pl.Series("rank", columns.pop("rank"), pl.Int64)
    return book_frame(columns).with_columns(rank)


def _ended(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Put rows of one message together, trades first, and mark its last."""
    frame = pl.concat(frames).sort("row", "rank", maintain_order=True)
    last = pl.col("row") != pl.col("row").shift(-1)
    bits = pl.when(last.fill_null(value=True)).then(int(EventFlag.MESSAGE_END)).otherwise(0)
    return frame.with_columns(flags=(pl.col("flags") | bits.cast(pl.UInt16))).drop("rank")


def _depth(tables: Iterator[Table], midnight: int, place: Place) -> Iterator[pl.DataFrame]:
    """Yield the changes of the levels shown; the first row is a snapshot."""
    before: list[tuple[Array, Array]] | None = None
    for table in tables:
        stamps = _stamps(table.messages, midnight)
        frames = [_trades(table, stamps)]
        sides = [side for side in (table.bids, table.asks) if side is not None]
        for k, (side, (price, qty)) in enumerate(zip((1, -1), sides, strict=True)):
            empty = np.zeros((1, price.shape[1]), np.int64)
            last = before[k] if before is not None else (empty, empty)
            changes = shown_changes(
                np.concatenate([last[0], price]) / SCALE, np.concatenate([last[1], qty]).astype(np.float64)
            )
            at = changes.at - 1
            columns = {
                "ts_event": stamps[at], "kind": np.full(len(at), int(EventKind.DEPTH)), "row": table.line + at,
                "side": np.full(len(at), side), "price": changes.price, "qty": changes.qty,
                "rank": np.full(len(at), k + 1),
            }  # fmt: skip
            frames.append(_framed(columns))
        frame = _ended(frames)
        if before is None:
            frame = _first_is_snapshot(frame)
        before = [(price[-1:], qty[-1:]) for price, qty in sides]
        yield frame


def _first_is_snapshot(frame: pl.DataFrame) -> pl.DataFrame:
    depth = frame["kind"].to_numpy() == int(EventKind.DEPTH)
    mine = np.flatnonzero(depth & (frame["row"].to_numpy() == frame["row"][0]))
    flags = frame["flags"].to_numpy().copy()
    if len(mine):
        flags[mine[0]] |= int(EventFlag.SNAPSHOT_BEGIN)
        flags[mine[-1]] |= int(EventFlag.SNAPSHOT_END)
    return frame.with_columns(flags=pl.Series(flags))


def _quotes(tables: Iterator[Table], midnight: int, place: Place) -> Iterator[pl.DataFrame]:
    """Yield the best bid and ask wherever one of them changes."""
    before = np.zeros((1, 4), np.int64)
    for table in tables:
        stamps = _stamps(table.messages, midnight)
        assert table.bids is not None
        assert table.asks is not None
        best = np.stack([a[:, 0] for side in (table.bids, table.asks) for a in side], axis=1)
        at = np.flatnonzero((best != np.concatenate([before, best[:-1]])).any(axis=1))
        before = best[-1:]
        new, there = best[at].astype(np.float64), best[at] * (best[at][:, [1, 1, 3, 3]] > 0)
        columns = {
            "ts_event": stamps[at], "kind": np.full(len(at), int(EventKind.QUOTE)), "row": table.line + at,
            "price": there[:, 0] / SCALE, "qty": new[:, 1], "price2": there[:, 2] / SCALE, "qty2": new[:, 3],
            "rank": np.ones(len(at), np.int64),
        }  # fmt: skip
        yield _ended([_trades(table, stamps), _framed(columns)])


def _suits(place: Place, head: bytes) -> bool:
    return NAME.fullmatch(place.member or place.path.name) is not None


IMPORTER = Importer(
    "lobster", read, "LOBSTER message and orderbook files, as orders, depth or quotes",
    venue="NASDAQ", has_receive_clock=False, pairs=False, suits=_suits,
)  # fmt: skip
