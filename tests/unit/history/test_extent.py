"""A run spans the prices of its instruments: longer funding and finer bars are left out, and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.history.book_files import T0, trades
from tests.unit.history.helpers import MINUTE, START_MS, bars, events, write
from tradectl.core.codes import EventKind
from tradectl.errors import DataError
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import History, open_history

START = START_MS * 1_000_000
HOUR_MS = 3_600_000


def made(tmp_path: Path, *more: DataBlock, **specs: InstrumentSpec) -> History:
    """Two hours of minutes of AAAUSD, whose first opens at START, and other blocks."""
    path = write(tmp_path / "AAAUSD_1m.csv", bars(120))
    return open_history([DataBlock(str(path), timeframe="1m"), *more], specs)


def funding(tmp_path: Path, *minutes: int, symbol: str = "AAAUSD", **options: Any) -> DataBlock:
    rows = [f"{symbol},{START_MS + minute * 60_000},0.0001" for minute in minutes]
    path = write(tmp_path / "rates.csv", rows, header="symbol,timestamp,rate")
    return DataBlock(str(path), kind="funding", venue="LOCAL", **options)


def stamps(history: History, kind: EventKind = EventKind.FUNDING) -> list[int]:
    """Return the receive stamps of one kind of event, in ms after START."""
    found = events(history)
    return ((found["ts_recv"][found["kind"] == kind] - START) // 1_000_000).tolist()


def test_funding_outside_the_prices_is_left_out(tmp_path: Path) -> None:
    history = made(tmp_path, funding(tmp_path, -480, -1, 0, 60, 120, 121, 600, 90_000))
    assert stamps(history) == [0, HOUR_MS, 2 * HOUR_MS]
    assert history.report.rows_used == 123
    (note,) = history.report.notes
    assert (
        "LOCAL:AAA/USD: 2 settlements of funding before the first price (2023-11-14T22:14:00Z) and 3 " in note
    )


def test_feed_latency_keeps_what_the_last_bar_settles(tmp_path: Path) -> None:
    path = write(tmp_path / "AAAUSD_1m.csv", bars(120))
    rates = funding(tmp_path, 120, 121, feed_ns=50_000_000)
    history = open_history([DataBlock(str(path), timeframe="1m", feed_ns=50_000_000), rates], {})
    assert stamps(history) == [2 * HOUR_MS + 50]


def test_the_window_of_the_bars_bounds_too(tmp_path: Path) -> None:
    path = write(tmp_path / "AAAUSD_1m.csv", bars(120))
    block = DataBlock(str(path), timeframe="1m", start_ns=START + 30 * MINUTE, end_ns=START + 60 * MINUTE)
    delisted = {"AAAUSD": InstrumentSpec(delisted=START + 50 * MINUTE)}
    assert stamps(open_history([block, funding(tmp_path, 0, 45, 60, 61)], delisted)) == [45 * 60_000]
    empty = DataBlock(str(path), timeframe="1m", start_ns=START + 300 * MINUTE)
    with pytest.raises(DataError, match="no row lies between"):
        open_history([empty, funding(tmp_path, 45)], {})


def test_funding_alone_is_bound_by_nothing(tmp_path: Path) -> None:
    assert stamps(open_history([funding(tmp_path, -480, 60)], {})) == [-8 * HOUR_MS, HOUR_MS]


def test_detail_outside_the_bars_is_left_out(tmp_path: Path) -> None:
    coarse = write(tmp_path / "AAAUSD_5m.csv", [bars(1, k)[0] for k in range(10, 60, 5)])
    fine = write(tmp_path / "AAAUSD_1m.csv", bars(90))
    blocks = [DataBlock(str(coarse), timeframe="5m"), DataBlock(str(fine), timeframe="1m", detail=True)]
    history = open_history(blocks, {})
    found = events(history)
    minutes = (found["ts_recv"][found["flags"] & 32 > 0] - START) // MINUTE
    assert minutes.tolist() == list(range(11, 61))
    assert history.total_rows == len(found) == 60
    (note,) = history.report.notes
    assert "10 bars of detail before the first price" in note
    assert "30 bars of detail after the last price (2023-11-14T23:14:00Z) were left out" in note
    assert np.all(np.diff(found["ts_recv"]) >= 0)


def test_funding_in_the_catalogue_of_the_prices(tmp_path: Path) -> None:
    """One series holds both kinds: the days without trades are left out."""
    days = [(T0 - START) // MINUTE + day * 1_440 for day in (-2, 2, 3)]
    for block in (
        DataBlock(str(trades(tmp_path / "t" / "X.csv", 20)), kind="trades"),
        funding(tmp_path, *days, symbol="X"),
    ):
        import_data([replace(block, venue="LOCAL")], tmp_path / "cat")
    history = open_history([DataBlock(str(tmp_path / "cat"), kind="trades")], {})
    assert set(events(history)["kind"]) == {EventKind.TRADE}
    assert history.report.notes[0].startswith("LOCAL:X: 1 settlement of funding before the first price")
