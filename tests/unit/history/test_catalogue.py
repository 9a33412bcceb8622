"""The catalogue: what goes in comes out, re-imports change nothing, failures leave nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.unit.history.helpers import MINUTE, START_MS, bar, bars, events, opened, write
from tradectl.errors import ConfigError, DataError
from tradectl.history.checks import check_data
from tradectl.history.export import export_events
from tradectl.history.first_bars import partial_firsts
from tradectl.history.generate import Walk, generate, walk
from tradectl.history.importing import import_data
from tradectl.history.info import describe
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.resample import resample, resample_data
from tradectl.history.rows import Budget, Rows, Tape, concat_rows


def block(path: Path, **options: object) -> list[DataBlock]:
    return [DataBlock(source=str(path), **options)]  # type: ignore[arg-type]


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_events_and_grid_are_those_of_the_raw_file(tmp_path: Path) -> None:
    lines = [*bars(3_000), bar(4_000, 100.12345)]
    raw = write(tmp_path / "BTCUSD_1m.csv", lines)
    import_data(block(raw), tmp_path / "c")
    one, other = opened(raw), opened(tmp_path / "c")
    assert one.instruments == other.instruments
    assert events(one).tobytes() == events(other).tobytes()
    assert one.report.count("off_tick") == other.report.count("off_tick")
    assert one.report.count("gap") == other.report.count("gap") == 1
    tick = {"BTC/USD": InstrumentSpec(tick_size=Decimal("0.25"))}
    assert events(opened(raw, tick)).tobytes() == events(opened(tmp_path / "c", tick)).tobytes()


def test_windows_and_symbols(tmp_path: Path) -> None:
    for name in ("AAAUSD", "BBBUSD"):
        write(tmp_path / "d" / f"{name}_1m.csv", bars(2_000))
    import_data(block(tmp_path / "d"), tmp_path / "c")
    options = {"start_ns": START_MS * 10**6 + 77 * MINUTE, "symbols": ["BBB/USD"]}
    assert (
        events(opened(tmp_path / "d", **options)).tobytes()
        == events(opened(tmp_path / "c", **options)).tobytes()
    )
    with pytest.raises(DataError, match=r"c: no rows of AAC/USD\n  did you mean 'AAA/USD'\? valid: AAA/USD, BBB/USD"):
        opened(tmp_path / "c", symbols=["BBB/USD", "AAC/USD"])
    with pytest.raises(DataError, match=r"c: no rows of venue nyse\n  valid: LOCAL"):
        opened(tmp_path / "c", venue="nyse")
    with pytest.raises(DataError, match="no bars of timeframe"):
        opened(tmp_path / "c", timeframe="1h")
    with pytest.raises(ConfigError, match="needs no profile"):
        opened(tmp_path / "c", profile="bitfinex")


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    raw = write(tmp_path / "BTCUSD_1m.csv", bars(3_000))
    import_data(block(raw), tmp_path / "c")
    before = tree(tmp_path / "c")
    summary, _ = import_data(block(raw), tmp_path / "c")
    assert summary.added == 0
    assert tree(tmp_path / "c") == before


def test_overlapping_imports_merge(tmp_path: Path) -> None:
    whole = write(tmp_path / "w" / "BTCUSD_1m.csv", bars(3_000))
    late = write(tmp_path / "b" / "BTCUSD_1m.csv", bars(1_600, 1_400))
    early = write(tmp_path / "a" / "BTCUSD_1m.csv", bars(1_500))
    import_data(block(whole), tmp_path / "one")
    import_data(block(late), tmp_path / "two")
    import_data(block(early), tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_other_values_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    import_data(block(write(tmp_path / "a" / "BTCUSD_1m.csv", bars(100))), tmp_path / "c")
    before = tree(tmp_path / "c")
    other = write(tmp_path / "b" / "BTCUSD_1m.csv", [bar(k, 55.0) for k in range(50, 150)])
    with pytest.raises(DataError, match="50 bars differ"):
        import_data(block(other), tmp_path / "c")
    assert tree(tmp_path / "c") == before
    import_data(block(other, on_error={"conflict": "drop"}), tmp_path / "c")
    made = events(opened(tmp_path / "c"))
    assert len(made) == 150
    assert made["w3"][99] == events(opened(tmp_path / "a"))["w3"][99]


def test_a_failing_import_makes_no_catalogue(tmp_path: Path) -> None:
    bad = write(tmp_path / "BTCUSD_1m.csv", [*bars(20), "1,2,3"])
    with pytest.raises(DataError):
        import_data(block(bad, on_error={"empty": "fail"}), tmp_path / "c")
    assert not (tmp_path / "c" / "catalogue.json").exists()


def test_a_changed_or_missing_part_is_noticed(tmp_path: Path) -> None:
    import_data(block(write(tmp_path / "BTCUSD_1m.csv", bars(100))), tmp_path / "c")
    part = next((tmp_path / "c").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(DataError, match="changed since"):
        opened(tmp_path / "c")
    (tmp_path / "c" / "catalogue.json").write_text("{")
    with pytest.raises(DataError, match="not a readable catalogue"):
        opened(tmp_path / "c")
    (tmp_path / "c" / "catalogue.json").write_text(json.dumps({"schema": 99, "series": {}}))
    with pytest.raises(DataError, match="schema 99"):
        opened(tmp_path / "c")


def test_the_synthetic_walk_is_seeded_and_consistent(tmp_path: Path) -> None:
    spec = Walk(symbols=("AAA/USD", "BBB/USD"), bars=100_000, seed=3, gap_per_million=10_000)
    ends, opens, highs, lows, closes, volumes = (np.concatenate(c) for c in zip(*walk(spec, 0), strict=True))
    assert (highs >= np.maximum(opens, closes)).all()
    assert (lows <= np.minimum(opens, closes)).all()
    assert lows.min() >= 1
    assert volumes.min() >= 1
    assert 98_500 < len(ends) < 99_500
    assert (int(closes.sum()), int(volumes.sum())) == (930684576, 670000996)  # on any machine
    moves = np.abs(np.diff(closes)).astype(float)
    assert np.corrcoef(moves[1:], moves[:-1])[0, 1] > 0.05  # volatility clusters
    assert generate(spec, tmp_path / "c") == events(opened(tmp_path / "c")).size
    generate(spec, tmp_path / "d")
    assert tree(tmp_path / "c") == tree(tmp_path / "d")


def test_text_and_catalogue_hold_the_same_walk(tmp_path: Path) -> None:
    spec = Walk(symbols=("BTCSYN/USD",), bars=2_000)
    generate(spec, tmp_path / "c")
    generate(spec, tmp_path / "{symbol}_1m.csv.gz")
    text = opened(tmp_path / "BTCSYNUSD_1m.csv.gz", venue="SYNTHETIC")
    assert events(text).tobytes() == events(opened(tmp_path / "c")).tobytes()


def test_resampling_does_not_depend_on_batches(tmp_path: Path) -> None:
    history = opened(write(tmp_path / "X_1m.csv", [line for k, line in enumerate(bars(1_000)) if k % 11]))
    rows = concat_rows(list(history.targets[0].sources[0][0].stream()))
    whole = concat_rows(list(resample(iter([rows]), MINUTE, 15 * MINUTE)))
    for size in (1, 7, 400):
        pieces = (rows[at : at + size] for at in range(0, len(rows), size))
        cut = concat_rows(list(resample(pieces, MINUTE, 15 * MINUTE)))
        assert all((a == b).all() for a, b in zip(cut.columns(), whole.columns(), strict=True))
    with pytest.raises(DataError, match="no whole multiple"):
        list(resample(iter([rows]), MINUTE, 90 * 10**9))


def test_resampling_into_a_catalogue(tmp_path: Path) -> None:
    raw = write(tmp_path / "BTCUSD_1m.csv", bars(1_000))
    resample_data(block(raw), "1h", tmp_path / "c")
    made = opened(tmp_path / "c")
    assert made.timeframes_ns == [60 * MINUTE]
    assert (events(made)["ts_event"] % (60 * MINUTE) == 0).all()


def test_a_partial_first_bucket_is_kept_and_noted(tmp_path: Path) -> None:
    """The bars begin at 22:14."""
    raw = write(tmp_path / "BTCUSD_1m.csv", bars(1_000))
    begin = START_MS * 10**6
    noted = "first bar of 1h is partial: data of LOCAL:BTC/USD begin at 2023-11-14T22:34:00Z (57% of it is missing)"
    for minutes, notes in ((20, [noted]), (46, [])):
        cut = block(raw, start_ns=begin + minutes * MINUTE)
        _, history = resample_data(cut, "1h", tmp_path / f"from{minutes}")
        assert history.report.notes == notes
        first = events(opened(tmp_path / f"from{minutes}"))["ts_event"][0]
        assert first == begin + (46 if notes else 106) * MINUTE
    report = check_data(block(raw, start_ns=begin + 36 * MINUTE), frames_ns=[MINUTE, 5 * MINUTE, 20 * MINUTE])
    assert [note.partition(":")[0] for note in report.notes] == ["first bar of 20m is partial"]
    assert partial_firsts(opened(raw), [2 * MINUTE]) == []


def test_a_catalogue_of_several_timeframes_names_key_and_option(tmp_path: Path) -> None:
    raw = write(tmp_path / "BTCUSD_1m.csv", bars(100))
    for frame in ("1m", "5m"):
        resample_data(block(raw), frame, tmp_path / "c")
    hint = r"bars of several timeframes\n.*set data\.timeframe \(--timeframe\): 1m, 5m"
    with pytest.raises(DataError, match=hint):
        opened(tmp_path / "c")


def test_export_decodes(tmp_path: Path) -> None:
    specs = {"BTC/USD": InstrumentSpec(listed=START_MS * 10**6, delisted=START_MS * 10**6 + 50 * MINUTE)}
    history = opened(write(tmp_path / "BTCUSD_1m.csv", bars(100)), specs)
    for name in ("e.parquet", "e.csv"):
        n = export_events(history.chunks(33), history.instruments, history.timeframes_ns, tmp_path / name)
        frame = pl.read_parquet(tmp_path / name) if name.endswith("t") else pl.read_csv(tmp_path / name)
        assert n == frame.height == 52
        assert frame["status"].drop_nulls().to_list() == ["LISTED", "DELISTED"]
        assert frame.row(1, named=True)["close"] == 100.0
        assert frame["sequence"].to_list() == list(range(52))
    with pytest.raises(ConfigError, match="unknown kind of file"):
        export_events([], [], [], tmp_path / "e.xlsx")
    assert export_events([], [], [], tmp_path / "none.parquet") == 0


def test_info(tmp_path: Path) -> None:
    import_data(block(write(tmp_path / "BTCUSD_1m.csv", bars(100))), tmp_path / "c")
    made = describe(DataBlock(str(tmp_path / "c")))
    assert made["rows"] == 100
    assert made["timeframes"] == ["1m"]
    assert made["instruments"][0]["tick_size"] == "0.01"


def test_tape_spills_to_disk_and_reads_back() -> None:
    rows = Rows(
        np.arange(1_000), *(np.random.default_rng(k).random(1_000) for k in range(5)), np.arange(1_000)
    )
    tape = Tape(Budget(1_500))
    for _ in range(3):
        tape.append(rows)
    assert tape.disk is not None
    for _ in range(2):
        back = concat_rows(list(tape))
        assert len(back) == 3_000
        assert all((a[2_000:] == b).all() for a, b in zip(back.columns(), rows.columns(), strict=True))
