"""Every way in which a file can be wrong gives a DataError that says where and what to do."""

from __future__ import annotations

import gzip
import zipfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tests.unit.history.helpers import HEADER, START_MS, bar, bars, events, opened, write
from tradectl.errors import ConfigError, DataError
from tradectl.history.checks import check_data
from tradectl.history.importing import import_data
from tradectl.history.model import ACTIONS, DataBlock, InstrumentSpec
from tradectl.history.open import open_history

ROW_FAULTS = {
    # kind: (the faulty line at row 3, part of the message)
    "unparsable": (f"{START_MS + 120_000},100,abc,99,100,1", "high = 'abc'"),
    "empty": (f"{START_MS + 120_000},,101,99,100,1", "open nan"),
    "nan": (f"{START_MS + 120_000},100,nan,99,100,1", "NaN or infinite"),
    "nonpositive": (f"{START_MS + 120_000},100,101,0,100,1", "low 0"),
    "negative_volume": (f"{START_MS + 120_000},100,101,99,100,-4", "volume -4"),
    "ohlc": (f"{START_MS + 120_000},100,99.5,99,100,1", "high 99.5"),
    "disorder": (bar(0), "earlier than the row before"),
    "duplicate": (bar(1, 100.25, 2), "repeats"),
    "conflict": (bar(1, 103.0), "same stamp"),
}


@pytest.mark.parametrize("kind", ROW_FAULTS)
def test_a_failing_fault_names_file_row_line_value_and_key(tmp_path: Path, kind: str) -> None:
    line, part = ROW_FAULTS[kind]
    path = write(tmp_path / "X_1m.csv", [*bars(2), line, *bars(20, 3)])
    with pytest.raises(DataError) as caught:
        opened(path, on_error={kind: "fail"})
    text = str(caught.value)
    assert str(path) in text
    assert "row 3 (line 4)" in text
    assert part in text
    assert f"on_error: {{{kind}: drop}}" in text


@pytest.mark.parametrize("kind", ROW_FAULTS)
def test_dropping_leaves_the_other_rows_and_counts(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "X_1m.csv", [*bars(2), ROW_FAULTS[kind][0], *bars(20, 3)])
    history = opened(path, on_error={kind: "drop"})
    assert history.report.count(kind) == 1
    assert len(events(history)) == 22


@pytest.mark.parametrize("kind", ROW_FAULTS)
def test_defaults_are_those_of_the_table(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "X_1m.csv", [*bars(2), ROW_FAULTS[kind][0], *bars(20, 3)])
    if ACTIONS[kind][0] == "fail":
        with pytest.raises(DataError):
            opened(path)
    else:
        assert opened(path).report.count(kind) == 1


def test_clipping_repairs(tmp_path: Path) -> None:
    lines = [*bars(2), ROW_FAULTS["ohlc"][0], f"{START_MS + 180_000},100,101,99,100,-4", *bars(9, 4)]
    made = events(
        opened(write(tmp_path / "X_1m.csv", lines), on_error={"ohlc": "clip", "negative_volume": "clip"})
    )
    tick = 100 / made["w0"][2]
    assert made["w1"][2] * tick == pytest.approx(100)
    assert made["w4"][3] == 0


def test_sorting_a_file_that_is_newest_first(tmp_path: Path) -> None:
    path = write(tmp_path / "X_1m.csv", bars(30)[::-1])
    with pytest.raises(DataError, match="disorder: sort"):
        opened(path)
    made = events(opened(path, on_error={"disorder": "sort"}))
    straight = events(opened(write(tmp_path / "y" / "X_1m.csv", bars(30))))
    assert made.tobytes() == straight.tobytes()


