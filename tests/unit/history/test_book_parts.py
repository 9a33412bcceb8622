"""The parts that book data is made of: merging, seeds, spools, the inferred grid."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.history.book_files import T0, book, joined, table, trades
from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError
from tradectl.history import book_plan
from tradectl.history.book_events import Ticks
from tradectl.history.book_merge import WITHIN, merge_ticks
from tradectl.history.book_seed import Seed
from tradectl.history.importers import MODULES, Options, importer
from tradectl.history.rows import Budget

KINDS = (
    EventKind.TRADE,
    EventKind.QUOTE,
    EventKind.DEPTH,
    EventKind.GAP,
    EventKind.ORDER_ADD,
    EventKind.MARK,
)


def ticks(rows: list[tuple[int, int, int]]) -> Ticks:
    """Rows of (stamp, kind, id)."""
    stamp, kind, number = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    return Ticks(stamp, stamp, kind.astype(np.uint8), 0, 4, 1, 1, 0, 0, number)


def batches(rows: list[tuple[int, int, int]], cuts: list[int]) -> Iterator[Ticks]:
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, stop in pairwise(edges):
        yield ticks(rows[start:stop])


ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([int(k) for k in KINDS])), max_size=30)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ROWS, st.lists(st.integers(0, 30), max_size=6)), min_size=2, max_size=4))
def test_merging_is_one_stable_sort_however_the_streams_are_cut(streams: list[Any]) -> None:
    """Stamp, rank, stream, row."""
    named = []
    for k, (rows, cuts) in enumerate(streams):
        ordered = sorted(rows, key=lambda row: row[0])
        named.append(([(t, kind, 1_000 * k + i) for i, (t, kind) in enumerate(ordered)], cuts))
    made = [
        int(i) for part in merge_ticks([batches(rows, cuts) for rows, cuts in named]) for i in part.full("id")
    ]
    whole = [row for rows, _ in named for row in rows]
    assert made == [row[2] for row in sorted(whole, key=lambda row: (row[0], WITHIN[row[1]]))]


def orders(rows: list[tuple[EventKind, int, int, int, int]]) -> Ticks:
    columns = [np.array([row[k] for row in rows], np.int64) for k in range(5)]
    stamps = np.arange(len(rows)) + T0
    return Ticks(
        stamps, stamps, columns[0].astype(np.uint8), columns[1], 4, columns[2], columns[3], 0, 0, columns[4]
    )


def test_orders_at_a_window_s_start_keep_their_queue() -> None:
    add, modify = EventKind.ORDER_ADD, EventKind.ORDER_MODIFY
    seed = Seed()
    seed.feed(orders([(add, 1, 100, 5, 1), (add, 1, 100, 6, 2), (add, -1, 101, 7, 3), (add, 1, 100, 8, 4)]))
    seed.feed(orders([
        (modify, 1, 100, 3, 1),  # less at its price: it keeps its place
        (modify, 1, 100, 9, 2),  # more: it goes to the end
        (EventKind.ORDER_EXEC, -1, 101, 7, 3),
        (EventKind.ORDER_CANCEL, 1, 100, 2, 4),
        (EventKind.ORDER_CANCEL, 1, 0, 0, 77),
    ]))  # fmt: skip
    rows = seed.rows(T0 + 99)
    assert rows is not None
    assert rows.full("id").tolist() == [1, 4, 2]
    assert rows.full("qty").tolist() == [3, 6, 9]
    assert rows.full("flags").tolist() == [int(EventFlag.SNAPSHOT_BEGIN), 0, 16 | 4]
    assert set(rows.full("kind")) == {int(add)}


def test_a_broken_book_begins_with_a_gap() -> None:
    depth = orders(
        [(EventKind.DEPTH, 1, 100, 5, 1), (EventKind.GAP, 0, 0, 0, 0), (EventKind.DEPTH, 1, 99, 5, 2)]
    )
    seed = Seed()
    seed.feed(depth)
    rows = seed.rows(T0)
    assert rows is not None
    assert rows.kind == EventKind.GAP
    mended = orders([(EventKind.DEPTH, 1, 98, 5, 3)])
    mended.flags = int(EventFlag.SNAPSHOT_BEGIN)
    seed.feed(mended)
    rows = seed.rows(T0)
    assert rows is not None
    assert rows.full("price").tolist() == [98]


def test_rows_beyond_the_budget_go_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trades(tmp_path / "X.csv", 3_000)
    expected = joined(book(path, "trades")).tobytes()
    monkeypatch.setattr("tradectl.history.open.Budget", lambda: Budget(100))
    history = book(path, "trades")
    assert joined(history).tobytes() == expected
    assert joined(history, 77).tobytes() == expected


@pytest.mark.parametrize(
    ("step", "places", "tick"),
    [("0.5", 1, "0.5"), ("0.25", 2, "0.25"), ("0.03125", 5, "0.03125"), ("5", 0, "5"), ("0.02", 2, "0.02"),
     ("0.3", 1, "0.1")],
)  # fmt: skip
def test_the_dominant_step(tmp_path: Path, step: str, places: int, tick: str) -> None:
    prices = [f"{1000 + k * Decimal(step):.{places}f}" for k in range(200)]
    lines = [f"{T0 + k},{price},1" for k, price in enumerate(prices)]
    path = table(tmp_path / "X.csv", "timestamp,price,qty", lines)
    assert book(path, "trades").instruments[0].tick_size == Decimal(tick)
    few = table(tmp_path / "few" / "X.csv", "timestamp,price,qty", lines[:20])
    assert book(few, "trades").instruments[0].tick_size == Decimal(1).scaleb(-places)


def test_one_price_in_a_hundred_may_be_off_the_dominant_step(tmp_path: Path) -> None:
    lines = [f"{T0 + k},{10_000 + k * 0.5 + (0.1 if k % 150 == 7 else 0):.1f},1" for k in range(600)]
    history = book(table(tmp_path / "X.csv", "timestamp,price,qty", lines), "trades")
    assert history.instruments[0].tick_size == Decimal("0.5")
    assert history.report.count("off_tick") == 4


def test_the_registry() -> None:
    assert {importer(name).name for name in ("generic", "tardis")} <= set(MODULES)
    with pytest.raises(ConfigError, match="unknown format 'tardi'") as caught:
        importer("tardi")
    assert "did you mean 'tardis'?" in caught.value.hint
    options = Options(extra={"quotas": "yes"})
    with pytest.raises(ConfigError, match="unknown setting 'quotas'") as caught:
        options.only("quotes")
    assert "did you mean 'quotes'?" in caught.value.hint
    with pytest.raises(ConfigError, match="'maybe' is not known"):
        Options(extra={"quotes": "maybe"}).choice("quotes", ("no", "yes"))


def test_a_format_is_told_from_its_first_bytes(tmp_path: Path) -> None:
    from tradectl.history.files import Place

    header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    path = table(tmp_path / "x.csv", header, [f"a,B,{T0 // 1000},{T0 // 1000},1,buy,1,1"])
    assert book_plan.choose_importer(Place(path)).name == "tardis"
    assert book_plan.choose_importer(Place(trades(tmp_path / "y.csv"))).name == "generic"
