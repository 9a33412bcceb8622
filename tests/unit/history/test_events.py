"""What events say, and that nothing but the data decides it: not chunks, file order, window or format."""

from __future__ import annotations

import gzip
import random
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.unit.history.helpers import HEADER, MINUTE, START_MS, bar, bars, events, opened, write
from tradectl.core.codes import EventFlag, EventKind, MarketStatus
from tradectl.errors import DataError
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history

START = START_MS * 1_000_000


def folder(tmp_path: Path) -> Path:
    """Three symbols with gaps, one of them in two files that overlap."""
    rng = random.Random(5)
    for name, n in (("AAAUSD", 900), ("BBBUSD", 700), ("CCCUSD", 800)):
        lines = [bar(k, rng.randrange(9_000, 11_000) / 100, rng.randrange(1, 500) / 10) for k in range(n)]
        lines = [line for line in lines if rng.random() < 0.9]
        if name == "CCCUSD":
            write(tmp_path / "d" / "CCCUSD_1m_1.csv", lines[:400])
            lines = lines[350:]
        write(tmp_path / "d" / f"{name}_1m_2.csv", lines)
    return tmp_path / "d"


def test_words_and_stamps(tmp_path: Path) -> None:
    lines = [bar(0, 100.25, 1.5), bar(1, 100.50, 2.25), *bars(20, 2)]
    history = opened(write(tmp_path / "BTCUSD_1m.csv", lines))
    made = events(history)
    (instrument,) = history.instruments
    assert instrument.id == "LOCAL:BTC/USD"
    assert (instrument.base, instrument.quote) == ("BTC", "USD")
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.01"), Decimal("0.01"))
    assert history.timeframes_ns == [MINUTE]
    assert made["ts_event"][0] == made["ts_recv"][0] == START + MINUTE
    assert made[["w0", "w1", "w2", "w3", "w4"]][0].tolist() == (10_025, 10_075, 9_975, 10_025, 150)
    assert set(made["kind"]) == {EventKind.BAR}
    assert (made["flags"] == EventFlag.LAST).all()
    assert history.total_rows == len(made) == 22


def test_a_lot_coarser_than_the_volumes_is_explained(tmp_path: Path) -> None:
    """A tick of 0.01 and volumes of 8 decimals: a lot of 1e-8 would be worth less than the unit of money."""
    lines = [bar(k, 100.25 + k % 3, f"{1.12345678 + k * 1e-8:.8f}") for k in range(20)]  # type: ignore[arg-type]
    for name in "AB":
        write(tmp_path / "d" / f"{name}_1m.csv", lines)
    history = opened(tmp_path / "d")
    why = "the tick 0.01 allows no finer lot than 0.000001 (tick × lot is at least 0.00000001)"
    assert history.report.notes == [f"LOCAL:A and 1 more: {why}; volumes are rounded to it"]
    given = {name: InstrumentSpec(lot_size=Decimal("1e-8")) for name in "AB"}
    assert opened(tmp_path / "d", given).report.notes == []
    wide = write(tmp_path / "C_1m.csv", [*bars(9), bar(9, 100.25, 1e14), *(bar(k, 100.0, 0.25) for k in range(10, 20))])
    (note,) = opened(wide).report.notes
    assert note.startswith("LOCAL:C: volumes up to 1e+14 allow no finer lot than 0.1 ")


def test_chunks_are_read_only_aligned_and_bounded(tmp_path: Path) -> None:
    for chunk in opened(folder(tmp_path)).chunks(100):
        assert len(chunk) <= 100
        assert chunk.ctypes.data % 64 == 0
        assert chunk.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            chunk["w0"][0] = 1


@pytest.mark.parametrize("rows", [1, 7, 1_000, 65_536])
def test_content_does_not_depend_on_the_chunk_size(tmp_path: Path, rows: int) -> None:
    history = opened(folder(tmp_path))
    assert events(history, rows).tobytes() == events(history).tobytes()


def test_content_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    files = sorted(str(p) for p in folder(tmp_path).iterdir())
    first = events(opened(files))
    random.Random(1).shuffle(files)
    assert events(opened(files)).tobytes() == first.tobytes()


def test_content_does_not_depend_on_the_window(tmp_path: Path) -> None:
    place = folder(tmp_path)
    whole = events(opened(place))
    start, end = START + 100 * MINUTE, START + 333 * MINUTE
    part = events(opened(place, start_ns=start, end_ns=end))
    inside = (whole["ts_event"] > start) & (whole["ts_event"] <= end)
    assert part.tobytes() == whole[inside].tobytes()


def test_order_and_last_flag(tmp_path: Path) -> None:
    made = events(opened(folder(tmp_path)))
    order = np.lexsort((made["instrument"], made["ts_recv"]))
    assert (order == np.arange(len(made))).all()
    last = np.append(made["ts_recv"][1:] != made["ts_recv"][:-1], True)
    assert ((made["flags"] & EventFlag.LAST > 0) == last).all()