def test_check_reports_all_and_stops_at_none(tmp_path: Path) -> None:
    lines = [bar(0)]
    for number, (kind, (line, _)) in enumerate(ROW_FAULTS.items()):
        if kind in ("disorder", "duplicate", "conflict"):
            continue
        lines.append(line.replace(str(START_MS + 120_000), str(START_MS + (number + 2) * 60_000)))
    lines += [bar(20), bar(20), bar(20, 120.0), bar(19), bar(21, 300.0)]
    report = check_data([DataBlock(source=str(write(tmp_path / "X_1m.csv", lines)))])
    seen = {fault.kind for fault in report.faults}
    assert set(ROW_FAULTS) | {"gap", "jump"} <= seen
    assert {fault.kind for fault in report.failing()} == {k for k in ROW_FAULTS if ACTIONS[k][0] == "fail"}
    assert report.to_dict()["faults"][0]["examples"]


def test_a_symbol_that_is_not_there_is_told_with_file_and_nearest(tmp_path: Path) -> None:
    lines = [f"{name},{line}" for name in ("AAAUSD", *(f"X{k}USD" for k in range(20))) for line in bars(3)]
    header = "symbol,timestamp,open,high,low,close,volume"
    path = write(tmp_path / "many.csv", lines, header)
    for asked in (["ABAUSD"], ["X1USD", "ABAUSD"]):
        with pytest.raises(DataError, match=r"many\.csv: no rows of ABAUSD\n  did you mean 'AAA/USD'\? valid: AAA"):
            opened(path, symbols=asked)
    named = write(tmp_path / "BTC-USD_1m.csv", bars(30))
    assert opened(named).instruments[0].symbol == "BTC/USD"
    with pytest.raises(DataError, match=r"BTC-USD_1m\.csv: no rows of ETH/USD\n.* \{ETH/USD: \{alias: BTC/USD\}\}"):
        opened(named, symbols=["ETH/USD"])
    trades = write(tmp_path / "t.csv", [f"{START_MS},AAAUSD,100.5,1"], "timestamp,symbol,price,qty")
    with pytest.raises(DataError, match=r"t\.csv: no rows of ABAUSD\n  did you mean 'AAA/USD'"):
        opened(trades, kind="trades", symbols=["AAAUSD", "ABAUSD"])


def test_truncated_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(("\n".join(["timestamp,open,high,low,close,volume", *bars(5000)]) + "\n").encode())
    path = tmp_path / "X_1m.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="ends early"):
        opened(path)
    history = opened(path, on_error={"truncated": "drop"})
    assert 100 < len(events(history)) < 5000
    assert history.report.count("truncated") == 1


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(("\n".join(["timestamp,open,high,low,close", *bars(500)])).encode()))
    whole[40:60] = b"\xff" * 20
    path = tmp_path / "X_1m.csv.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match="gzip"):
        opened(path)


def test_truncated_zip(tmp_path: Path) -> None:
    path = tmp_path / "X_1m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.csv", "\n".join(["timestamp,open,high,low,close,volume", *bars(500)]))
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(DataError, match="damaged or truncated zip"):
        opened(path)


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "X_1m.parquet"
    pl.read_csv(write(tmp_path / "x.csv", bars(500))).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged or truncated"):
        opened(path)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("X.csv", "", "the file is empty"),
        ("X.csv", "\n\n", "no header"),
        ("X.csv", b"\x1f\x8b\0\0\n", "it is gzip data: its name should end in .gz"),
        ("X.csv", "timestamp,open\n".encode("utf-16"), "it is UTF-16: save it as UTF-8"),
        ("X.csv.gz", "timestamp,open\n", "it is no gzip data: the name of a file that is not packed has no .gz"),
        ("X_1m.csv", f"{HEADER},name\n{bar(0)},\n{bar(1)},\xe9\n".encode("latin-1"), "line 3: byte 0xe9 is no UTF-8"),
        ("X_1m.csv", f"{HEADER}\n2150-01-01T00:00Z,1,1,1,1,1\n", "expected a time of the years 1900 to 2100"),
        ("X_1m.csv", f"{HEADER}\n1650-01-01T00:00Z,1,1,1,1,1\n", "expected a time of the years 1900 to 2100"),
        ("X_1m.csv", f"{HEADER}\n{bar(0)}\n2023-11-14T22:13:20Z,1,1,1,1,1\n", "timestamp = '2023-11-14T22"),
        ("X.csv", "timestamp,open,high,low,close,volume\n", "no data row"),
        ("X.csv", "timestamp,open,high,close,volume\n1,2,3,4,5\n", "no column for low"),
        ("X.csv", "stamp,open,high,low,close\n1,2,3,4,5\n", "no column for timestamp"),
        ("X.csv", f"{bar(0)}\n{bar(1)}\n", "first line is data"),
        ("X.csv", "time,open,high,low,close\n17,2,3,1,2\n", "fits no unit"),
        ("X.csv", "time,open,high,low,close\n03/04/2020,2,3,1,2\n", "neither a number nor an ISO date"),
        ("X.csv", "time,open,high,low,close\n2020-01-01T5,2,3,1,2\n", "not an ISO date and time"),
        ("X.csv", "time,open,high,low,close\n2020-01-01,2,3,1,2\n", "too few rows to infer .*\n.*--timeframe"),
        ("X.exe", "MZ", "unknown kind of file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, part: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=part):
        opened(path)


def test_places_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path / "BTCUSD_1m.csv", bars(3))
    with pytest.raises(DataError, match=r"did you mean 'BTCUSD_1m\.csv'"):
        opened(tmp_path / "BTCUSD_1n.csv")
    with pytest.raises(DataError, match="no file matches"):
        opened(f"{tmp_path}/*.parquet")
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="no data file"):
        opened(tmp_path / "void")


