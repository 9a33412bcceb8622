"""What is told of book data that is not as it was asked for: breaks, kinds that are not there, lines, formats."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.history.book_files import MS, T0, book, quotes, table, trades
from tests.unit.history.test_importers_feeds import binance, diff, written
from tradectl.errors import ConfigError, DataError
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history


def snapshot(last: int) -> dict[str, Any]:
    return {"lastUpdateId": last, "T": last, "symbol": "X", "bids": [["99", "1"]], "asks": [["101", "1"]]}


def test_binance_tells_breaks_and_what_was_dropped(tmp_path: Path) -> None:
    lines = binance(
        snapshot(10),
        diff(9, 12, 8, [["98", "2"]]),
        diff(20, 22, 15, [["98", "3"]]),  # the break: kept, and older than the next snapshot
        diff(23, 30, 22, [["98", "4"]]),
        diff(31, 41, 30, [["96", "5"]]),  # joins the next snapshot
        snapshot(40),
        diff(42, 43, 41, [["95", "1"]]),
        diff(60, 61, 59, [["95", "2"]]),
    )
    two = "BINANCE:X: 2 breaks of its sequence, the first at 2024-08-08T23:54:15.000000002Z; "
    history = book(written(tmp_path / "a.txt", lines), "book", profile="binance_ws")
    assert history.report.notes == [two + "3 messages of depth dropped until the end, for no snapshot follows"]
    one = book(written(tmp_path / "b.txt", lines[:-1]), "book", profile="binance_ws")
    text = "BINANCE:X: 1 break of its sequence, the first at 2024-08-08T23:54:15.000000002Z; "
    assert one.report.notes == [text + "2 messages of depth dropped until the next snapshot"]
    whole = book(written(tmp_path / "c.txt", lines[:2]), "book", profile="binance_ws")
    assert whole.report.notes == []


def test_bybit_tells_breaks_and_what_was_dropped(tmp_path: Path) -> None:
    def line(kind: str, update: int) -> str:
        data = {"s": "XUSDT", "b": [["99", "1"]], "a": [["101", "1"]], "u": update, "seq": update}
        return json.dumps({"topic": "orderbook.500.XUSDT", "type": kind, "ts": T0 // 10**6 + update, "data": data})

    kinds = [("snapshot", 1), ("delta", 2), ("delta", 5), ("delta", 6), ("snapshot", 7), ("delta", 8)]
    path = written(tmp_path / "x.data", [line(*one) for one in kinds])
    (note,) = book(path, "book", profile="bybit").report.notes
    assert note.startswith("BYBIT:X/USDT: 1 break")
    assert note.endswith("; 2 messages of depth dropped until the next snapshot")


def test_a_kind_that_is_not_there_is_an_error_that_names_file_and_kinds(tmp_path: Path) -> None:
    one = table(tmp_path / "tardis_quotes.csv",
                "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
                ["deribit,BTC-PERPETUAL,1582329600000000,1582329600100000,5,9682,9681.5,7"])  # fmt: skip
    blocks = [DataBlock(str(one), "tardis", kind=kind) for kind in ("quotes", "trades")]
    with pytest.raises(DataError, match=r"tardis_quotes\.csv: no trades, but quotes") as caught:
        open_history(blocks, {})
    assert "set kind: quotes" in caught.value.hint
    header = "timestamp,symbol,id,type,side,price,amount"
    lines = [f"{T0},A,1,trade,buy,1,1", f"{T0},A,2,trade,buy,-1,1"]
    with pytest.raises(DataError, match=r"bad\.csv: no usable row is left \(1 nonpositive\)"):
        book(table(tmp_path / "bad.csv", header, lines[1:]), "trades", on_error={"nonpositive": "drop"})


def test_a_symbol_without_the_kind_is_a_note(tmp_path: Path) -> None:
    trade = {"e": "trade", "E": 1, "T": 1, "s": "A", "t": 1, "p": "1", "q": "1", "m": True}
    lines = binance(trade, {"e": "markPriceUpdate", "E": 2, "s": "B", "p": "1"})
    path = written(tmp_path / "a.txt", lines)
    history = book(path, "trades", profile="binance_ws")
    assert len(history.instruments) == 2  # mark prices always come along
    assert history.report.notes == [f"BINANCE:B: no trades in {path}, but mark"]
    with pytest.raises(DataError, match=r"a\.txt: no quotes, but mark and trades") as caught:
        book(path, "quotes", profile="binance_ws")
    assert caught.value.hint == "set kind: trades"


def test_a_block_of_which_nothing_is_between_from_and_to_is_a_note(tmp_path: Path) -> None:
    path = str(trades(tmp_path / "X.csv", step_ms=1_000))
    late = DataBlock(str(quotes(tmp_path / "q" / "X.csv")), kind="quotes", start_ns=T0 + 10**15)
    history = open_history([DataBlock(path, kind="trades"), late], {})
    assert len(history.report.notes) == 1
    assert history.report.notes[0].startswith("LOCAL:X: no quotes between the block's from and to; it goes from 2023")
    assert open_history([DataBlock(path, kind="trades", end_ns=T0 + 10**9)], {}).report.notes == []


def test_book_data_is_counted_in_the_range_that_is_run(tmp_path: Path) -> None:
    prices = [100.125 if k % 10 == 4 else 100 for k in range(100)]
    lines = [f"{T0 + k * MS},{T0 + (k - (k % 10 == 3)) * MS},{price},1" for k, price in enumerate(prices)]
    raw = table(tmp_path / "XUSD.csv", "timestamp,local_timestamp,price,amount", lines)
    import_data([DataBlock(str(raw), kind="trades")], tmp_path / "cat")
    for source in (raw, tmp_path / "cat"):
        block = DataBlock(str(source), kind="trades", start_ns=T0 + 20 * MS, end_ns=T0 + 50 * MS)
        report = open_history([block], {"X/USD": InstrumentSpec(tick_size=Decimal("0.01"))}, strict=False).report
        assert report.count("clock") == report.count("off_tick") == 3, source
        assert report.instruments[0].rows == sum(report.instruments[0].kinds.values()) == report.rows_used
    assert report.rows_used == 30


def test_lines_are_counted_with_the_header_and_the_path_stands_once(tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", "timestamp,price,qty", [f"{T0},100,1", f"{T0 + 1},abc,1"])
    with pytest.raises(DataError) as caught:
        book(path, "trades")
    assert str(caught.value).splitlines()[0] == (
        f"{path}, line 3: a field cannot be read: price = 'abc' is not a number [X]"
    )
    raw = written(tmp_path / "a.txt", [*binance(snapshot(10)), f"{T0} {{not json"])
    with pytest.raises(DataError) as caught:
        book(raw, "book", profile="binance_ws")
    assert str(caught.value).count(str(raw)) == 1
    assert f"{raw}, line 2: a field cannot be read: Expecting property name" in str(caught.value)


def test_profiles_of_the_other_kind_and_unknown_ones(tmp_path: Path) -> None:
    path = trades(tmp_path / "X.csv")
    for kind in ("bars", "trades"):
        with pytest.raises(ConfigError, match=r"unknown profile 'tardi'.*\n.*did you mean 'tardis'") as caught:
            book(path, kind, profile="tardi")
        assert "lean_crypto_minute" in caught.value.hint
        assert "okx_ws" in caught.value.hint
    with pytest.raises(ConfigError, match="tardis does not read `kind: bars`"):
        book(path, "bars", profile="tardis")
    with pytest.raises(ConfigError, match="bitfinex does not read `kind: trades`"):
        book(path, "trades", profile="bitfinex")


BARS = "0,1.1,1.2,1.0,1.1,0,1.2,1.3,1.1,1.2,0"


def test_lean_bars_are_no_ticks(tmp_path: Path) -> None:
    for place, line, text in (
        ("forex/fxcm/tick/eurusd/20140507_quote.zip", BARS, "11 columns are no quote ticks"),
        ("equity/usa/tick/ibm/20131009_quote.zip", BARS, "11 columns are no quote ticks"),
        ("crypto/coinbase/tick/btcusd/20180404_trade.zip", "0,1,2,1,2,5", "6 columns are no trade ticks"),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("ticks.csv", line + "\n")
        with pytest.raises(DataError, match=text) as caught:
            book(path, "book", profile="lean_ticks")
        assert ("bars of bid and ask have 11" in caught.value.hint) == (line == BARS)


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"this is no zip at all")
    with pytest.raises(DataError, match="no file of arrays") as caught:
        book(path, "book")
    assert "pickle" not in str(caught.value)


def test_a_catalogue_of_book_data_has_no_bars(tmp_path: Path) -> None:
    import_data([DataBlock(str(trades(tmp_path / "X.csv")), kind="trades")], tmp_path / "cat")
    with pytest.raises(DataError, match="cat: the catalogue holds no bars") as caught:
        book(tmp_path / "cat", "bars", symbols=["X"])
    assert caught.value.hint == "set kind: book; it has trade"
    with pytest.raises(DataError, match="no quotes of X"):
        book(tmp_path / "cat", "quotes")


def test_quotes_have_no_trades_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"q\.csv: no column for price of trades"):
        book(quotes(tmp_path / "q.csv"), "trades")
