"""Tables of quotes, trades and depth of the shared data: as events they say what plain csv says."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.checks import check_data
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import History, open_history

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
TARDIS = DATA / "tardis_csv"
END = int(EventFlag.MESSAGE_END)


def opened(place: str, kind: str, **options: Any) -> History:
    return open_history([DataBlock(source=str(DATA / place), kind=kind, **options)], {})


def joined(history: History) -> Any:
    return np.concatenate([chunk.copy() for chunk in history.chunks()])


def rows(place: str) -> list[dict[str, str]]:
    path = DATA / place
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_tardis_quotes() -> None:
    place = "tardis_csv/tardis_quotes.csv.gz"
    history = opened(place, "book")
    made, texts = joined(history), rows(place)
    (instrument,) = history.instruments
    assert (instrument.id, instrument.tick_size, instrument.lot_size) == (
        "BINANCE-FUTURES:BTC/USDT", Decimal("0.01"), Decimal("0.001"),
    )  # fmt: skip
    assert history.kinds == [frozenset({"quotes"})]
    for event, row in zip(made, texts, strict=True):
        assert event["ts_event"] == int(row["timestamp"]) * 1_000
        assert event["ts_recv"] == int(row["local_timestamp"]) * 1_000
        words = [
            Decimal(row["bid_price"]) / instrument.tick_size,
            Decimal(row["bid_amount"]) / instrument.lot_size,
        ]
        words += [
            Decimal(row["ask_price"]) / instrument.tick_size,
            Decimal(row["ask_amount"]) / instrument.lot_size,
        ]
        assert [int(event[f"w{k}"]) for k in range(4)] == words
        assert event["flags"] == END


@pytest.mark.parametrize("levels", [5, 25])
def test_tardis_snapshots(levels: int) -> None:
    place = f"tardis_csv/tardis/binance-futures_book_snapshot_{levels}_BTCUSDT.csv"
    history = opened(place, "book")
    made, texts = joined(history), rows(place)
    assert len(made) == len(texts) * 2 * levels
    begins = np.flatnonzero(made["flags"] & int(EventFlag.SNAPSHOT_BEGIN))
    ends = np.flatnonzero(made["flags"] & int(EventFlag.SNAPSHOT_END))
    assert (ends - begins + 1 == 2 * levels).all()
    tick = history.instruments[0].tick_size
    for start, row in zip(begins, texts, strict=True):
        part = made[start : start + 2 * levels]
        bids = part["w0"][part["side"] == 1]
        assert [int(price) for price in bids] == [
            Decimal(row[f"bids[{k}].price"]) / tick for k in range(levels)
        ]
    tops = joined(opened(place, "quotes"))
    assert set(tops["kind"]) == {EventKind.QUOTE}
    assert [int(price) for price in tops["w2"]] == [Decimal(row["asks[0].price"]) / tick for row in texts]


def test_tardis_changes_and_trades() -> None:
    made = joined(opened("tardis_csv/tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv", "depth"))
    assert made["flags"].tolist() == [8] + [0] * (len(made) - 2) + [16 | END]
    assert len(made) == len(rows("tardis_csv/tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv"))
    trades = joined(opened("tardis_csv/tardis/bitmex_trades_XBTUSD.csv", "trades"))
    assert (trades["side"] == -1).all()
    assert trades["w2"][0] == int("ccc3c1fa212ce8b", 16)


def test_a_folder_of_several_venues_and_kinds() -> None:
    history = opened("tardis_csv/tardis", "book")
    assert {i.id: set(k) for i, k in zip(history.instruments, history.kinds, strict=True)} == {
        "BINANCE-FUTURES:BTC/USDT": {"depth"},
        "BITMEX:XBT/USD": {"trades"},
        "DERIBIT:BTC-PERPETUAL": {"depth"},
        "HUOBI-DM-SWAP:BTC/USD": {"quotes"},
    }
    assert (np.diff(joined(history)["ts_recv"]) >= 0).all()


def test_trades_of_a_plain_table() -> None:
    place = "trades/XRP_ETH-trades.csv.gz"
    texts = rows(place)
    history = opened(place, "trades", profile="generic", symbols=["XRP/ETH"])
    made = joined(history)
    assert len(made) == len(texts) - history.report.count("duplicate")
    tick = history.instruments[0].tick_size
    assert sum(int(price) for price in made["w0"]) == sum(Decimal(row["price"]) / tick for row in texts)
    assert made["w2"].tolist() == [int(row["id"]) for row in texts]
    assert made["side"].tolist() == [1 if row["side"] == "buy" else -1 for row in texts]
    assert history.has_receive_clock == [False]


def test_fx_quotes_without_sizes() -> None:
    history = opened(
        "fx_ticks/quote_tick_data.csv.gz", "quotes", symbols=["EUR/USD"], tz="America/New_York", options={"qty": 1e6},
        mapping={"header": ["timestamp", "bid", "ask", "volume"], "timestamp_format": "%Y%m%d %H%M%S%3f"},
    )  # fmt: skip
    made = joined(history)
    assert history.instruments[0].tick_size == Decimal("0.00001")
    assert made[["w0", "w2"]][0].tolist() == (112_120, 112_172)
    assert (made["w1"] == made["w3"]).all()


def test_everything_survives_a_catalogue(tmp_path: Path) -> None:
    raw = [DataBlock(source=str(TARDIS), kind="book")]
    import_data(raw, tmp_path)
    stored = open_history([DataBlock(source=str(tmp_path), kind="book")], {})
    assert joined(stored).tobytes() == joined(open_history(raw, {})).tobytes()


def test_clock_of_binance_2024(tmp_path: Path) -> None:
    place = DATA / "binance_ws" / "usdm" / "btcusdt_20240808.gz"
    block = DataBlock(source=str(place), kind="book", profile="binance_ws")
    report = check_data([block])
    assert -1_400_000_000 < report.instruments[0].lag_min_ns < -1_000_000_000
    assert report.count("clock") > 0
    assert report.count("crossed") == 0
    fixed = DataBlock(source=str(place), kind="book", profile="binance_ws", clock="correct")
    import_data([fixed], tmp_path, {"BTC/USDT": InstrumentSpec(tick_size=Decimal("0.1"))})
    made = joined(open_history([DataBlock(source=str(tmp_path), kind="book")], {}))
    assert (made["ts_recv"] - made["ts_event"]).min() == 0
