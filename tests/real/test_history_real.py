"""Every bar folder of the shared data opens, and says what plain csv and gzip say."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradectl.core.codes import EventKind, MarketStatus
from tradectl.errors import DataError
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import History, open_history
from tradectl.history.resample import resample_data

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
HOUR = 3_600_000_000_000
DAY = 24 * HOUR


def opened(place: str, specs: dict[str, InstrumentSpec] | None = None, **options: Any) -> History:
    return open_history([DataBlock(source=str(DATA / place), **options)], specs or {})


def events(history: History) -> Any:
    return np.concatenate([chunk.copy() for chunk in history.chunks()])


def lines(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as stream:
        yield from csv.DictReader(stream)


def rows(folder: str, pattern: str = "*") -> int:
    return sum(1 for path in sorted((DATA / folder).glob(pattern)) for _ in lines(path))


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_bitfinex_btc_2017() -> None:
    path = DATA / "bitfinex_1m" / "BTCUSD_1m_2017.csv.gz"
    texts = [[Decimal(row[k]) for k in ("open", "high", "low", "close")] for row in lines(path)]
    off = sum(any(price * 100 % 1 for price in bar) for bar in texts)
    history = opened("bitfinex_1m/BTCUSD_1m_2017.csv.gz")
    assert [(i.id, i.tick_size) for i in history.instruments] == [("BITFINEX:BTC/USD", Decimal("0.01"))]
    assert history.report.count("off_tick") == off == 16_712
    made = events(history)
    assert len(made) == len(texts) == 505_209
    cent = Decimal("0.01")
    for word, k in (("w0", 0), ("w1", 1), ("w2", 2), ("w3", 3)):
        assert made[word].tolist() == [int(bar[k].quantize(cent) * 100) for bar in texts]


@pytest.mark.proof
def test_bitfinex_folder_and_the_outage_of_ltc() -> None:
    history = opened("bitfinex_1m")
    assert [i.symbol for i in history.instruments] == ["BTC/USD", "ETH/USD", "LTC/USD"]
    assert len(events(history)) == rows("bitfinex_1m")
    stamps = [int(row["timestamp_ms"]) for row in lines(DATA / "bitfinex_1m" / "LTCUSD_1m_2016.csv.gz")]
    longest = max(b - a for a, b in pairwise(stamps))
    gap = max((g for g in history.report.gaps if g.instrument.endswith("LTC/USD")), key=lambda g: g.missing)
    assert gap.to_ns - gap.from_ns == longest * 10**6
    assert 61 * DAY < longest * 10**6 < 62 * DAY


def test_binance_portfolio() -> None:
    history = opened("binance_1h_usdt")
    made = events(history)
    assert len(history.instruments) == 30
    assert len(made) == rows("binance_1h_usdt")
    counts = np.bincount(made["instrument"])
    for index, instrument in enumerate(history.instruments):
        name = instrument.symbol.replace("/", "")
        assert counts[index] == rows("binance_1h_usdt", f"{name}_1h.csv.gz"), name
    ftt = max((g for g in history.report.gaps if g.instrument.endswith("FTT/USDT")), key=lambda g: g.missing)
    assert round((ftt.to_ns - ftt.from_ns) / DAY) == 311


def test_luna_is_two_coins() -> None:
    died, born = ns(2022, 5, 13), ns(2022, 5, 31)
    specs = {
        "LUNA/USDT": InstrumentSpec(delisted=died),
        "LUNA2/USDT": InstrumentSpec(alias="LUNA/USDT", listed=born),
    }
    history = opened("binance_1h_usdt", specs, symbols=["LUNA/USDT", "LUNA2/USDT"])
    made = events(history)
    stamps = [row["date"] for row in lines(DATA / "binance_1h_usdt" / "LUNAUSDT_1h.csv.gz")]
    bars = made[made["kind"] == EventKind.BAR]
    assert (bars["instrument"] == 0).sum() == sum(s < "2022-05-13" for s in stamps)
    assert (bars["instrument"] == 1).sum() == sum(s >= "2022-05-31" for s in stamps)
    status = made[made["kind"] == EventKind.STATUS]
    assert status["w0"].tolist() == [MarketStatus.DELISTED, MarketStatus.LISTED]
    assert history.report.instruments[0].outside_listing == sum(s >= "2022-05-13" for s in stamps)


def test_sp500_fails_clearly_then_opens_with_sessions() -> None:
    with pytest.raises(DataError, match=r"AOS_data.csv.gz, row \d+ \(line \d+\): high or low") as caught:
        opened("sp500_5yr")
    assert "on_error: {ohlc: clip}" in str(caught.value)
    session = ("16:00", "America/New_York")
    history = opened("sp500_5yr", on_error={"ohlc": "clip"}, session=session)
    crooked = empty = total = 0
    for path in sorted((DATA / "sp500_5yr").iterdir()):
        for row in lines(path):
            total += 1
            if "" in row.values():
                empty += 1
                continue
            o, h, low, c = (float(row[k]) for k in ("open", "high", "low", "close"))
            crooked += h < max(o, c) or low > min(o, c)
    assert (history.report.count("ohlc"), history.report.count("empty")) == (crooked, empty)
    made = events(history)
    assert len(made) == total - empty
    assert len(history.instruments) == 253
    assert set((made["ts_event"] // HOUR % 24).tolist()) == {20, 21}
    assert {i.quote for i in history.instruments} == {"USD"}


@pytest.mark.parametrize(
    ("place", "options", "names"),
    [
        ("perp_1m", {}, ["LOCAL:BTC-PERP"]),
        ("perp_1m", {"profile": "perp_csv"}, ["FTX:BTC-PERP"]),
        ("fx_m1", {"profile": "fx_m1"}, ["FX:GBP/USD.ASK", "FX:GBP/USD.BID"]),
        ("ohlcv_samples/GOOG.csv.gz", {}, ["LOCAL:GOOG"]),
        ("ohlcv_samples/EURUSD.csv.gz", {}, ["LOCAL:EUR/USD"]),
        ("ohlcv_samples/BTCUSD.csv", {}, ["LOCAL:BTC/USD"]),
        ("bybit_linear_2025", {"timeframe": "1m", "profile": "bybit_csv"}, ["BYBIT:ADA/USDT"]),
    ],
)
def test_other_folders(place: str, options: dict[str, Any], names: list[str]) -> None:
    history = opened(place, **options)
    path = DATA / place
    pattern = "*_1m*" if "timeframe" in options else "*"
    want = rows(place, pattern) if path.is_dir() else sum(1 for _ in lines(path))
    assert [i.id for i in history.instruments] == names
    assert len(events(history)) == want


def test_monthly_bars_end_with_their_month() -> None:
    made = events(opened("ohlcv_samples/BTCUSD.csv"))
    assert made["ts_event"][:2].tolist() == [ns(2012, 2, 1), ns(2012, 3, 1)]


@pytest.mark.parametrize(
    ("place", "profile"),
    [
        ("lean/equity/usa/daily", "lean_equity_daily"),
        ("lean/equity/usa/hour", "lean_equity_hour"),
        ("lean/equity/usa/minute/*/*_trade.zip", "lean_equity_minute"),
        ("lean/crypto/coinbase/btcusd/*_trade.zip", "lean_crypto_minute"),
    ],
)
def test_lean_zips(place: str, profile: str) -> None:
    paths = sorted(DATA.glob(place if "*" in place else f"{place}/*.zip"))
    want = 0
    for path in paths:
        with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as stream:
            want += sum(1 for _ in csv.reader(io.TextIOWrapper(stream)))
    assert len(events(opened(place, profile=profile))) == want


def test_lean_minutes_are_in_new_york_time() -> None:
    history = opened("lean/equity/usa/minute/ibm/20131008_trade.zip", profile="lean_equity_minute")
    first = events(history)[0]
    assert first["ts_event"] == ns(2013, 10, 8, 12, 48)  # 31,620,000 ms is 08:47 in New York, then UTC-4
    assert first["w0"] == 18_210


def test_mixed_timeframes_must_be_named() -> None:
    with pytest.raises(DataError, match="1m, 5m, 15m, 30m, 1h, 4h"):
        opened("bybit_linear_2025")


@pytest.mark.parametrize(
    ("symbol", "fine", "coarse"),
    [("ADA", "1m", c) for c in ("5m", "15m", "30m", "60m", "240m")]
    + [(s, "5m", c) for s in ("BTC", "ETH") for c in ("15m", "30m", "60m", "240m")],
)
def test_resampling_equals_the_venues_own(tmp_path: Path, symbol: str, fine: str, coarse: str) -> None:
    block = DataBlock(str(DATA / "bybit_linear_2025"), timeframe=fine, symbols=[f"{symbol}/USDT"])
    resample_data([block], coarse, tmp_path, keep_partial=True)
    made = {bar["ts_event"]: bar for bar in events(open_history([DataBlock(str(tmp_path))], {}))}
    oracle = opened("bybit_linear_2025", timeframe=coarse, symbols=[f"{symbol}/USDT"])
    grid = open_history([DataBlock(str(tmp_path))], {}).instruments[0]
    ticks = float(oracle.instruments[0].tick_size) / float(grid.tick_size)
    lots = float(oracle.instruments[0].lot_size) / float(grid.lot_size)
    want = events(oracle)
    compared = 0
    for bar in want[:-1]:
        own = made.get(bar["ts_event"])
        if own is None or bar["ts_event"] == min(made):  # the finer file begins or ends inside this bar
            continue
        compared += 1
        assert [own[w] for w in ("w0", "w1", "w2", "w3")] == [
            round(bar[w] * ticks) for w in ("w0", "w1", "w2", "w3")
        ]
        assert abs(own["w4"] - bar["w4"] * lots) <= 1
    assert compared >= len(want) - 4


@pytest.mark.parametrize("place", ["binance_1h_usdt", pytest.param("bitfinex_1m", marks=pytest.mark.proof)])
def test_catalogue_of_real_data_gives_the_same_events(tmp_path: Path, place: str) -> None:
    import_data([DataBlock(str(DATA / place))], tmp_path / place)
    raw, kept = opened(place), open_history([DataBlock(str(tmp_path / place))], {})
    assert raw.instruments == kept.instruments
    assert events(raw).tobytes() == events(kept).tobytes()
