"""What is wrong with book data: each fault is counted, named with its place, and treated as it is asked."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.unit.history.book_files import MS, T0, book, depth, joined, table, trades
from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.checks import check_data
from tradectl.history.model import DataBlock

HEADER = "timestamp,local_timestamp,price,qty,side,id"


def lines(n: int = 30) -> list[str]:
    return [f"{T0 + k * MS},{T0 + k * MS + 5},{100 + k},1.5,buy,{k + 1}" for k in range(n)]


FAULTS = {
    "unparsable": (f"{T0 + 10 * MS},{T0 + 10 * MS},abc,1,buy,50", "price = 'abc' is not a number"),
    "nan": (f"{T0 + 10 * MS},{T0 + 10 * MS + 5},NaN,1,buy,50", "a value is NaN or infinite"),
    "nonpositive": (
        f"{T0 + 10 * MS},{T0 + 10 * MS + 5},-3,1,buy,50",
        "a price is not positive: TRADE price -3",
    ),
    "negative_volume": (
        f"{T0 + 10 * MS},{T0 + 10 * MS + 5},110,-1,buy,50",
        "negative: TRADE price 110, qty -1",
    ),
    "disorder": (f"{T0},{T0},110,1,buy,50", "earlier than the row before it"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_named(tmp_path: Path, fault: str) -> None:
    line, text = FAULTS[fault]
    path = table(tmp_path / "X.csv", HEADER, [*lines(11), line, *lines(30)[11:]])
    with pytest.raises(DataError, match=rf"X\.csv, line 13: .*{text}"):
        book(path, "trades")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_left_out(tmp_path: Path, fault: str) -> None:
    good = joined(book(table(tmp_path / "a" / "X.csv", HEADER, lines()), "trades"))
    path = table(tmp_path / "X.csv", HEADER, [*lines(11), FAULTS[fault][0], *lines(30)[11:]])
    history = book(path, "trades", on_error={fault: "drop"})
    assert joined(history).tobytes() == good.tobytes()
    assert history.report.count(fault) == 1


def test_other_fields_that_cannot_be_read(tmp_path: Path) -> None:
    for line, text in (
        (f"{T0},{T0},1,1,hold,1", "side = 'hold' is not one of buy"),
        (f"today,{T0},1,1,buy,1", "timestamp = 'today' is not a time stamp"),
    ):
        path = table(tmp_path / "X.csv", HEADER, [*lines(3), line])
        with pytest.raises(DataError, match=text):
            book(path, "trades")


def test_disorder_is_sorted_on_request(tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", HEADER, [lines()[k] for k in (0, 1, 5, 2, 3, 4, *range(6, 30))])
    good = joined(book(table(tmp_path / "a" / "X.csv", HEADER, lines()), "trades"))
    history = book(path, "trades", on_error={"disorder": "sort"})
    assert joined(history).tobytes() == good.tobytes()
    assert history.report.count("disorder") == 3


def test_repeated_trades_count_once(tmp_path: Path) -> None:
    rows = [line for line in lines() for _ in range(1 + (line.endswith(",7")))]
    history = book(table(tmp_path / "X.csv", HEADER, rows), "trades")
    assert history.report.count("duplicate") == 1
    assert len(joined(history)) == 30


def test_a_clock_that_runs_behind_is_reported_and_corrected_on_request(tmp_path: Path) -> None:
    late = [f"{T0 + k * MS},{T0 + k * MS - 400 + k},{100 + k},1,buy,{k + 1}" for k in range(30)]
    path = table(tmp_path / "X.csv", HEADER, late)
    kept = book(path, "trades")
    assert kept.report.count("clock") == 30
    assert not kept.report.failing()
    assert kept.report.instruments[0].lag_min_ns == -400
    assert joined(kept)["ts_recv"][0] == T0 - 400
    fixed = book(path, "trades", clock="correct", clock_latency_ns=1_000)
    assert fixed.report.instruments[0].shift_ns == 1_400
    made = joined(fixed)
    assert (made["ts_recv"] - made["ts_event"]).min() == 1_000
    assert made["ts_recv"][0] == T0 + 1_000
    with pytest.raises(DataError, match="received before it happened"):
        book(path, "trades", on_error={"clock": "fail"})
    with pytest.raises(ConfigError, match=r"data\.clock"):
        book(path, "trades", clock="corect")


def test_each_recording_has_its_own_clock(tmp_path: Path) -> None:
    def row(k: int, lag: int) -> str:
        return f"{T0 + k * MS},{T0 + k * MS + lag},100,1,buy,{k + 1}"

    table(tmp_path / "d" / "X_1.csv", HEADER, [row(k, -500) for k in range(10)])
    table(tmp_path / "d" / "X_2.csv", HEADER, [row(k, 7) for k in range(100, 110)])
    made = joined(book(tmp_path / "d", "trades", clock="correct", symbols=["X"]))
    assert sorted(set((made["ts_recv"] - made["ts_event"]).tolist())) == [0, 7]


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "X.csv.gz"
    packed = gzip.compress(("\n".join([HEADER, *lines(3_000)]) + "\n").encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"X\.csv\.gz.*the file ends early"):
        book(path, "trades")
    history = book(path, "trades", on_error={"truncated": "drop"})
    assert 0 < len(joined(history)) < 3_000
    parquet = tmp_path / "Y.parquet"
    parquet.write_bytes(b"PAR1" + b"x" * 50)
    with pytest.raises(DataError, match=r"Y\.parquet: damaged or truncated file"):
        book(parquet, "trades")


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", "timestamp,prise,qty", [f"{T0},1,1"])
    with pytest.raises(DataError, match=r"X\.csv: no column for price of trades") as caught:
        book(path, "trades")
    assert "prise" in caught.value.hint
    with pytest.raises(DataError, match="column 'px' for price is not in the header"):
        book(path, "trades", mapping={"price": "px"})
    assert len(joined(book(path, "trades", mapping={"price": "prise"}))) == 1


def test_no_header_and_unknown_formats(tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", f"{T0},100,1", [f"{T0 + 1},100,1"])
    kinds = {"trades": "timestamp, price", "quotes": "timestamp, bid, ask", "funding": "timestamp, rate"}
    for kind, names in kinds.items():
        with pytest.raises(DataError, match="the first line is data, not a header") as caught:
            book(path, kind)
        assert f"mapping: {{header: [{names}, …]}}" in caught.value.hint
    assert len(joined(book(path, "trades", mapping={"header": ["timestamp", "price", "qty"]}))) == 2
    with pytest.raises(ConfigError, match="unknown profile 'tardiss'"):
        book(path, "trades", profile="tardiss")


def found(path: Path, kind: str) -> dict[str, int]:
    report = check_data([DataBlock(source=str(path), kind=kind)])
    return {fault.kind: fault.count for fault in report.faults}


def test_check_finds_crossed_books_and_trades_outside(tmp_path: Path) -> None:
    header = "timestamp,side,price,qty,update_id"
    rows = [
        ("bid", 100, 1, 1),
        ("ask", 101, 1, 1),
        ("bid", 101, 1, 2),
        ("bid", 102, 2, 3),
        ("bid", 101, 0, 4),
    ]
    rows += [("bid", 102, 0, 5)]
    path = table(
        tmp_path / "X.csv",
        header,
        [f"{T0 + k * MS * r[3]},{r[0]},{r[1]},{r[2]},{r[3]}" for k, r in enumerate(rows)],
    )
    assert {k: n for k, n in found(path, "depth").items() if n} == {"locked": 1, "crossed": 2}
    quotes = table(tmp_path / "q" / "X.csv", "timestamp,bid,ask", [f"{T0},100,101", f"{T0 + MS},102,101"])
    assert found(quotes, "quotes")["crossed"] == 1
    prints = [f"{T0 + k},{price},1,{side},{k + 1}" for k, (price, side) in enumerate(
        [(100, "sell"), (101, "buy"), (99, "buy"), (102, "sell"), (102, "buy"), (103, "")])]  # fmt: skip
    trade = table(tmp_path / "t" / "X.csv", "timestamp,price,qty,side,id", [*prints, f"{T0 + 9},101,1,buy,3"])
    blocks = [DataBlock(source=str(quotes), kind="quotes"), DataBlock(source=str(trade), kind="trades")]
    counts = {fault.kind: fault.count for fault in check_data(blocks).faults}
    assert counts["outside"] == 3
    assert counts["repeated_id"] == 1


def test_check_follows_orders(tmp_path: Path) -> None:
    header = "timestamp,action,side,price,qty,order_id"
    rows = ["add,buy,100,5,1", "add,sell,101,5,2", "cancel,buy,100,2,1", "exec,buy,100,3,1", "add,sell,100,1,3",
            "modify,sell,99,1,3", "add,buy,100,1,4", "delete,sell,99,0,3", "cancel,sell,99,0,77"]  # fmt: skip
    path = table(tmp_path / "X.csv", header, [f"{T0 + k},{row}" for k, row in enumerate(rows)])
    assert found(path, "orders") == {"crossed": 1, "unknown_order": 1}
    made = joined(book(path, "orders"))
    assert made["kind"].tolist() == [
        EventKind.ORDER_ADD, EventKind.ORDER_ADD, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC, EventKind.ORDER_ADD,
        EventKind.ORDER_MODIFY, EventKind.ORDER_ADD, EventKind.ORDER_CANCEL, EventKind.ORDER_CANCEL,
    ]  # fmt: skip


def test_a_clean_book_has_no_findings(tmp_path: Path) -> None:
    assert not {k: n for k, n in found(depth(tmp_path / "X.csv"), "depth").items() if n}
    assert not found(trades(tmp_path / "Y.csv"), "trades")
    assert np.all(joined(book(tmp_path / "Y.csv", "trades"))["w0"] > 0)


def test_the_page_names_every_format_and_finding() -> None:
    from tradectl.history.book_check import FINDINGS
    from tradectl.history.importers import MODULES

    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    assert not [name for name in (*MODULES, *FINDINGS) if f"`{name}`" not in page]
