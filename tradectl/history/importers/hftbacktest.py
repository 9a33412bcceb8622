"""hftbacktest's event files (`.npz`, `.npy`): arrays of 64-byte records of depth, trades and orders."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import DataError
from tradectl.history.files import Place
from tradectl.history.importers.base import BATCH, Importer, Options, Piece, bad_row, book_frame

__all__ = ["EVENT", "IMPORTER", "read"]

Array = npt.NDArray[Any]
EVENT = np.dtype(
    [
        ("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8"),
        ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8"),
    ]
)  # fmt: skip
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28  # bits of `ev`; its lowest byte is the kind
DEPTH, TRADE, DEPTH_CLEAR, SNAPSHOT, BBO, ADD, CANCEL, MODIFY, FILL = 1, 2, 3, 4, 5, 10, 11, 12, 13
KINDS = {
    DEPTH: EventKind.DEPTH, TRADE: EventKind.TRADE, DEPTH_CLEAR: EventKind.CLEAR, SNAPSHOT: EventKind.DEPTH,
    BBO: EventKind.DEPTH, ADD: EventKind.ORDER_ADD, CANCEL: EventKind.ORDER_CANCEL,
    MODIFY: EventKind.ORDER_MODIFY, FILL: EventKind.ORDER_EXEC,
}  # fmt: skip


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows as they were received; the symbol is the option `symbol`, else the file's name up to `_`."""
    options.only("symbol")
    for place in places:
        options.place = place
        events = _load(place)
        symbol = str(options.extra.get("symbol") or place.path.name.split(".")[0].split("_")[0]).upper()
        received, row = _received(events)
        for start, stop in _cuts(events, received):
            yield symbol, _rows(events[received[start:stop]], row[start:stop], place)


def _load(place: Place) -> Array:
    try:
        loaded = np.load(place.path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            events = loaded
        else:
            with loaded as packed:
                events = packed["data"] if "data" in packed else packed[packed.files[0]]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{place}: damaged or truncated npz file ({error})") from error
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"{place}: no file of arrays", hint="expected what numpy.savez or numpy.save writes") from error
    if events.dtype != EVENT or events.ndim != 1:
        raise DataError(
            f"{place}: the array is of {events.dtype}, shape {events.shape}",
            hint=f"expected (n,) of {EVENT.descr}",
        )
    return events


def _received(events: Array) -> tuple[Array, Array]:
    """Return the indexes of events in the order of their receipt, and their rows from 1.

    A prepared file holds each event for the exchange and for the local side, as one or as two rows: those of the
    local side are taken. A file without these bits is taken whole.
    """
    local = (events["ev"] & LOCAL) != 0
    found = np.flatnonzero(local) if local.any() else np.arange(len(events))
    return found, found + 1


def _cuts(events: Array, received: Array) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of batches that end where a message does."""
    last = len(received)
    start = 0
    while start < last:
        stop = min(start + BATCH, last)
        while stop < last and _same(events[received[stop - 1]], events[received[stop]]):
            stop += 1
        yield start, stop
        start = stop


def _same(a: Any, b: Any) -> bool:
    """Tell whether two events belong to one message: depth of equal stamps, or of one snapshot."""
    kinds = int(a["ev"]) & 0xFF, int(b["ev"]) & 0xFF
    if kinds[0] in (DEPTH_CLEAR, SNAPSHOT) and kinds[1] in (DEPTH_CLEAR, SNAPSHOT):
        return bool(a["local_ts"] == b["local_ts"])
    return kinds == (DEPTH, DEPTH) and bool(a["local_ts"] == b["local_ts"] and a["exch_ts"] == b["exch_ts"])


def _rows(events: Array, row: Array, place: Place) -> pl.DataFrame:
    code = (events["ev"] & 0xFF).astype(np.int64)
    kind = np.zeros(len(events), np.uint8)
    for mine, meaning in KINDS.items():
        kind[code == mine] = int(meaning)
    if (kind == 0).any():
        at = int(np.flatnonzero(kind == 0)[0])
        raise bad_row(place, int(row[at]), "ev", str(code[at]), f"one of the kinds {sorted(KINDS)}")
    side = ((events["ev"] & BUY) != 0).astype(np.int8) - ((events["ev"] & SELL) != 0).astype(np.int8)
    local, exch = events["local_ts"], events["exch_ts"]
    together = np.zeros(len(events), np.bool_)  # with the event before it
    whole = np.isin(code, (DEPTH_CLEAR, SNAPSHOT))
    together[1:] = (local[1:] == local[:-1]) & (
        (whole[1:] & whole[:-1]) | ((code[1:] == DEPTH) & (code[:-1] == DEPTH) & (exch[1:] == exch[:-1]))
    )
    message = np.cumsum(~together)
    snapshot = code == SNAPSHOT
    with_snapshot = np.isin(message, np.unique(message[snapshot]))
    keep = ~(
        (code == DEPTH_CLEAR) & (with_snapshot | together)
    )  # a snapshot empties by itself; one CLEAR is enough
    clear = kind == int(EventKind.CLEAR)
    frame = book_frame(
        {
            "ts_event": exch, "ts_recv": local, "kind": kind, "side": np.where(clear, 0, side),
            "price": np.where(clear, 0.0, events["px"]), "qty": np.where(clear, 0.0, events["qty"]),
            "id": events["order_id"].view(np.int64), "row": row,
        }
    )  # fmt: skip
    frame = frame.filter(pl.Series(keep))
    message, snapshot = message[keep], snapshot[keep]
    first, last = np.ones(len(message), np.bool_), np.ones(len(message), np.bool_)
    first[1:] = last[:-1] = message[1:] != message[:-1]
    flags = last * int(EventFlag.MESSAGE_END)
    flags += (snapshot & first) * int(EventFlag.SNAPSHOT_BEGIN) + (snapshot & last) * int(
        EventFlag.SNAPSHOT_END
    )
    return frame.with_columns(flags=pl.Series(flags.astype(np.uint16)))


def _suits(place: Place, head: bytes) -> bool:
    return place.path.suffix.lower() in (".npz", ".npy")


IMPORTER = Importer(
    "hftbacktest", read, "hftbacktest event arrays (npz): depth, trades, snapshots and orders",
    endings=(".npz", ".npy"), suits=_suits,
)  # fmt: skip