def test_names_that_are_not_known(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSD_1m.csv", bars(20))
    with pytest.raises(ConfigError, match=r"did you mean 'bitfinex'.* tardis"):
        opened(path, profile="bitfinx")
    with pytest.raises(DataError, match="did you mean 'BTC/USD'"):
        opened(path, symbols=["BTC/USDT"])
    with pytest.raises(DataError, match="did you mean 'close'"):
        opened(path, mapping={"close": "clse"})
    with pytest.raises(DataError, match="did you mean 'volume'"):
        opened(path, mapping={"volum": "volume"})
    with pytest.raises(ConfigError, match="did you mean 'ohlc'"):
        opened(path, on_error={"olhc": "drop"})
    with pytest.raises(ConfigError, match="valid: clip, drop, fail"):
        opened(path, on_error={"ohlc": "round"})
    with pytest.raises(ConfigError, match="did you mean 'bars'"):
        opened(path, kind="bar")
    with pytest.raises(ConfigError, match="unknown time zone"):
        opened(path, tz="Mars/Olympus")
    with pytest.raises(ConfigError, match="not understood"):
        opened(path, timeframe="1x")


def test_rows_that_are_short_or_empty_at_the_begin_are_left_out(tmp_path: Path) -> None:
    trades = tmp_path / "T.csv"
    trades.write_text("timestamp,price,qty\n\n2024-01-01T00:00Z,1,1\n")
    assert check_data([DataBlock(str(trades), kind="trades")]).rows_used == 1
    path = write(tmp_path / "X_1m.csv", ["", bar(0)[:20], *bars(20, 1)])
    assert opened(path).report.count("empty") == 2


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ("2024-01-01T00:00Z,1,1,a\n2024-01-01T00:01Z,1,1,\xe9\n", "line 3: byte 0xe9 is no UTF-8 text"),
        ("2150-01-01T00:00Z,1,1,\n", "line 2: a field cannot be read: timestamp = '2150-01-01T00:00Z'"),
        ("\0", "not a text file"),
    ],
)
def test_tables_of_book_data_tell_the_same(tmp_path: Path, rows: str, part: str) -> None:
    path = tmp_path / "X.csv"
    path.write_bytes(f"timestamp,price,qty,name\n{rows}".encode("latin-1"))
    with pytest.raises(DataError, match=part):
        check_data([DataBlock(str(path), kind="trades")])


def test_a_range_without_any_row_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "X_1m.csv", bars(20))
    with pytest.raises(DataError, match=r"no row lies between `from` and `to`\n  the data goes from 2023"):
        open_history([windowed(path, 50, 80)], {})


