"""The book before chosen fills: from events made here, and against what the fold itself saw."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.report.test_prices import S, opened
from tradectl.core.codes import EventFlag, EventKind
from tradectl.report.ladders import CHOSEN, DEEP, Ladder, Ladders
from tradectl.report.model import Report
from tradectl.report.prices import collect

STAMP = pl.Datetime("ns", "UTC")


def fills(*stamps: int) -> pl.DataFrame:
    rows = {"fill_id": range(1, len(stamps) + 1), "ts": stamps, "symbol": ["X:A"] * len(stamps)}
    return pl.DataFrame(rows).with_columns(pl.col("ts").cast(STAMP))


def test_the_book_is_that_before_the_event_of_the_fill() -> None:
    begin = int(EventFlag.SNAPSHOT_BEGIN)
    rows = [
        (S, 1, begin, (100, 5)), (S, 1, 0, (99, 7)), (S, -1, 0, (101, 3)),
        (2 * S, 1, 0, (100, 6)), (2 * S, -1, 0, (101, 0)), (2 * S, -1, 0, (102, 9)),
        (3 * S, 1, 0, (100, 1)),
        (4 * S, 1, begin, (50, 2)),
    ]  # fmt: skip
    source = opened([(ts, EventKind.DEPTH, 0, flags, words) for ts, _, flags, words in rows], (0,))
    events = list(source.chunks(9))
    sides = np.split(np.array([side for _, side, _, _ in rows]), np.cumsum([len(one) for one in events])[:-1])
    for part, side in zip(events, sides, strict=True):
        part["side"] = side
    ladders = Ladders.of(fills(S, 3 * S, 3 * S, 5 * S), ["X:A"])
    for part in events:
        ladders.feed(part)
    before = Ladder([(100, 6), (99, 7)], [(102, 9)])
    assert ladders.found == {2: before, 3: before}  # before the first event there was none; after the last is no event


def test_the_touch_is_the_one_that_the_fold_saw(book: Report) -> None:
    chosen, market = book.market.chosen, book.market
    assert chosen.height == CHOSEN
    assert chosen["lost"].is_sorted()
    tick, _ = market.grids["SYNTHETIC:ALTSYN/USD"]
    for row in chosen.to_dicts():
        ladder = market.ladders[row["fill_id"]]
        assert ladder.bids[0][0] * tick == pytest.approx(row["bid"])
        assert ladder.asks[0][0] * tick == pytest.approx(row["ask"])
        assert len(ladder.bids) == len(ladder.asks) == DEEP


def test_the_watch_hears_every_event() -> None:
    heard: list[int] = []
    collect(opened([(S, EventKind.TIMER, 0, 0, ())] * 7), watch=lambda events: heard.append(len(events)))
    assert sum(heard) == 7
