"""Book data as events: words, messages, the grid, windows; and that chunks and file order change nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.unit.history.book_files import MS, T0, book, depth, joined, levels, quotes, table, trades
from tests.unit.history.helpers import bars, write
from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.book_events import drop_rows, to_ticks
from tradectl.history.importers import book_frame
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history

END = int(EventFlag.MESSAGE_END)
BEGIN, DONE = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)


def test_words_of_trades(tmp_path: Path) -> None:
    history = book(trades(tmp_path / "BTCUSDT.csv"), "trades")
    made = joined(history)
    (instrument,) = history.instruments
    assert (instrument.id, instrument.tick_size, instrument.lot_size) == (
        "LOCAL:BTC/USDT", Decimal("0.5"), Decimal("0.01"),
    )  # fmt: skip
    first = made[1]
    assert (first["kind"], first["side"], first["flags"], first["aux"]) == (EventKind.TRADE, 1, END, 0)
    assert (first["ts_event"], first["ts_recv"]) == (T0 + 10 * MS, T0 + 12 * MS)
    assert [first[f"w{k}"] for k in range(5)] == [201, 225, 1001, 0, 0]
    assert history.kinds == [frozenset({"trades"})]
    assert history.has_receive_clock == [True]
    assert history.timeframes_ns == []
    assert history.total_rows == len(made) == 60


def test_words_of_quotes(tmp_path: Path) -> None:
    made = joined(book(quotes(tmp_path / "X.csv"), "quotes"))
    assert made[3]["kind"] == EventKind.QUOTE
    assert [made[3][f"w{k}"] for k in range(5)] == [103, 4, 104, 5, 0]


def test_a_quote_without_a_side_has_no_quantity_there(tmp_path: Path) -> None:
    path = table(
        tmp_path / "X.csv", "timestamp,bid,ask", [f"{T0},,101", f"{T0 + MS},100,", f"{T0 + 2 * MS},100,101"]
    )
    made = joined(book(path, "quotes"))
    assert made[["w0", "w1", "w2", "w3"]].tolist() == [(0, 0, 101, 1), (100, 1, 0, 0), (100, 1, 101, 1)]


def test_messages_of_depth(tmp_path: Path) -> None:
    made = joined(book(depth(tmp_path / "X.csv"), "depth"))
    assert made["flags"][:4].tolist() == [BEGIN, 0, 0, DONE | END]
    assert made["flags"][4:].tolist() == [0, END] * 40
    assert made["side"][:6].tolist() == [1, 1, -1, -1, 1, -1]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_content_does_not_depend_on_chunks(tmp_path: Path, rows: int) -> None:
    files = [str(trades(tmp_path / "a" / "X.csv"))]
    history = book(files, "trades")
    assert joined(history, rows).tobytes() == joined(history).tobytes()


def test_two_blocks_of_one_instrument_are_merged_by_receive_time(tmp_path: Path) -> None:
    blocks = [
        DataBlock(source=str(depth(tmp_path / "d" / "X.csv")), kind="depth"),
        DataBlock(source=str(trades(tmp_path / "t" / "X.csv")), kind="trades"),
    ]
    history = open_history(blocks, {})
    made = joined(history)
    assert history.kinds == [frozenset({"trades", "depth"})]
    assert (np.diff(made["ts_recv"]) >= 0).all()
    assert len(made) == 60 + 84
    turned = joined(open_history(blocks[::-1], {}), 11)
    assert turned.tobytes() == made.tobytes()


def test_equal_stamps_stay_in_one_order_whatever_the_batches(tmp_path: Path) -> None:
    """All rows at one stamp: trades, then depth, each in the order of its file."""
    lines = [f"{T0},{100 + k % 3},{1 + k % 5},buy,{k + 1}" for k in range(500)]
    one = table(tmp_path / "t" / "X.csv", "timestamp,price,qty,side,id", lines)
    more = [f"{T0},bid,{90 + k % 7},{1 + k % 5},{k + 1}" for k in range(500)]
    two = table(tmp_path / "d" / "X.csv", "timestamp,side,price,qty,update_id", more)
    blocks = [DataBlock(source=str(two), kind="depth"), DataBlock(source=str(one), kind="trades")]
    made = joined(open_history(blocks, {}), 13)
    assert made["kind"].tolist() == [EventKind.TRADE] * 500 + [EventKind.DEPTH] * 500
    assert made["w2"].tolist() == list(range(1, 501)) * 2


def test_bars_beside_ticks_keep_their_batches(tmp_path: Path) -> None:
    write(tmp_path / "b" / "AAAUSD_1m.csv", bars(5))
    write(tmp_path / "b" / "CCCUSD_1m.csv", bars(5))
    stamps = [1_700_000_040_000 + 60_000 * k for k in range(1, 6)]
    path = table(tmp_path / "t" / "BBBUSD.csv", "timestamp,price,qty,id", [f"{t},100,1,{t}" for t in stamps])
    blocks = [DataBlock(source=str(tmp_path / "b")), DataBlock(source=str(path), kind="trades")]
    history = open_history(blocks, {})
    made = joined(history, 4)
    assert history.kinds == [frozenset({"bars"}), frozenset({"trades"}), frozenset({"bars"})]
    assert made["instrument"].tolist() == [0, 2, 1] * 5
    assert (made["flags"] & 1).tolist() == [0, 1, 0] * 5


def test_what_ticks_have_at_a_bar_s_end_comes_after_the_bar(tmp_path: Path) -> None:
    """Funding of an instrument with bars comes before its bar, that of one with trades after all bars."""
    write(tmp_path / "b" / "BBBUSD_1m.csv", bars(2))
    stamp = 1_700_000_100_000
    rows = [f"{t},100,1,{t}" for t in (stamp, stamp + 1)]
    path = table(tmp_path / "t" / "AAAUSD.csv", "timestamp,price,qty,id", rows)
    rates = [f"{name},{stamp},0.0001" for name in ("AAAUSD", "BBBUSD")]
    funding = write(tmp_path / "rates.csv", rates, header="symbol,timestamp,rate")
    kinds = {str(tmp_path / "b"): "bars", str(path): "trades", str(funding): "funding"}
    made = joined(open_history([DataBlock(source=source, kind=kind) for source, kind in kinds.items()], {}))
    at = made[made["ts_recv"] == stamp * 1_000_000]
    assert [(int(one["instrument"]), int(one["kind"])) for one in at] == [
        (1, EventKind.FUNDING), (1, EventKind.BAR), (0, EventKind.FUNDING), (0, EventKind.TRADE),
    ]  # fmt: skip


def test_two_blocks_of_the_same_kind_and_time_are_refused(tmp_path: Path) -> None:
    one, two = trades(tmp_path / "a" / "X.csv"), trades(tmp_path / "b" / "X.csv")
    blocks = [DataBlock(source=str(p), kind="trades") for p in (one, two)]
    with pytest.raises(DataError, match="two blocks have trades of the same time"):
        open_history(blocks, {})


def test_window_of_trades(tmp_path: Path) -> None:
    """[from, to) by receive time; nothing else changes, not even the inferred grid."""
    path = trades(tmp_path / "X.csv")
    whole = joined(book(path, "trades"))
    start, end = T0 + 100 * MS, T0 + 302 * MS
    part = joined(book(path, "trades", start_ns=start, end_ns=end))
    inside = (whole["ts_recv"] >= start) & (whole["ts_recv"] < end)
    assert part.tobytes() == whole[inside].tobytes()


def test_a_window_of_depth_begins_with_the_book(tmp_path: Path) -> None:
    path = depth(tmp_path / "X.csv")
    whole = joined(book(path, "depth"))
    start = T0 + 205 * MS
    part = joined(book(path, "depth", start_ns=start))
    before = whole[whole["ts_recv"] < start]
    seed = part[part["ts_recv"] == start]
    assert seed["flags"][0] & BEGIN
    assert seed["flags"][-1] == DONE | END
    assert levels(seed) == levels(before)
    assert levels(part) == levels(whole)


def test_a_window_of_quotes_begins_with_the_last_one(tmp_path: Path) -> None:
    start = T0 + 105 * MS
    part = joined(book(quotes(tmp_path / "X.csv"), "quotes", start_ns=start))
    assert part["ts_recv"][0] == start
    assert part[["w0", "w1"]][0].tolist() == (101, 11)


def test_configured_grid_counts_what_is_off_it(tmp_path: Path) -> None:
    spec = {"X": InstrumentSpec(tick_size=Decimal(1), lot_size=Decimal(1))}
    history = book(trades(tmp_path / "X.csv"), "trades", spec)
    assert history.report.count("off_tick") == 30
    assert history.report.count("off_lot") == 60
    assert joined(history)["w1"].min() == 1
    with pytest.raises(DataError, match=r"X\.csv, line 3: a price is not a whole number of ticks: 100\.5"):
        book(trades(tmp_path / "X.csv"), "trades", spec, on_error={"off_tick": "fail"})
    dropped = joined(book(trades(tmp_path / "X.csv"), "trades", spec, on_error={"off_tick": "drop"}))
    assert len(dropped) == 30


def test_what_is_above_zero_is_at_least_one_lot() -> None:
    frame = book_frame({"ts_event": [T0] * 3, "price": [0.001, 1.0, 2.0], "qty": [0.2, 0.0, 1.0]}, kind=4)
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    made = to_ticks(columns, Decimal(1), Decimal(1), T0)
    assert isinstance(made.price, np.ndarray)
    assert isinstance(made.qty, np.ndarray)
    assert made.price.tolist() == [1, 1, 2]
    assert made.qty.tolist() == [1, 0, 1]


def test_other_kinds_of_words() -> None:
    kinds = [
        EventKind.DEPTH,
        EventKind.GAP,
        EventKind.FUNDING,
        EventKind.MARK,
        EventKind.STATUS,
        EventKind.CLEAR,
    ]
    frame = book_frame(
        {"ts_event": [T0 + k for k in range(6)], "kind": [int(k) for k in kinds],
         "price": [10.0, 0, -0.000125, 10.26, 0, 0], "qty": [1.0, 0, 0, 0, 0, 0], "id": [7, 3, 0, 0, 2, 0]}
    )  # fmt: skip
    from tradectl.history.book_events import book_events

    made = book_events(
        to_ticks({n: frame[n].to_numpy() for n in frame.columns}, Decimal("0.1"), Decimal(1), T0), 5
    )
    words = [[int(event[f"w{k}"]) for k in range(3)] for event in made]
    assert words == [[100, 1, 7], [T0, T0 + 1, 3], [-125_000_000, 0, 0], [103, 0, 0], [2, 0, 0], [0, 0, 0]]
    assert set(made["instrument"]) == {5}


def test_a_dropped_row_hands_its_flags_on() -> None:
    columns = {
        "kind": np.full(6, 4, np.uint8),
        "flags": np.array([BEGIN, 0, DONE | END, 0, END, BEGIN | DONE | END], np.uint16),
    }
    kept = drop_rows(columns, np.array([False, True, False, True, False, False]))
    assert kept["flags"].tolist() == [BEGIN | DONE | END, END, END]
    assert kept["kind"].tolist() == [EventKind.DEPTH, EventKind.DEPTH, EventKind.CLEAR]


def test_generic_needs_a_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kind: book needs a format"):
        book(trades(tmp_path / "X.csv"), "book", profile="generic")


def test_formats_say_the_same(tmp_path: Path) -> None:
    path = trades(tmp_path / "a" / "X.csv")
    frame = pl.read_csv(path)
    first = joined(book(path, "trades"))
    frame.write_parquet(tmp_path / "X.parquet")
    frame.write_ipc(tmp_path / "X.arrow")
    for name in ("X.parquet", "X.arrow"):
        assert joined(book(tmp_path / name, "trades")).tobytes() == first.tobytes()
