"""A journal replays to the same last byte, however it is cut; `verify` sees every kind of tampering."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.parity.helpers import small_run, write_bars, write_config
from tradectl.cli.runner import RunResult, run_backtest, verify_run
from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.engine.host import Host
from tradectl.engine.journal import Journal
from tradectl.engine.state import State
from tradectl.errors import DataError, StoreError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("parity")
    return folder, small_run(folder, journal=True)


@pytest.fixture
def copied(made: tuple[Path, RunResult], tmp_path: Path) -> Path:
    """Return a copy of the run folder that may be damaged."""
    return Path(shutil.copytree(made[1].run_dir, tmp_path / "copy"))


class Nothing:
    def rows(self, kind: str, rows: object) -> None:
        """Drop rows."""


def test_the_run_is_worth_comparing(made: tuple[Path, RunResult]) -> None:
    summary = made[1].summary
    assert summary["fills"] > 100
    assert summary["audit"]["balanced"]
    assert summary["audit"]["fills"] == summary["fills"]
    assert summary["ambiguous_bars"] > 0
    ends = [summary["scenarios"][name]["final_equity"] for name in ("adverse", "base", "favourable")]
    assert ends[0] <= ends[1] <= ends[2]
    assert ends[0] < ends[2]


@pytest.mark.parametrize("chunk", [1, 7, 1000, 65_536])
def test_a_journal_gives_the_same_state_in_any_slicing(made: tuple[Path, RunResult], chunk: int) -> None:
    folder, result = made
    config = write_config(folder / "replay", data={"kind": "journal", "source": str(result.run_dir)})
    wired = wire(load_config(config, env={}))
    state = State(wired.spec)
    Host(state, Nothing(), commands=False).run(wired.chunks(chunk))
    assert state.hash() == result.summary["state_hash"]


def test_random_cuts_give_the_same_state(made: tuple[Path, RunResult]) -> None:
    folder, result = made
    config = write_config(folder / "cuts", data={"kind": "journal", "source": str(result.run_dir)})
    wired = wire(load_config(config, env={}))
    events = np.concatenate(list(wired.chunks(65_536)))
    for seed in range(5):
        cuts = np.sort(np.random.default_rng(seed).integers(0, len(events), 40))

        def pieces(cuts: np.ndarray = cuts) -> Iterator[np.ndarray]:
            yield from np.split(events, cuts)

        state = State(wired.spec)
        Host(state, Nothing(), commands=False).run(pieces())
        assert state.hash() == result.summary["state_hash"]


def test_a_journal_is_a_data_source(made: tuple[Path, RunResult]) -> None:
    folder, result = made
    config = write_config(folder / "source", data={"kind": "journal", "source": str(result.run_dir)})
    again = run_backtest(config, out=folder / "source" / "runs")
    assert again.summary["state_hash"] == result.summary["state_hash"]
    assert again.summary["events"] == result.summary["events"]
    for table in ("orders", "fills", "equity", "positions"):
        then, now = (pl.read_parquet(r.run_dir / f"{table}.parquet") for r in (result, again))
        assert then.equals(now)
    assert verify_run(again.run_dir).exit_code == 0


def test_the_chunk_size_changes_nothing(made: tuple[Path, RunResult]) -> None:
    folder, result = made
    again = small_run(folder, engine={"chunk": 13})
    assert again.summary["state_hash"] == result.summary["state_hash"]


def test_verify_finds_a_run_identical(made: tuple[Path, RunResult]) -> None:
    found = verify_run(made[1].run_dir)
    assert (found.exit_code, found.identical, found.source) == (0, True, "data")
    assert found.state_hash == made[1].summary["state_hash"]
    assert "identical" in found.text()
    assert found.to_dict()["first_difference"] is None


def test_verify_by_the_journal_where_the_data_is_gone(made: tuple[Path, RunResult], copied: Path) -> None:
    folder, _ = made
    bars = folder / "bars"
    bars.rename(folder / "elsewhere")
    try:
        assert verify_run(copied).source == "journal"
        assert verify_run(copied).exit_code == 0
        shutil.rmtree(copied / "journal")
        with pytest.raises(DataError, match="missing"):
            verify_run(copied)
        found = verify_run(copied, [folder / "elsewhere"])
        assert (found.exit_code, found.source) == (0, "data")
    finally:
        (folder / "elsewhere").rename(bars)


def test_verify_knows_renamed_data_by_its_content(
    made: tuple[Path, RunResult], copied: Path, tmp_path: Path
) -> None:
    """The symbols came from the names AAAUSD.csv and BBBUSD.csv: those of the lock still say them."""
    (tmp_path / "one").mkdir()
    first = Path(shutil.copy(made[0] / "bars" / "AAAUSD.csv", tmp_path / "one" / "first.txt"))
    second = Path(shutil.copy(made[0] / "bars" / "BBBUSD.csv", tmp_path / "AAAUSD.csv"))
    for places in ([first, second], [tmp_path], [tmp_path / "*.csv", first], [tmp_path / "**" / "*"]):
        found = verify_run(copied, places)
        assert (found.exit_code, found.source) == (0, "data"), found.text()
    with pytest.raises(DataError, match=r"missing: BBBUSD\.csv is not in .*first\.txt"):
        verify_run(copied, [first, first.parent])
    with pytest.raises(DataError, match="no file matches"):
        verify_run(copied, [tmp_path / "*.parquet"])
    with pytest.raises(DataError, match=r"has changed: .*other/BBBUSD\.csv"):
        verify_run(copied, [first, write_bars(tmp_path / "other" / "BBBUSD.csv", n=5)])


@pytest.mark.parametrize(
    ("table", "column"),
    [("fills", "price_ticks"), ("fills", "ambiguous"), ("orders", "status"), ("equity", "equity_atoms"),
     ("positions", "cost_atoms"), ("orders", "reason")],
)  # fmt: skip
def test_verify_names_a_changed_row(copied: Path, table: str, column: str) -> None:
    path = copied / f"{table}.parquet"
    frame = pl.read_parquet(path)
    row = frame.height // 2
    mask = pl.int_range(pl.len()) == row
    other = frame[column].unique().to_list()
    value = frame[column][row]
    new = next((o for o in other if o != value), None)
    new = value + 1 if isinstance(value, int) and not isinstance(value, bool) else new
    frame.with_columns(
        pl.when(mask).then(pl.lit(new, dtype=frame.schema[column])).otherwise(pl.col(column)).alias(column)
    ).write_parquet(path)
    found = verify_run(copied)
    assert found.exit_code == 1
    assert not found.identical
    assert found.differences[0].startswith(f"{table}, row {row:,}")
    assert f"{column} was" in found.differences[0]


def test_verify_notices_a_row_that_is_gone(copied: Path) -> None:
    path = copied / "fills.parquet"
    pl.read_parquet(path)[:-1].write_parquet(path)
    assert "number of rows" in verify_run(copied).differences[0]


def test_verify_notices_a_changed_summary(copied: Path) -> None:
    path = copied / "summary.json"
    summary = json.loads(path.read_text())
    summary["state_hash"] = "0" * 32
    path.write_text(json.dumps(summary))
    assert "state_hash" in verify_run(copied).differences[0]


def test_verify_notices_changed_data(made: tuple[Path, RunResult], copied: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(made[0] / "bars", tmp_path / "bars"))
    path = data / "AAAUSD.csv"
    text = path.read_text()
    path.write_text(text[:-3] + "9" + text[-2:])
    with pytest.raises(DataError, match=r"has changed.*AAAUSD\.csv") as caught:
        verify_run(copied, [data])
    assert caught.value.exit_code == 3


def test_verify_notices_changed_source_and_settings(copied: Path) -> None:
    source = copied / "sources" / "rsi_reversion.py"
    source.write_text(source.read_text() + "\n# changed\n")
    found = verify_run(copied)
    assert found.exit_code == 1
    assert "sources/rsi_reversion.py" in found.differences[0]


def test_verify_notices_changed_settings(copied: Path) -> None:
    path = copied / "run.yaml"
    path.write_text(path.read_text().replace("balance: 100000", "balance: 100001"))
    found = verify_run(copied)
    assert found.exit_code == 1
    assert "run.yaml" in found.differences[0]


def test_verify_says_where_versions_differ(copied: Path) -> None:
    path = copied / "lock.json"
    lock = json.loads(path.read_text())
    lock["versions"]["numpy"] = "1.0"
    path.write_text(json.dumps(lock))
    found = verify_run(copied)
    assert (found.exit_code, found.identical) == (7, True)
    assert "numpy was 1.0" in found.text()


def test_verify_refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        verify_run(tmp_path)


def test_the_journal_holds_start_and_stop(made: tuple[Path, RunResult]) -> None:
    journal = Journal(made[1].run_dir / "journal")
    events = np.concatenate(list(journal.chunks()))
    assert len(events) == made[1].summary["events"]
    assert events["kind"][[0, -1]].tolist() == [12, 12]
    assert events["w0"][[0, -1]].tolist() == [1, 2]


def test_a_source_above_the_config_is_locked_by_its_place_below_the_root(tmp_path: Path) -> None:
    write_bars(tmp_path / "bars" / "deep" / "AAAUSD.csv", n=50)
    data = {"source": "../bars", "timeframe": "1m", "symbols": ["AAA/USD"]}
    path = write_config(tmp_path / "configs", data=data, instruments=None)
    run = run_backtest(path, out=tmp_path / "runs").run_dir
    lock = json.loads((run / "lock.json").read_text())["data"]
    assert (lock["root"], list(lock["files"])) == (str(tmp_path / "bars"), ["deep/AAAUSD.csv"])
    assert verify_run(run).exit_code == 0
