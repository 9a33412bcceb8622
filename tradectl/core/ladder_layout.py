"""Where a price ladder lies in memory: one blob of bytes that a copy moves, restores or hashes.

    LADDER header | bids | asks | notes | spill
    a side: SIDE header | bitmap words | far levels | quantities | heads of notes

The handle of a ladder is the blob's address. All of it is state and holds offsets, never addresses (`spill`,
where far levels are sorted out, is as the same operations left it). A side's quantities are a ring: the
level of a price in the window [low, low + window) lies at `price & (window - 1)`, so that a moving window
moves no level. Levels outside it are far: they lie in an open-addressing table. Bit 62 of a quantity in the
ring, MARK, says that the price has notes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tradectl.core.records import accessor
from tradectl.errors import ConfigError

__all__ = [
    "DEFAULT_WINDOW", "FAR", "FAR_BATCH", "FAR_LEVELS", "FAR_OFFSET", "FAR_SLOTS", "LADDER",
    "LADDER_NOTE", "LADDER_SIDE", "MARK", "MAX_LADDER_TICKS", "MAX_LEVEL_LOTS", "MAX_NOTES", "MAX_WINDOW",
    "MIN_WINDOW", "NO_ASK", "NO_BID", "NO_NOTE", "QTY_OFFSET", "WORDS_OFFSET", "cell_at", "far_at", "head_at",
    "init_ladder", "ladder_address", "ladder_at", "new_ladder", "note_record", "side_at", "size_of", "word_at",
]  # fmt: skip

MIN_WINDOW, DEFAULT_WINDOW, MAX_WINDOW = 1 << 12, 1 << 14, 1 << 17  # ticks, powers of two
MAX_LADDER_TICKS = 1 << 60  # either sign; differences of prices and of the sentinels stay within int64
MAX_LEVEL_LOTS = (1 << 61) - 1
MARK = 1 << 62  # of a quantity in the ring: the price has notes
NO_BID, NO_ASK = -(1 << 62), 1 << 62  # the best price of an empty side, ticks: worse than any price
MAX_NOTES = 1 << 20
NO_NOTE = -1
FAR_SLOTS = 4096  # places in the table of a side's far levels
FAR_LEVELS = 3072  # far levels that a side keeps
FAR_BATCH = 64  # the farthest ones that make room when there are more

LADDER = np.dtype(
    [
        ("best", "<i8", (2,)),  # best bid and ask in ticks, NO_BID and NO_ASK where there is none
        ("low", "<i8"),  # lowest price of the window in ticks, a multiple of 64
        ("window", "<i8"),  # prices in the window, a power of two
        ("sides", "<i8", (2,)),  # offsets of the parts, in bytes from the header
        ("notes", "<i8"),
        ("spill", "<i8"),  # FAR_BATCH far levels about to be dropped
        ("levels", "<i8", (2,)),  # occupied levels of a side, far ones included
        ("recentres", "<i8"),  # moves of the window so far
        ("dropped", "<i8"),  # far levels dropped so far because there were too many
        ("note_capacity", "<i8"),
        ("note_count", "<i8"),  # notes in use
        ("fresh_note", "<i8"),  # next note that was never used
        ("free_note", "<i8"),  # first of the chain of freed ones
        ("far_notes", "<i8", (2,)),  # first of the chain of far prices' first notes, per side
    ],
    align=True,
)
LADDER_SIDE = np.dtype(
    [
        ("top", "<i8"),  # which of `middle` are not zero
        ("far_count", "<i8"),
        ("far_best", "<i8"),  # no far level is better than this price in ticks
        ("spare", "<i8", (5,)),
        ("middle", "<i8", (32,)),  # which bitmap words are not zero
    ],
    align=True,
)
LADDER_NOTE = np.dtype(
    [
        ("price", "<i8"),  # ticks
        ("lots", "<i8"),  # free for the caller
        ("value", "<i8"),  # free for the caller
        ("order", "<i4"),  # slot of the own order, -1: own consumption
        ("index", "<i4"),  # side: 0 bids, 1 asks; -1: this note is free
        ("next", "<i4"),  # next note of this price in the order of adding, or NO_NOTE
        ("prev", "<i4"),
        ("tail", "<i4"),  # of a price's first note: its last one
        ("far", "<i4"),  # of a far price's first note: the first one of another far price, or NO_NOTE
    ],
    align=True,
)
FAR = np.dtype([("price", "<i8"), ("qty", "<i8")], align=True)  # qty 0: an empty place
_CELL = np.dtype([("qty", "<i8")], align=True)
_WORD = np.dtype([("bits", "<i8")], align=True)
_HEAD = np.dtype([("note", "<i4")], align=True)
WORDS_OFFSET = LADDER_SIDE.itemsize  # from a side's header; each part is as large as the largest window needs
FAR_OFFSET = WORDS_OFFSET + MAX_WINDOW // 8
QTY_OFFSET = FAR_OFFSET + FAR_SLOTS * FAR.itemsize  # the heads follow the `window` quantities

ladder_at = accessor(LADDER)
side_at = accessor(LADDER_SIDE)
note_record = accessor(LADDER_NOTE)
far_at = accessor(FAR)
cell_at = accessor(_CELL)
word_at = accessor(_WORD)
head_at = accessor(_HEAD)


def _round_up(size: int) -> int:
    return (size + 63) & ~63


def _side_size(window: int) -> int:
    return _round_up(QTY_OFFSET + window * (_CELL.itemsize + _HEAD.itemsize))


def size_of(window: int = DEFAULT_WINDOW, notes: int = 1024) -> int:
    """Return the bytes of a ladder, a multiple of 64; ConfigError for a window or capacity it cannot have."""
    if not MIN_WINDOW <= window <= MAX_WINDOW or window & (window - 1):
        raise ConfigError(
            f"a ladder's window is a power of two from {MIN_WINDOW} to {MAX_WINDOW}, not {window}"
        )
    if not 0 <= notes <= MAX_NOTES:
        raise ConfigError(f"a ladder holds 0 to {MAX_NOTES} notes, not {notes}")
    fixed = _round_up(LADDER.itemsize) + FAR_BATCH * FAR.itemsize
    return fixed + 2 * _side_size(window) + _round_up(notes * LADDER_NOTE.itemsize)


def init_ladder(blob: npt.NDArray[np.uint8], window: int = DEFAULT_WINDOW, notes: int = 1024) -> None:
    """Make `blob` (size_of(window, notes),) u1 an empty ladder; it may be part of a larger array of bytes."""
    size = size_of(window, notes)
    if blob.shape != (size,) or not blob.flags.c_contiguous or blob.ctypes.data % 8:
        raise ConfigError(f"a ladder needs {size} bytes in one piece on an 8-byte boundary, not {blob.shape}")
    blob[:] = 0
    header = blob[: LADDER.itemsize].view(LADDER)
    header["best"] = (NO_BID, NO_ASK)
    header["low"], header["window"] = -(window // 2), window
    first = _round_up(LADDER.itemsize)
    header["sides"] = (first, first + _side_size(window))
    header["notes"], header["note_capacity"] = first + 2 * _side_size(window), notes
    header["spill"] = size - FAR_BATCH * FAR.itemsize
    header["free_note"], header["far_notes"] = NO_NOTE, NO_NOTE
    for offset, none in zip(header["sides"][0].tolist(), (NO_BID, NO_ASK), strict=True):
        blob[offset : offset + LADDER_SIDE.itemsize].view(LADDER_SIDE)["far_best"] = none


def new_ladder(window: int = DEFAULT_WINDOW, notes: int = 1024) -> npt.NDArray[np.uint8]:
    """Return the bytes of an empty ladder on a 64-byte boundary; keep them alive while its address is in use."""
    size = size_of(window, notes)
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    blob = raw[start : start + size]
    init_ladder(blob, window, notes)
    return blob


def ladder_address(blob: npt.NDArray[np.uint8]) -> int:
    """Return the handle that kernels take for the ladder in `blob`."""
    return int(blob.ctypes.data)