def test_every_format_gives_the_same_events(tmp_path: Path) -> None:
    lines = bars(500)
    plain = write(tmp_path / "a" / "BTCUSD_1m.csv", lines)
    want = events(opened(plain)).tobytes()
    frame = pl.read_csv(plain)
    places = {
        name: tmp_path / name / "BTCUSD_1m" for name in ("gz", "zip", "zst", "pq", "ipc", "iso", "us", "semi")
    }
    for place in places.values():
        place.parent.mkdir()
    text = plain.read_bytes()
    gz = places["gz"].with_suffix(".csv.gz")
    gz.write_bytes(gzip.compress(text[:5_000]) + gzip.compress(text[5_000:]))  # two members
    packed = places["zip"].with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "anything.csv")
    zst = places["zst"].with_suffix(".csv.zst")
    frame.lazy().sink_csv(zst, compression="zstd")
    pq, ipc = places["pq"].with_suffix(".parquet"), places["ipc"].with_suffix(".arrow")
    stamped = frame.with_columns(pl.col("timestamp").cast(pl.Datetime("ms", "UTC")))
    stamped.write_parquet(pq)
    stamped.select(reversed(stamped.columns)).write_ipc(ipc)
    iso = places["iso"].with_suffix(".csv")
    local = stamped["timestamp"].dt.convert_time_zone("Asia/Tokyo").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    frame.with_columns(local).write_csv(iso)
    us = places["us"].with_suffix(".csv")
    frame.with_columns(pl.col("timestamp") * 1_000).write_csv(us)
    semi = places["semi"].with_suffix(".csv")
    frame.rename({"timestamp": "Date", "open": "OPEN"}).write_csv(semi, separator=";")
    for path in (gz, packed, zst, pq, ipc, iso, us, semi):
        assert events(opened(path)).tobytes() == want, path


def test_many_symbols_in_one_file(tmp_path: Path) -> None:
    lines = []
    for k in range(200):
        lines += [f"{bar(k, 100 + k % 3)},{name}" for name in ("BBB", "AAA")]
    made = opened(write(tmp_path / "all.csv", lines, f"{HEADER},ticker"))
    assert [i.symbol for i in made.instruments] == ["AAA", "BBB"]
    assert events(made)["instrument"].tolist() == [0, 1] * 200
    assert len(events(opened(tmp_path / "all.csv", symbols=["BBB"]))) == 200


def test_listing_delisting_and_relisting_under_one_ticker(tmp_path: Path) -> None:
    path = write(tmp_path / "LUNAUSDT_1m.csv", [bar(k) for k in [*range(100), *range(200, 300)]])
    died, born = START + 90 * MINUTE, START + 210 * MINUTE
    specs = {
        "LUNA/USDT": InstrumentSpec(delisted=died),
        "LUNA2/USDT": InstrumentSpec(alias="LUNA/USDT", listed=born),
    }
    history = opened(path, specs)
    made = events(history)
    assert [i.symbol for i in history.instruments] == ["LUNA/USDT", "LUNA2/USDT"]
    assert [i.outside_listing for i in history.report.instruments] == [110, 110]
    status = made[made["kind"] == EventKind.STATUS]
    assert status["w0"].tolist() == [MarketStatus.DELISTED, MarketStatus.LISTED]
    assert status["ts_event"].tolist() == [died + 1, born]
    first, second = (made[(made["instrument"] == k) & (made["kind"] == EventKind.BAR)] for k in (0, 1))
    assert (len(first), len(second)) == (90, 90)
    assert first["ts_event"].max() == died
    assert second["ts_event"].min() == born + MINUTE
    late = events(opened(path, specs, start_ns=START + 250 * MINUTE))
    assert late["kind"][:2].tolist() == [EventKind.STATUS] * 2
    assert late["ts_event"][1] <= START + 250 * MINUTE + 1


def test_session_close_follows_daylight_saving(tmp_path: Path) -> None:
    days = ["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12", "2024-03-13"]
    path = write(tmp_path / "IBM.csv", [f"{d},100,101,99,100,5" for d in days])
    made = events(opened(path, session=("16:00", "America/New_York")))
    hours = made["ts_event"] // 3_600_000_000_000 % 24
    assert hours.tolist() == [21, 21, 20, 20, 20]
    assert (events(opened(path))["ts_event"] % (24 * 60 * MINUTE) == 0).all()


def test_stamps_at_the_close_and_in_a_zone(tmp_path: Path) -> None:
    lines = [f"2024-01-02 09:{k:02d}:00,100,101,99,100,5" for k in range(30)]
    path = write(tmp_path / "X_1m.csv", lines)
    plain = events(opened(path))["ts_event"][0]
    assert events(opened(path, stamp="close"))["ts_event"][0] == plain - MINUTE
    assert events(opened(path, tz="America/New_York"))["ts_event"][0] == plain + 300 * MINUTE