def test_wrong_timeframe_and_wrong_unit(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSD.csv", bars(50))
    with pytest.raises(DataError, match="the bars are 1m apart, not 1h"):
        opened(path, timeframe="1h")
    with pytest.raises(DataError, match="no year between 1900 and 2100"):
        opened(path, mapping={"unit": "ns", "timestamp": "timestamp"} | {"unit": "s"})


def test_values_beyond_what_an_integer_holds(tmp_path: Path) -> None:
    lines = [f"{START_MS + k * 60_000},1e17,1e17,1e17,1e17,1" for k in range(20)]
    with pytest.raises(DataError, match=r"2\*\*53"):
        opened(write(tmp_path / "X_1m.csv", lines))


def test_bad_value_in_a_later_block_of_text(tmp_path: Path) -> None:
    lines = bars(120_000)
    lines[110_000] = (
        lines[110_000].replace(",100", ",1OO", 1) if ",100" in lines[110_000] else "x," + lines[0]
    )
    with pytest.raises(DataError, match=r"row 110001 \(line 110002\)"):
        opened(write(tmp_path / "X_1m.csv", lines))


def windowed(path: Path, first: int, last: int, kind: str = "bars") -> DataBlock:
    """Return a block of what lies between two minutes after the start."""
    start, end = (START_MS * 10**6 + minute * 60 * 10**9 for minute in (first, last))
    return DataBlock(str(path), kind=kind, start_ns=start, end_ns=end)


def test_faults_are_counted_in_the_range_that_is_run(tmp_path: Path) -> None:
    off = bar(75).replace("100.00", "100.001")
    before = [*bars(2), ROW_FAULTS["nan"][0], bar(3), bar(3), bar(30), bar(31, 300.0), bar(35, volume=0)]
    inside = [*bars(20, 50), bar(69, 101.5, 5), off, bar(76, volume=0), bar(77), bar(78, 1.0), bar(79, 1.0)]
    after = [bar(99).replace("100.00", "100.001"), bar(100), bar(100, 105.0), bar(90)]
    path = write(tmp_path / "BTCUSD_1m.csv", [*before, *inside, *after])
    tick = {"BTC/USD": InstrumentSpec(tick_size=Decimal("0.01"))}
    with pytest.raises(DataError, match="a value is NaN"):
        open_history([DataBlock(str(path))], tick)
    history = open_history([windowed(path, 50, 80)], tick)
    report = history.report
    assert {one.kind: one.count for one in report.faults} == {"duplicate": 1, "gap": 1, "jump": 1, "off_tick": 1}
    (one,) = report.instruments
    assert (one.rows, one.gap_count, one.missing_bars, one.zero_volume) == (25, 1, 5, 1)
    assert report.rows_used == len(events(history)) == 25
    assert "25 of 33 rows lie between the block's from and to; faults and gaps are counted" in report.notes[-1]
    unread = write(tmp_path / "X_1m.csv", [*bars(20), "x,100,100,100,100,1", *bars(20, 20)])
    assert check_data([windowed(unread, 30, 40)]).count("unparsable") == 1  # it may lie anywhere


def test_a_window_of_a_catalogue_counts_what_it_holds(tmp_path: Path) -> None:
    lines = [*bars(5), bar(30), bar(31, 300.0), *bars(20, 50), bar(75, 100.001), bar(76, volume=0), bar(100)]
    raw = write(tmp_path / "BTCUSD_1m.csv", lines)
    tick = {"BTC/USD": InstrumentSpec(tick_size=Decimal("0.01"))}
    import_data([DataBlock(str(raw))], tmp_path / "cat")
    one, other = (check_data([windowed(place, 50, 80)], tick) for place in (raw, tmp_path / "cat"))
    assert [(each.kind, each.count) for each in other.faults] == [(each.kind, each.count) for each in one.faults]
    assert [(each.rows, each.gap_count, each.missing_bars, each.zero_volume) for each in other.instruments] == [
        (22, 1, 5, 1)
    ]
