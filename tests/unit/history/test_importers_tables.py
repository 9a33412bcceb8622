"""Tables and arrays of vendors: Lean's tick zips, trade archives, hftbacktest's events; and damaged ones."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.history.test_importers_feeds import BEGIN_SNAPSHOT, END, END_SNAPSHOT, brief, read, written
from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers import IMPORTERS, Options
from tradectl.history.importers.csv_blocks import csv_blocks
from tradectl.history.importers.hftbacktest import BUY, EVENT, EXCH, LOCAL, SELL
from tradectl.history.importers.levels import shown_changes
from tradectl.history.model import DataBlock
from tradectl.history.open import open_history

DAY = 1_381_118_400_000_000_000  # 2013-10-07 00:00 in New York, ns UTC


def lean(folder: Path, place: str, lines: list[str], **options: Any) -> dict[str, pl.DataFrame]:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x.csv", "\n".join(lines) + "\n")
    return read("lean_ticks", [path], **options)


def quotes(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("ts_event", "price", "qty", "price2", "qty2", "row").rows()


def test_lean_equity_quotes_keep_the_other_side(tmp_path: Path) -> None:
    lines = [
        "1000,0,0,140200,500,Q,1,0",
        "2000,138400,700,0,0,P,1,0",  # two halves of one update
        "2000,0,0,139500,200,P,1,0",
        "3000,138500,100,0,0,P,1,0",
        "4000,138600,100,0,0,P,1,1",  # suspicious
        "5000,0,0,139400,300,Q,1,0",
    ]
    place = "equity/usa/tick/bac/20131007_quote.zip"
    rows = lean(tmp_path, place, lines)["BAC"]
    s = 10**9
    assert quotes(rows) == [
        (DAY + s, 0.0, 0.0, 14.02, 500.0, 1),
        (DAY + 2 * s, 13.84, 700.0, 13.95, 200.0, 3),
        (DAY + 3 * s, 13.85, 100.0, 13.95, 200.0, 4),
        (DAY + 5 * s, 13.86, 100.0, 13.94, 300.0, 6),
    ]
    assert set(rows["kind"]) == {EventKind.QUOTE}
    assert lean(tmp_path, place, lines, suspicious="keep")["BAC"].height == 5


def test_lean_quotes_are_the_same_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"{k * 10},{(1 + k % 3) * 10_000 * (k % 2)},5,{(5 + k % 4) * 10_000 * (1 - k % 2)},6,P,1,0"
        for k in range(900)
    ]
    place = "equity/usa/tick/bac/20131007_quote.zip"
    whole = lean(tmp_path, place, lines)["BAC"]

    def small(*args: Any, **more: Any) -> Any:
        return csv_blocks(*args, **more | {"block": 300})

    monkeypatch.setattr("tradectl.history.importers.lean.csv_blocks", small)
    assert read("lean_ticks", [tmp_path / place])["BAC"].equals(whole)


def test_lean_trades_of_equities_crypto_and_futures(tmp_path: Path) -> None:
    rows = lean(tmp_path, "equity/usa/tick/bac/20131007_trade.zip", ["1000,139400,500,P,20,0"])["BAC"]
    assert brief(rows) == [("TRADE", 0, 13.94, 500.0, END)]
    rows = lean(tmp_path, "crypto/coinbase/tick/btcusd/20170903_trade.zip", ["1000.5,4642.42,0.14"])["BTCUSD"]
    assert brief(rows) == [("TRADE", 0, 4642.42, 0.14, END)]
    assert rows["ts_event"].to_list() == [1_504_396_801_000_500_000]
    lines = ["1000,4642.25,3,cme,,0"]
    rows = lean(tmp_path, "future/cme/tick/es/20170903_trade.zip", lines)["ES"]
    assert brief(rows) == [("TRADE", 0, 4642.25, 3.0, END)]


def test_lean_forex_has_no_sizes(tmp_path: Path) -> None:
    place = "forex/fxcm/tick/eurusd/20140502_quote.zip"
    rows = lean(tmp_path, place, ["1787,1.38727,1.38729"])["EURUSD"]
    assert quotes(rows) == [(1_399_006_801_787_000_000, 1.38727, 1e6, 1.38729, 1e6, 1)]
    assert quotes(lean(tmp_path, place, ["1787,1.38727,1.38729"], qty=5)["EURUSD"])[0][2] == 5.0


@pytest.mark.parametrize(
    ("place", "line", "part"),
    [
        (
            "equity/usa/tick/bac/20131007_trade.zip",
            "2,13x,5,P,1,0",
            "line 2, column price: '13x' is not a number",
        ),
        (
            "equity/usa/tick/bac/20131007_quote.zip",
            "2.x,1,1,1,1,P,1,0",
            "line 2, column ms: '2.x' is not a whole",
        ),
        ("equities/usa/tick/bac/20131007_quote.zip", "2,1,1,1,1", "did you mean 'equity'"),
        ("equity/usa/minute/bac/20131007_quote.zip", "2,1,1,1,1", "the path tells neither kind"),
    ],
)
def test_damaged_lean_zips(tmp_path: Path, place: str, line: str, part: str) -> None:
    first = "1,139400,500,P,20,0" if "trade" in place else "1,1,1,1,1,P,1,0"
    with pytest.raises(DataError) as caught:
        lean(tmp_path, place, [first, line])
    assert part in str(caught.value)


def test_a_lean_zip_that_was_cut_off(tmp_path: Path) -> None:
    place = "equity/usa/tick/bac/20131007_trade.zip"
    lean(tmp_path, place, [f"{k},139400,{k * 7919 % 1000 + 1},P,20,0" for k in range(5_000)])
    path = tmp_path / place
    path.write_bytes(path.read_bytes()[:8_000])
    with pytest.raises(TruncatedError):
        read("lean_ticks", [path])
    with pytest.raises(DataError, match=r"20131007_trade\.zip: damaged or truncated zip file"):
        open_history([DataBlock(source=str(path), profile="lean_ticks", kind="trades")], {})


AGG = "26129,0.01633102,4.70443515,27781,27781,1498793709153,true,true"
TRADES = {
    "spot aggTrades": ("BTCUSDT-aggTrades-2023-01.csv", [AGG]),
    "in microseconds": ("BTCUSDT-aggTrades-2025-01.csv", [AGG.replace("9153", "9153000")]),
    "futures aggTrades": (
        "BTCUSDT-aggTrades-2023-01-02.csv",
        ["agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker", AGG[:-5]],
    ),
    "trades": ("BTCUSDT-trades-2023-01.csv", ["26129,0.01633102,4.70443515,0.08,1498793709153,True,True"]),
    "trades with header": (
        "BTCUSDT-trades-2023-01.csv",
        ["id,price,qty,quote_qty,time,is_buyer_maker", "26129,0.01633102,4.70443515,0.08,1498793709153,true"],
    ),
    "kept by a bot": (
        "BTCUSDT-trades.csv",
        ["timestamp,id,type,side,price,amount,cost", "1498793709153,26129,,sell,0.01633102,4.70443515,0.07"],
    ),
}


@pytest.mark.parametrize("name", TRADES)
def test_binance_trades(tmp_path: Path, name: str) -> None:
    file, lines = TRADES[name]
    rows = read("binance_trades", [written(tmp_path / file, lines)])["BTCUSDT"]
    assert brief(rows) == [("TRADE", -1, 0.01633102, 4.70443515, END)]
    assert rows.select("ts_event", "ts_recv", "id", "row").rows() == [
        (1_498_793_709_153_000_000, 1_498_793_709_153_000_000, 26129, len(lines))
    ]


def test_kraken_trades(tmp_path: Path) -> None:
    lines = ["1672531436,90.540000,1.10448420", "1672531471.1234,90.450000,1.00000000"]
    rows = read("kraken_trades", [written(tmp_path / "BCHEUR.csv", lines)])["BCHEUR"]
    assert brief(rows)[0] == ("TRADE", 0, 90.54, 1.1044842, END)
    assert rows["ts_event"].to_list() == [1_672_531_436_000_000_000, 1_672_531_471_123_400_000]
    rows = read(
        "kraken_trades", [written(tmp_path / "x.csv", ["time,price,volume", *lines])], symbol="BCH/EUR"
    )
    assert rows["BCH/EUR"]["row"].to_list() == [2, 3]


@pytest.mark.parametrize(
    ("name", "lines", "part"),
    [
        ("kraken_trades", ["1,2,3", "1,,3"], "line 2, column price: '' is not a number"),
        ("kraken_trades", ["1,2,3", "1,2"], "line 2, column qty: '' is not a number"),
        (
            "binance_trades",
            [AGG, AGG.replace("1498793709153", "14987.5")],
            "line 2, column time: '14987.5' is not a whole",
        ),
        ("binance_trades", ["1,2,3"], "3 columns, beginning '1,2,3': no table of trades"),
    ],
)
def test_damaged_trade_tables(tmp_path: Path, name: str, lines: list[str], part: str) -> None:
    path = written(tmp_path / "BTCUSDT-aggTrades-x.csv", lines)
    with pytest.raises(DataError) as caught:
        read(name, [path])
    assert f"{path}: {part}" in str(caught.value)


def test_negative_sizes_are_judged_by_the_framework(tmp_path: Path) -> None:
    lines = [f"{1672531436 + k},90.5{k % 5},{-1 if k == 30 else 1}.25" for k in range(60)]
    path = written(tmp_path / "BCHEUR.csv", lines)
    block = {"source": str(path), "profile": "kraken_trades", "kind": "trades"}
    with pytest.raises(DataError, match=r"BCHEUR.csv, line 31.*qty -1.25") as caught:
        open_history([DataBlock(**block, on_error={"negative_volume": "fail"})], {})  # type: ignore[arg-type]
    assert "negative_volume" in str(caught.value)


def hft(*rows: tuple[int, int, int, float, float]) -> np.ndarray[Any, Any]:
    """Make events of (ev, exch_ts, local_ts, px, qty)."""
    made = np.zeros(len(rows), EVENT)
    for k, row in enumerate(rows):
        made[k] = (*row, 7 if row[0] & 0xFF >= 10 else 0, 0, 0.0)
    return made


BOTH = EXCH | LOCAL


def test_hftbacktest_events_in_the_order_of_receipt(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt_20240808.npz"
    events = hft(
        (BOTH | BUY | 3, 1, 5, 99.0, 0), (BOTH | SELL | 3, 1, 5, 101.0, 0),
        (BOTH | BUY | 4, 1, 5, 99.0, 2), (BOTH | SELL | 4, 1, 5, 101.0, 3),
        (EXCH | BUY | 1, 9, 12, 98.0, 1),  # the exchange's side of the row after the next
        (BOTH | SELL | 2, 6, 8, 99.0, 1), (LOCAL | BUY | 1, 9, 12, 98.0, 1),
        (BOTH | BUY | 1, 10, 13, 97.0, 1), (BOTH | SELL | 1, 10, 13, 102.0, 1),
        (BOTH | BUY | 3, 11, 14, 0.0, 0), (BOTH | BUY | 10, 12, 15, 96.0, 4), (BOTH | BUY | 13, 13, 16, 96.0, 4),
    )  # fmt: skip
    np.savez_compressed(path, data=events)
    rows = read("hftbacktest", [path])["BTCUSDT"]
    assert brief(rows) == [
        ("DEPTH", 1, 99.0, 2.0, BEGIN_SNAPSHOT), ("DEPTH", -1, 101.0, 3.0, END_SNAPSHOT | END),
        ("TRADE", -1, 99.0, 1.0, END), ("DEPTH", 1, 98.0, 1.0, END),
        ("DEPTH", 1, 97.0, 1.0, 0), ("DEPTH", -1, 102.0, 1.0, END),
        ("CLEAR", 0, 0.0, 0.0, END), ("ORDER_ADD", 1, 96.0, 4.0, END), ("ORDER_EXEC", 1, 96.0, 4.0, END),
    ]  # fmt: skip
    assert rows["row"].to_list() == [3, 4, 6, 7, 8, 9, 10, 11, 12]
    assert rows["ts_recv"].to_list() == [5, 5, 8, 12, 13, 13, 14, 15, 16]
    np.save(tmp_path / "eth.npy", events)
    assert read("hftbacktest", [tmp_path / "eth.npy"])["ETH"].equals(rows)


def test_damaged_event_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, data=hft(*[(BOTH | BUY | 1, 1, 5, 99.0, 2)] * 5_000))
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"x\.npz: (damaged or truncated npz|no event array)"):
            read("hftbacktest", [path])
    np.savez(path, data=np.zeros((3, 8)))
    with pytest.raises(DataError, match=r"x\.npz: the array is of float64, shape \(3, 8\)"):
        read("hftbacktest", [path])
    np.savez(path, data=hft((BOTH | BUY | 99, 1, 5, 99.0, 2)))
    with pytest.raises(DataError, match=r"row 1, column ev: '99' is not one of the kinds"):
        read("hftbacktest", [path])


def test_levels_shown_whole_become_changes() -> None:
    price = np.array([[0.0, 0.0], [10.0, 9.0], [11.0, 10.0], [10.0, 0.0]])
    qty = np.array([[0.0, 0.0], [1.0, 2.0], [5.0, 1.0], [1.0, 0.0]])
    made = shown_changes(price, qty)
    assert list(zip(*(column.tolist() for column in made), strict=True)) == [
        (1, 10.0, 1.0), (1, 9.0, 2.0), (2, 9.0, 0.0), (2, 11.0, 5.0), (3, 11.0, 0.0),
    ]  # fmt: skip
    assert len(shown_changes(price[:1], qty[:1]).at) == 0


def test_every_importer_has_a_sentence_and_refuses_unknown_options(tmp_path: Path) -> None:
    place = Place(written(tmp_path / "x.csv", ["1,2,3"]))
    for name in IMPORTERS:
        found = IMPORTERS[name]
        assert found.name == name
        assert found.about
        with pytest.raises(ConfigError, match="no_such_option"):
            list(found.read([place], Options(extra={"no_such_option": 1})))
