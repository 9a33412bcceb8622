"""Order flow for the matching engine: read from a file, or made up from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.core.bits import signed
from tradectl.core.book import book_cancel, book_market, book_modify, book_submit
from tradectl.core.book_layout import book_address, book_at, new_book, order_at
from tradectl.core.book_replay import FLOW, OP_ADD, OP_CANCEL, OP_MARKET, OP_MODIFY
from tradectl.core.codes import TimeInForce
from tradectl.core.jit import entry
from tradectl.errors import DataError

__all__ = ["MAX_FLOW_ID", "generate_flow", "load_flow"]

MAX_FLOW_ID = (1 << 28) - 1  # the dense table of ids takes 4 bytes each: 1 GiB at most
CHUNK = 65_536  # operations whose random numbers are drawn at once
FIRST_MID = 50_000  # ticks
LIVE_TARGET = 8_000  # resting orders that additions and cancels settle around
_GTC = int(TimeInForce.GTC)


def _writable(dtype: Any, ndim: int = 1) -> Any:
    return types.Array(dtype, ndim, "C")


def _flow_record() -> Any:
    return numba.from_dtype(FLOW)


@entry(
    lambda: types.void(
        types.int64, _writable(_flow_record()), types.Array(types.float64, 2, "C"), _writable(types.int64)
    )
)
def fill_flow(book: int, flow: Any, uniform: Any, cursor: Any) -> None:
    """Write flow (n,) of FLOW, each operation chosen on the book at address `book` and applied to it.

    uniform (n, 5) f8 in [0, 1): kind, side, distance, quantity, target; cursor (3,) i8: next id, fair price
    in ticks, resting orders to settle around. A cancel or modify takes the first resting order at or after a
    random slot; passive prices lie a cubed uniform times 300 ticks behind the other side's or the fair price.
    """
    state = book_at(book, 0)
    for i in range(flow.shape[0]):
        kind, coin, distance, size, target = uniform[i]
        fair = cursor[1]
        if distance < 0.01:
            fair += 1 if size < 0.5 else -1
            cursor[1] = fair
        slot = 0
        if kind >= 0.5 and kind < 0.95 and target * cursor[2] < state.live:
            slot = 1 + int(target * (state.fresh - 1))
            for _ in range(64):
                if slot >= state.fresh or order_at(book + state.orders, slot).qty_lots > 0:
                    break
                slot += 1
            if slot >= state.fresh or order_at(book + state.orders, slot).qty_lots == 0:
                slot = 0
        row = flow[i]
        row["pad"] = 0
        if slot != 0:
            order = order_at(book + state.orders, slot)
            row["id"] = order.id
            row["price"] = order.price_ticks
            row["side"] = 0 if order.price_ticks <= state.low + state.best[0] else 1
            if kind < 0.92:
                row["op"] = OP_CANCEL
                row["qty"] = order.qty_lots
                book_cancel(book, signed(row["id"]))
            else:
                row["op"] = OP_MODIFY
                row["qty"] = 1 + int(size * order.qty_lots)
                book_modify(book, signed(row["id"]), signed(row["price"]), signed(row["qty"]))
            continue
        side = 1 if coin < 0.5 else -1
        row["id"] = cursor[0]
        cursor[0] += 1
        row["side"] = 0 if side > 0 else 1
        if kind >= 0.98 and state.live > 100:
            row["op"] = OP_MARKET
            row["price"] = 0
            row["qty"] = 1 + int(400 * size * size)
            book_market(book, signed(row["id"]), side, signed(row["qty"]))
            continue
        away = 1 + int(300 * distance * distance * distance)
        row["op"] = OP_ADD
        row["qty"] = 1 + int(120 * size)
        row["price"] = fair - side * away if kind < 0.95 else fair + side * (away & 15)
        book_submit(book, signed(row["id"]), side, signed(row["price"]), signed(row["qty"]), _GTC, 0)


def generate_flow(ops: int = 1_000_000, seed: int = 1, live: int = LIVE_TARGET) -> npt.NDArray[Any]:
    """Make `ops` operations (FLOW) of a market with about `live` resting orders; a seed's bytes are fixed."""
    flow = np.zeros(ops, FLOW)
    blob = new_book(min(max(ops, 1), 1 << 20), max(ops, 1), FIRST_MID)
    cursor = np.array([0, FIRST_MID, live], np.int64)
    rng = np.random.default_rng(seed)
    for start in range(0, ops, CHUNK):
        part = flow[start : start + CHUNK]
        fill_flow(book_address(blob), part, rng.random((len(part), 5)), cursor)
    return flow


def load_flow(path: Path) -> npt.NDArray[Any]:
    """Read a flow file (.npy, rows of FLOW) and prove what the kernels rely on: op, side and id ranges."""
    try:
        flow = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy file: {error}") from error
    if flow.dtype != FLOW or flow.ndim != 1 or len(flow) == 0:
        raise DataError(f"{path}: expected a non-empty one-dimensional array of {FLOW}, found {flow.dtype}")
    for name, most in (("op", OP_MODIFY), ("side", 1), ("id", MAX_FLOW_ID)):
        wrong = np.flatnonzero(flow[name] > most)
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{path}: row {row}: {name} is {flow[name][row]}; at most {most} is valid")
    flow.flags.writeable = False
    return np.ascontiguousarray(flow)