def test_off_tick_is_rounded_half_even_and_counted(tmp_path: Path) -> None:
    lines = [*bars(200), f"{START_MS + 200 * 60_000},100.125,100.375,100.125,100.375,1"]
    path = write(tmp_path / "X_1m.csv", lines)
    specs = {"X": InstrumentSpec(tick_size=Decimal("0.01"))}
    history = opened(path, specs)
    assert history.report.count("off_tick") == 1
    assert events(history)[["w0", "w1"]][-1].tolist() == (10_012, 10_038)
    assert len(events(opened(path, specs, on_error={"off_tick": "drop"}))) == 200
    with pytest.raises(DataError, match="row 201"):
        opened(path, specs, on_error={"off_tick": "fail"})
    odd = opened(path, {"X": InstrumentSpec(tick_size=Decimal("0.25"))})
    assert odd.report.count("off_tick") == 1
    assert events(odd)["w0"][0] == 400


def test_two_blocks_main_and_detail(tmp_path: Path) -> None:
    fine = write(tmp_path / "BTCUSD_1m.csv", bars(120))
    coarse = write(tmp_path / "h" / "BTCUSD_5m.csv", [bar(k) for k in range(0, 120, 5)])
    blocks = [DataBlock(str(coarse)), DataBlock(str(fine), detail=True)]
    made = events(open_history(blocks, {}))
    detail = made["flags"] & EventFlag.DETAIL > 0
    assert detail.sum() == 120
    assert made["aux"][~detail].tolist() == [1] * 24
    assert made["aux"][:6].tolist() == [0, 0, 0, 0, 0, 1]
    with pytest.raises(DataError, match="two blocks"):
        open_history([DataBlock(str(fine)), DataBlock(str(fine))], {})


def test_without_volume(tmp_path: Path) -> None:
    lines = [line.rsplit(",", 1)[0] for line in bars(30)]
    history = opened(write(tmp_path / "X_1m.csv", lines, "timestamp,open,high,low,close"))
    assert (events(history)["w4"] == -1).all()


def test_fingerprint_names_size_and_hash(tmp_path: Path) -> None:
    place = folder(tmp_path)
    one = opened(place).fingerprint
    assert sorted(one) == sorted(p.name for p in place.iterdir())
    write(place / "AAAUSD_1m_2.csv", bars(30))
    other = opened(place).fingerprint
    assert [name for name in one if one[name] != other[name]] == ["AAAUSD_1m_2.csv"]


def test_unknown_instrument_override(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSD_1m.csv", bars(30))
    with pytest.raises(DataError, match="did you mean 'BTC/USD'"):
        opened(path, {"BTC/USDT": InstrumentSpec(tick_size=Decimal("0.1"))})


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2024-01-02 00:00:00", "2024-01-02 00:01:00.250", "2024-01-02 00:02:00"], 0),
        (["20240102 00:00", "20240102 00:01", "20240102 00:02"], 0),
        (["2024-01-02T00:00Z", "2024-01-02T00:01Z", "2024-01-02T00:02Z"], 0),
        (["2024-01-02T02:00:00+0200", "2024-01-02T02:01:00+0200", "2024-01-02T02:02:00+0200"], 0),
        (["1704153600", "1704153660", "1704153720"], 0),
        (["1704153600.5", "1704153660.5", "1704153720.5"], 500_000_000),
        (["1704153600000000", "1704153660000000", "1704153720000000"], 0),
        (["1704153600000000000", "1704153660000000000", "1704153720000000000"], 0),
    ],
)
def test_stamps_of_every_kind(tmp_path: Path, texts: list[str], first: int) -> None:
    path = write(tmp_path / "X_1m.csv", [f"{text},100,101,99,100,5" for text in texts])
    made = events(opened(path))
    assert len(made) == 3
    assert made["ts_event"][0] == 1_704_153_600 * 10**9 + MINUTE + first


def test_a_given_format_and_columns_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "X_1m.csv", [f"7;02/01/2024 00:{k:02d};99;100;101;100" for k in range(9)], "")
    mapping = {"header": ["n", "when", "low", "open", "high", "close"], "timestamp": "when"}
    made = events(opened(path, mapping={**mapping, "timestamp_format": "%d/%m/%Y %H:%M"}))
    assert made["ts_event"][0] == 1_704_153_600 * 10**9 + MINUTE
    assert made[["w0", "w1", "w2", "w3", "w4"]][0].tolist() == (100, 101, 99, 100, -1)


def test_venue_dumps_without_a_header(tmp_path: Path) -> None:
    line = "{t},100.1,101.5,99.5,100.2,7.5,{t},1,2,3,4,0"
    lines = [line.format(t=1_735_689_600_000_000 + k * 60_000_000) for k in range(9)]
    history = opened(write(tmp_path / "BTCUSDT-1m-2025.csv", lines, ""), profile="binance_klines")
    assert [i.id for i in history.instruments] == ["BINANCE:BTC/USDT"]
    assert events(history)["ts_event"][0] == 1_735_689_600 * 10**9 + MINUTE
    scaled = opened(tmp_path / "BTCUSDT-1m-2025.csv", profile="binance_klines", mapping={"scale": "0.1"})
    assert (scaled.instruments[0].tick_size, events(scaled)["w0"][0]) == (Decimal("0.01"), 1_001)
