"""Rows of book data to events: floats become ticks and lots here, then each column is one strided write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.history.grid import scale_of

__all__ = [
    "GROUPS", "NAMES", "Ticks", "book_events", "concat_ticks", "drop_rows", "groups_of", "kinds_mask", "to_ticks",
]  # fmt: skip

BLOCK = 8_192  # rows written at a time: their 64-byte records stay in the cache
PICO = 1e12  # a funding rate of 1 in the units of its event
Ints = npt.NDArray[np.int64]
Column = npt.NDArray[Any] | int  # an int stands for a column of one value

# What a block may ask for, and what an instrument has -> the kinds of its events.
GROUPS: dict[str, tuple[EventKind, ...]] = {
    "trades": (EventKind.TRADE,),
    "quotes": (EventKind.QUOTE,),
    "depth": (EventKind.DEPTH,),
    "orders": (EventKind.ORDER_ADD, EventKind.ORDER_MODIFY, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC),
    "funding": (EventKind.FUNDING,),
    "mark": (EventKind.MARK,),
}
ALWAYS = (EventKind.FUNDING, EventKind.MARK, EventKind.GAP, EventKind.CLEAR, EventKind.STATUS)


@dataclass(slots=True)
class Ticks:
    """Rows in integers: what the catalogue stores and events are made of.

    Stamps ns UTC; `price`, `price2` in ticks, `qty`, `qty2` in lots. FUNDING: `price` is the rate in 1e-12.
    GAP: `price` and `qty` are the stamps between which something is missing. STATUS: `id` is the status.
    `shift` (ns) is what a correction of the receive clock has added to `ts_recv`.
    """

    ts_event: npt.NDArray[np.int64]
    ts_recv: npt.NDArray[np.int64]
    kind: Column
    side: Column
    flags: Column
    price: Column
    qty: Column
    price2: Column
    qty2: Column
    id: Column
    shift: Column = 0

    def __len__(self) -> int:
        return len(self.ts_recv)

    def __getitem__(self, key: Any) -> Ticks:
        columns: list[Any] = [c if isinstance(c, int) else c[key] for c in self.columns()]
        return Ticks(*columns)

    def columns(self) -> tuple[Column, ...]:
        """Return the eleven columns in order."""
        return (
            self.ts_event, self.ts_recv, self.kind, self.side, self.flags,
            self.price, self.qty, self.price2, self.qty2, self.id, self.shift,
        )  # fmt: skip

    def full(self, name: str) -> npt.NDArray[Any]:
        """Return a column as an array, also where it has one value."""
        column = getattr(self, name)
        return np.full(len(self), column) if isinstance(column, int) else column


NAMES = tuple(field.name for field in fields(Ticks))


def concat_ticks(parts: Sequence[Ticks]) -> Ticks:
    """Join batches."""
    if len(parts) == 1:
        return parts[0]
    columns: list[Any] = []
    for name in NAMES:
        pieces = [getattr(part, name) for part in parts]
        first = pieces[0]
        same = isinstance(first, int) and all(isinstance(p, int) and p == first for p in pieces)
        columns.append(first if same else np.concatenate([part.full(name) for part in parts]))
    return Ticks(*columns)


def kinds_mask(kind: str) -> npt.NDArray[np.bool_] | None:
    """Return which event kinds a block of this kind lets through, by their number; None: all."""
    if kind not in GROUPS:
        return None
    mask = np.zeros(256, np.bool_)
    mask[[int(k) for k in (*GROUPS[kind], *ALWAYS)]] = True
    return mask


def groups_of(kinds: Iterable[int]) -> frozenset[str]:
    """Return the names of the groups that some event kinds belong to."""
    there = set(kinds)
    return frozenset(name for name, members in GROUPS.items() if there & {int(m) for m in members})


def to_ticks(columns: dict[str, npt.NDArray[Any]], tick: Decimal, lot: Decimal, before_ns: int) -> Ticks:
    """Return canonical rows (arrays by name) in integers; `before_ns` is the receive stamp before them.

    Rounded half to even; a price or quantity above zero is at least one tick or lot.
    """
    kind = columns["kind"]
    made = Ticks(
        columns["ts_event"], columns["ts_recv"], kind, columns["side"], columns["flags"],
        _steps(columns["price"], tick), _steps(columns["qty"], lot),
        0, 0, columns["id"],
    )  # fmt: skip
    if (kind == EventKind.QUOTE).any():
        made.price2, made.qty2 = _steps(columns["price2"], tick), _steps(columns["qty2"], lot)
    assert isinstance(made.price, np.ndarray)
    assert isinstance(made.qty, np.ndarray)
    if (rates := kind == EventKind.FUNDING).any():
        made.price[rates] = np.rint(columns["price"][rates] * PICO)
    for at in np.flatnonzero(kind == EventKind.GAP):
        made.price[at] = columns["ts_recv"][at - 1] if at else before_ns
        made.qty[at] = columns["ts_recv"][at]
    return made


def _steps(values: npt.NDArray[np.float64], step: Decimal) -> Ints:
    factor, multiply = scale_of(step)
    steps = values * factor if multiply else values / factor
    np.rint(steps, out=steps)
    made = steps.astype(np.int64)
    if not made.all():  # zeros: those of them that were something are the smallest there is
        made[(made == 0) & (values > 0)] = 1
    return made


def book_events(ticks: Ticks, instrument: int, events: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Return `ticks` as events, in `events` (zeroed, of their length) where given."""
    events = empty_events(len(ticks)) if events is None else events
    kind = ticks.kind
    quote: Any = kind == EventKind.QUOTE  # one truth value, or one for each row
    only_quotes = bool(np.all(quote))
    some_quotes = bool(np.any(quote))
    for start in range(0, len(ticks), BLOCK):
        stop = min(start + BLOCK, len(ticks))
        out, part = events[start:stop], ticks[start:stop]
        out["ts_event"], out["ts_recv"] = part.ts_event, part.ts_recv
        out["kind"], out["side"], out["flags"] = part.kind, part.side, part.flags
        if instrument:
            out["instrument"] = instrument
        out["w0"], out["w1"] = part.price, part.qty
        if not some_quotes:
            out["w2"] = part.id
        elif only_quotes:
            out["w2"], out["w3"], out["w4"] = part.price2, part.qty2, part.id
        else:
            is_quote = part.kind == EventKind.QUOTE
            out["w2"] = np.where(is_quote, part.price2, part.id)
            out["w3"] = part.qty2
            out["w4"] = np.where(is_quote, part.id, 0)
    if isinstance(kind, np.ndarray) and (statuses := kind == EventKind.STATUS).any():
        events["w1"][statuses] = events["w0"][statuses]
        events["w0"][statuses] = ticks.full("id")[statuses]
        events["w2"][statuses] = 0
    return events


def drop_rows(
    columns: dict[str, npt.NDArray[Any]], keep: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[Any]]:
    """Return the kept rows; what a dropped row's flags said of its message passes to the rows left of it.

    A snapshot of which no row is left becomes a CLEAR: the book before it is over all the same.
    """
    flags = columns["flags"].copy()
    ends = (flags & EventFlag.MESSAGE_END) > 0
    message: Ints = np.cumsum(ends) - ends
    keep, kind = keep.copy(), columns["kind"].copy()
    for one in np.unique(message[~keep]):
        rows = np.flatnonzero(message == one)
        left = rows[keep[rows]]
        said = int(np.bitwise_or.reduce(flags[rows]))
        begins = said & EventFlag.SNAPSHOT_BEGIN
        closes = said & (EventFlag.MESSAGE_END | EventFlag.SNAPSHOT_END)
        if len(left):
            flags[left[0]] |= begins
            flags[left[-1]] |= closes
        elif begins:
            keep[rows[-1]], kind[rows[-1]] = True, EventKind.CLEAR
            flags[rows[-1]] = EventFlag.MESSAGE_END
    return {name: column[keep] for name, column in (columns | {"flags": flags, "kind": kind}).items()}
