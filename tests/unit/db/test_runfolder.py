"""Run folders appear whole or not at all; the catalogue finds them; the registry keeps its lines."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tradectl.db.catalogue import TOLD, find_run, list_runs
from tradectl.db.lock import common_root, place_sources
from tradectl.db.runfolder import RunFolder, json_text, remove_stale, slug
from tradectl.db.trials import TRIALS, append_trial, read_trials
from tradectl.errors import StoreError

NOON = datetime(2024, 1, 2, 12, 0, 0, tzinfo=UTC)


def make(runs: Path, name: str = "a run", digest: str = "0123456789", now: datetime = NOON) -> Path:
    folder = RunFolder(runs, name, digest, now)
    folder.write_text("summary.json", json_text(dict.fromkeys(TOLD) | {"name": name}))
    return folder.finish()


def test_a_folder_is_hidden_until_it_is_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs", "my run", "0123456789ab", NOON)
    folder.write_text("deep/er/x.txt", "x")
    folder.write_bytes("y.bin", b"y")
    assert [p.name[0] for p in (tmp_path / "runs").iterdir()] == ["."]
    assert list_runs(tmp_path / "runs") == []
    final = folder.finish()
    assert final.name == "20240102T120000Z-my-run-01234567"
    assert (final / "deep/er/x.txt").read_text() == "x"
    assert [p.name for p in (tmp_path / "runs").iterdir()] == [final.name]


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [make(tmp_path).name for _ in range(3)]
    assert names[1:] == [f"{names[0]}-2", f"{names[0]}-3"]


def test_a_run_in_the_making_holds_its_name(tmp_path: Path) -> None:
    one, two = (RunFolder(tmp_path, "x", "0" * 8, NOON) for _ in range(2))
    assert two.final.name == f"{one.final.name}-2"
    assert two.finish() == two.final
    assert one.finish() == one.final


def test_two_at_once_get_two_names(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(make(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8


def test_discard_leaves_nothing_but_never_a_finished_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "x", "0" * 8, NOON)
    folder.write_text("a", "b")
    folder.discard()
    assert list(tmp_path.iterdir()) == []
    folder = RunFolder(tmp_path, "x", "0" * 8, NOON)
    final = folder.finish()
    folder.discard()
    assert final.is_dir()


def test_only_what_a_dead_process_left_behind_is_removed(tmp_path: Path) -> None:
    alive = RunFolder(tmp_path, "alive", "0" * 8, NOON)
    young, dead, other = (tmp_path / name for name in (f".{alive.final.name}-2", f".{alive.final.name}-3", ".mine"))
    for path in (young, dead, other):
        path.mkdir()
        (path / "fills.parquet").write_text("half")
    for path in (alive.path, dead, other):
        os.utime(path, (0, 0))
    assert remove_stale(tmp_path) == [dead.name[1:]]
    assert remove_stale(tmp_path / "nowhere") == []
    assert {path.name for path in tmp_path.iterdir()} == {alive.path.name, young.name, other.name}
    alive.finish()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write runs"):
        RunFolder(tmp_path / "file" / "runs", "x", "0" * 8)


@pytest.mark.parametrize(
    ("name", "slugged"),
    [("a b/c", "a-b-c"), ("..", "run"), ("", "run"), ("naïve", "na-ve"), ("x" * 99, "x" * 48)],
)
def test_names_become_file_names(name: str, slugged: str) -> None:
    assert slug(name) == slugged


def test_json_has_null_for_what_is_no_number() -> None:
    text = json_text({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (1,)}}, indent=None)
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": {"d": [1]}}


def test_runs_are_found_by_path_name_part_and_latest(tmp_path: Path) -> None:
    first = make(tmp_path, "first", "aaaaaaaa", NOON.replace(hour=1))
    second = make(tmp_path, "second", "bbbbbbbb", NOON.replace(hour=2))
    third = make(tmp_path, "third", "cccccccc", NOON.replace(hour=3))
    assert find_run(str(first), tmp_path).path == first
    assert find_run(second.name, tmp_path).path == second
    assert find_run("20240102T02", tmp_path).path == second
    assert find_run("bbbb", tmp_path).summary["name"] == "second"
    assert find_run("latest", tmp_path).path == third
    assert [run.name for run in list_runs(tmp_path)] == [first.name, second.name, third.name]
    with pytest.raises(StoreError, match="the name of 3 runs"):
        find_run("20240102", tmp_path)
    with pytest.raises(StoreError, match=f"did you mean '{third.name}'"):
        find_run(third.name[:-4] + "cxcc", tmp_path)
    with pytest.raises(StoreError, match="no run is named"):
        find_run("", tmp_path)


def test_no_runs_and_damaged_runs_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run"):
        find_run("latest", tmp_path / "none")
    with pytest.raises(StoreError, match="no run folder"):
        find_run(str(tmp_path), tmp_path)
    run = make(tmp_path)
    (run / "summary.json").write_text("{")
    assert list_runs(tmp_path) == []
    with pytest.raises(StoreError, match="cannot be read"):
        find_run(str(run), tmp_path)


def test_trials_survive_many_writers_and_a_torn_line(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=append_trial, args=(tmp_path, {"k": k, "x": float("nan")})) for k in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trial["k"] for trial in read_trials(tmp_path)) == list(range(20))
    with (tmp_path / TRIALS).open("a") as stream:
        stream.write('{"k": 99, "torn')
    append_trial(tmp_path, {"k": 20})
    assert sorted(trial["k"] for trial in read_trials(tmp_path)) == list(range(21))
    assert read_trials(tmp_path / "none") == []


def test_sources_of_one_folder_stay_together() -> None:
    a, b, c = Path("/s/x.py"), Path("/s/y.py"), Path("/t/x.py")
    assert place_sources([[a, b], [c], [a]]) == {a: "sources/x.py", b: "sources/y.py", c: "sources/1/x.py"}


def test_the_root_of_files_folders_and_globs(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "f.csv").write_text("")
    assert common_root([str(tmp_path / "a" / "f.csv")]) == tmp_path / "a"
    assert common_root([str(tmp_path / "a" / "b")]) == tmp_path / "a" / "b"
    assert common_root([str(tmp_path / "a" / "*.csv")]) == tmp_path / "a"
    assert common_root([str(tmp_path / "a" / "b"), str(tmp_path / "a" / "f.csv")]) == tmp_path / "a"
