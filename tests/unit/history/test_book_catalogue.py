"""Book data in a catalogue: what comes out is what went in, and an import can be repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.unit.history.book_files import MS, T0, book, depth, joined, table, trades
from tests.unit.history.helpers import bars, write
from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history import book_writer
from tradectl.history.importers.hftbacktest import BUY, EVENT, SELL
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history

MIDNIGHT = 1_700_006_400_000_000_000  # ns


def blocks(tmp_path: Path, *, n: int = 60) -> list[DataBlock]:
    return [
        DataBlock(source=str(depth(tmp_path / "d" / "X.csv")), kind="depth"),
        DataBlock(source=str(trades(tmp_path / "t" / "X.csv", n)), kind="trades"),
    ]


def index(root: Path) -> dict[str, object]:
    (entry,) = json.loads((root / "catalogue.json").read_text())["ticks"].values()
    return dict(entry)


@pytest.mark.parametrize("rows", [17, 1 << 21])
def test_round_trip(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_writer, "PART_ROWS", rows)
    raw = open_history(blocks(tmp_path), {})
    for block in blocks(tmp_path):
        import_data([block], tmp_path / "cat")
    stored = book(tmp_path / "cat", "book")
    assert joined(stored, 7).tobytes() == joined(raw).tobytes()
    assert stored.instruments == raw.instruments
    assert stored.kinds == raw.kinds == [frozenset({"trades", "depth"})]
    assert stored.has_receive_clock == [True]
    assert stored.report.instruments[0].tick_from == "catalogue"
    assert index(tmp_path / "cat")["kinds"] == {"trade": 60, "depth": 84}


def test_order_of_imports_and_repeats_change_nothing(tmp_path: Path) -> None:
    first, second = blocks(tmp_path)
    import_data([first, second], tmp_path / "a")
    for block in (second, first, second, first):
        summary, _ = import_data([block], tmp_path / "b")
    assert summary.added == 0
    one, two = (joined(book(tmp_path / root, "book")) for root in "ab")
    assert one.tobytes() == two.tobytes()


def test_only_one_kind_is_read_where_one_is_asked_for(tmp_path: Path) -> None:
    import_data(blocks(tmp_path), tmp_path / "cat")
    made = joined(book(tmp_path / "cat", "trades"))
    assert made.tobytes() == joined(book(tmp_path / "t" / "X.csv", "trades")).tobytes()
    with pytest.raises(DataError, match="no quotes of X"):
        book(tmp_path / "cat", "quotes")


def test_windows_of_a_catalogue_and_of_files_are_the_same(tmp_path: Path) -> None:
    raw = blocks(tmp_path)
    import_data(raw, tmp_path / "cat")
    window = {"start_ns": T0 + 203 * MS, "end_ns": T0 + 302 * MS}
    whole = [DataBlock(source=b.source, kind=b.kind, **window) for b in raw]  # type: ignore[arg-type]
    made = joined(book(tmp_path / "cat", "book", **window))
    assert made.tobytes() == joined(open_history(whole, {})).tobytes()


def test_a_later_import_extends_the_series(tmp_path: Path) -> None:
    import_data(
        [DataBlock(source=str(trades(tmp_path / "a" / "X.csv", 50)), kind="trades")], tmp_path / "cat"
    )
    more = trades(tmp_path / "b" / "X.csv", 50, first=30)
    summary, _ = import_data([DataBlock(source=str(more), kind="trades")], tmp_path / "cat")
    assert (summary.rows, summary.added, summary.replaced) == (50, 30, 20)
    whole = joined(book(trades(tmp_path / "c" / "X.csv", 80), "trades"))
    assert joined(book(tmp_path / "cat", "trades")).tobytes() == whole.tobytes()


def both(path: Path, trades: range, depth: range, clears: tuple[int, ...] = ()) -> DataBlock:
    """Trades and depth of one file, one lot each, and CLEARs, at ms counted from 20 ms before midnight."""
    rows = [(2 | BUY, k) for k in trades] + [(1 | SELL, k) for k in depth] + [(3, k) for k in clears]
    events = np.zeros(len(rows), EVENT)
    for event, (ev, k) in zip(events, sorted(rows, key=lambda row: row[1]), strict=True):
        event["ev"], event["exch_ts"], event["local_ts"] = ev, MIDNIGHT + (k - 20) * MS - 700, MIDNIGHT + (k - 20) * MS
        event["px"], event["qty"] = 100 + k, 1
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, events)
    return DataBlock(source=str(path), kind="book")


def test_kinds_of_one_file_are_imported_one_after_the_other(tmp_path: Path) -> None:
    block = both(tmp_path / "X.npy", range(10, 30, 2), range(1, 40, 2), (1, 24))
    raw = joined(open_history([block], {})).tobytes()
    for order in (("depth", "trades"), ("trades", "depth"), ("trades", "depth", "trades", "book")):
        root = tmp_path / "-".join(order)
        for kind in order:
            summary, _ = import_data([replace(block, kind=kind)], root)
        assert joined(book(root, "book")).tobytes() == raw
        assert index(root)["kinds"] == {"trade": 10, "depth": 20, "clear": 2}
    assert (summary.rows, summary.added, summary.replaced) == (32, 0, 32)


def test_an_import_replaces_within_the_time_of_its_kinds(tmp_path: Path) -> None:
    import_data([both(tmp_path / "a" / "X.npy", range(0, 50, 5), range(0, 50, 5), (3,))], tmp_path / "cat")
    mended = both(tmp_path / "b" / "X.npy", range(20, 35, 7), range(50), (22,))
    summary, _ = import_data([replace(mended, kind="trades")], tmp_path / "cat")
    assert (summary.rows, summary.added, summary.replaced) == (3, 0, 3)  # 20, 27, 34 for 20, 25, 30
    assert index(tmp_path / "cat")["kinds"] == {"trade": 10, "depth": 10, "clear": 1}  # the book's
    made = joined(book(tmp_path / "cat", "trades"))
    ms = (made["ts_recv"][made["kind"] == EventKind.TRADE] - MIDNIGHT) // MS + 20
    assert ms.tolist() == [0, 5, 10, 15, 20, 27, 34, 35, 40, 45]
    summary, _ = import_data([both(tmp_path / "c" / "X.npy", range(0, 50, 25), range(0))], tmp_path / "cat")
    assert (summary.rows, summary.added, summary.replaced) == (2, 0, 5)


def test_a_clock_is_corrected_by_importing_again(tmp_path: Path) -> None:
    block = both(tmp_path / "X.npy", range(40), range(1, 40, 3), (7,))
    ways = [{}, {"clock": "correct", "clock_latency_ns": 5 * MS}, {"clock": "correct", "clock_latency_ns": 60 * MS}]
    want = []
    for k, way in enumerate(ways):
        import_data([replace(block, **way)], tmp_path / f"once-{k}")  # type: ignore[arg-type]
        want.append(joined(book(tmp_path / f"once-{k}", "book")).tobytes())
    assert len(set(want)) == 3
    for k in (0, 2, 1, 0):
        for kind in ("depth", "trades"):
            import_data([replace(block, kind=kind, **ways[k])], tmp_path / "cat")  # type: ignore[arg-type]
        assert joined(book(tmp_path / "cat", "book")).tobytes() == want[k]
    import_data([replace(block, source=str(tmp_path / "once-2"))], tmp_path / "copy")
    summary, _ = import_data([block], tmp_path / "copy")  # a copy knows by how much its rows were corrected
    assert (summary.added, summary.replaced) == (0, summary.rows)


def test_a_finer_import_makes_the_grid_finer(tmp_path: Path) -> None:
    import_data([DataBlock(source=str(trades(tmp_path / "a" / "X.csv")), kind="trades")], tmp_path / "cat")
    lines = [f"{T0 + k * 1_000 * MS},{100 + k * 0.2:.1f},0.001,{k}" for k in range(10, 60)]
    path = table(tmp_path / "b" / "X.csv", "timestamp,price,qty,id", lines)
    import_data([DataBlock(source=str(path), kind="trades")], tmp_path / "cat")
    history = book(tmp_path / "cat", "trades")
    (instrument,) = history.instruments
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    made = joined(history)
    assert made["w0"][:2].tolist() == [1000, 1005]
    assert made["w1"][:2].tolist() == [1250, 2250]
    assert made["w0"][60] == 1020


def test_a_catalogue_on_another_grid(tmp_path: Path) -> None:
    import_data([DataBlock(source=str(trades(tmp_path / "a" / "X.csv")), kind="trades")], tmp_path / "cat")
    finer = book(tmp_path / "cat", "trades", {"X": InstrumentSpec(tick_size=Decimal("0.1"))})
    assert joined(finer)["w0"][:2].tolist() == [1000, 1005]
    assert finer.report.count("off_tick") == 0
    coarser = book(tmp_path / "cat", "trades", {"X": InstrumentSpec(tick_size=Decimal(1))})
    assert coarser.report.count("off_tick") == 30


def test_bars_and_ticks_share_a_catalogue(tmp_path: Path) -> None:
    import_data([DataBlock(source=str(write(tmp_path / "BTCUSD_1m.csv", bars(30))))], tmp_path / "cat")
    import_data(blocks(tmp_path), tmp_path / "cat")
    import_data([DataBlock(source=str(write(tmp_path / "BTCUSD_1m.csv", bars(40))))], tmp_path / "cat")
    assert len(joined(open_history([DataBlock(source=str(tmp_path / "cat"))], {}))) == 40
    assert len(joined(book(tmp_path / "cat", "book"))) == 144


def test_damaged_catalogues_are_told(tmp_path: Path) -> None:
    import_data(blocks(tmp_path), tmp_path / "cat")
    with pytest.raises(ConfigError, match="needs no profile"):
        book(tmp_path / "cat", "book", profile="tardis")
    with pytest.raises(DataError, match="no rows of YYY"):
        book(tmp_path / "cat", "book", symbols=["YYY"])
    (part,) = (tmp_path / "cat").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(DataError, match="missing or changed since it was imported"):
        book(tmp_path / "cat", "book")


def test_a_failed_import_leaves_the_catalogue_as_it_was(tmp_path: Path) -> None:
    import_data(blocks(tmp_path), tmp_path / "cat")
    before = joined(book(tmp_path / "cat", "book")).tobytes()
    bad = table(tmp_path / "b" / "X.csv", "timestamp,price,qty", [f"{T0},100,1", f"{T0 + 1},-5,1"])
    with pytest.raises(DataError, match="a price is not positive"):
        import_data([DataBlock(source=str(bad), kind="trades")], tmp_path / "cat")
    assert joined(book(tmp_path / "cat", "book")).tobytes() == before


def test_parts_hold_whole_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_writer, "PART_ROWS", 10)
    lines = [f"{T0 + (k // 25) * MS},100,1,{k + 1}" for k in range(100)]
    path = table(tmp_path / "X.csv", "timestamp,price,qty,id", lines)
    import_data([DataBlock(source=str(path), kind="trades")], tmp_path / "cat")
    parts = index(tmp_path / "cat")["parts"]
    assert [part["rows"] for part in parts] == [100]  # type: ignore[attr-defined, index]
    assert np.array_equal(joined(book(tmp_path / "cat", "trades"))["w2"], np.arange(1, 101))
