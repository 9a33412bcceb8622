"""A session over a replayed hub: it equals its replay, survives being killed, goes on after any end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import tradectl.cli.runner_paper as runner
from tests.paper.replayed import ROOT, EventClock, ReplayedHub, sample
from tradectl.cli.main import run as program_run
from tradectl.cli.paper_resume import read_again, restore
from tradectl.cli.paper_session import Session
from tradectl.cli.paper_table import session_notes
from tradectl.cli.runner import RunResult, run_backtest, verify_run
from tradectl.config.wire import wire
from tradectl.config.wire_data import of_meta
from tradectl.core.codes import Command, EventFlag, EventKind
from tradectl.db.catalogue import find_run
from tradectl.db.session import SessionFolder
from tradectl.engine.journal import Journal
from tradectl.engine.state import State
from tradectl.errors import DataError, FeedError, StoreError, StrategyError
from tradectl.exchanges.model import FeedNote
from tradectl.report.text import ns_of

pytestmark = pytest.mark.xdist_group("paper")


def config_file(folder: Path, **changes: Any) -> Path:
    config = yaml.safe_load((ROOT / "configs" / "market_maker.yaml").read_text())
    config["strategy"]["path"] = str(ROOT / "strategies" / "market_maker.py")
    del config["data"]
    config["feed"] = {"exchanges": {"binance": {"symbols": ["ALTSYN/USD"]}}, "snapshot": "1m", "fsync": "1s"}
    config["feed"] |= changes.pop("feed", {})
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump(config | changes))
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[ReplayedHub]:
    made = type("Hub", (ReplayedHub,), {})
    monkeypatch.setattr(runner, "Hub", made)
    monkeypatch.setattr(runner, "Clock", EventClock)
    return made


def run(
    config: Path | None, out: Path, *watches: Any, resume: Path | None = None, trades: bool = True
) -> RunResult:
    async def ends(session: Session) -> None:
        session.hub.done = lambda: session.stop("the sample is over")  # type: ignore[attr-defined]

    request = runner.PaperRequest(config, resume, out=out, trades=trades, watches=(ends, *watches))
    return runner.run_paper(request, lambda *_: None)


def test_a_session_equals_its_replay(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    result = run(config_file(tmp_path, bars=["1h"]), tmp_path / "runs")
    assert result.summary["status"] == "complete"
    assert result.summary["data"]["notes"][0].startswith("first bar of 1h is partial: data of ")
    assert result.summary["fills"] > 300
    assert result.summary["audit"]["balanced"]
    found = verify_run(result.run_dir)
    assert (found.exit_code, found.source, found.differences) == (0, "journal", ())
    moved = tmp_path / "elsewhere"
    result.run_dir.rename(moved)
    assert verify_run(moved).exit_code == 0
    assert not list(moved.glob("snapshots/0*"))
    assert not (moved / ".rows").exists()


def test_a_backtest_over_the_exported_journal_gives_the_same_bytes(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 8_000
    first = run(config_file(tmp_path), tmp_path / "runs")
    table = tmp_path / "events.parquet"
    assert program_run(["data", "export", str(first.run_dir), "--out", str(table)]) == 0
    config = yaml.safe_load((first.run_dir / "run.yaml").read_text())
    config["strategies"][0]["path"] = str(ROOT / "strategies" / "market_maker.py")
    for name, source in (("from_parquet", table), ("from_folder", first.run_dir)):
        config["data"] = [{"source": str(source), "kind": "journal"}]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        made = run_backtest(tmp_path / f"{name}.yaml", out=tmp_path / name)
        assert made.summary["state_hash"] == first.summary["state_hash"]
        assert made.summary["fills"] == first.summary["fills"] > 0
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        run_backtest(tmp_path / "from_parquet.yaml", out=tmp_path / "again")


def test_where_a_session_and_its_replay_part(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 5_000
    result = run(config_file(tmp_path), tmp_path / "runs")
    path = result.run_dir / "fills.parquet"
    fills = pl.read_parquet(path)
    row = len(fills) // 2
    changed = fills.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.col("qty_lots") + 1).otherwise(pl.col("qty_lots"))
    )
    changed.select(fills.columns).write_parquet(path)
    found = verify_run(result.run_dir)
    assert found.exit_code == 1
    told = next(one for one in found.differences if one.startswith("first divergent event"))
    number = int(told.split("number ")[1].split(", ")[0].replace(",", ""))
    stop = restore_up_to(result.run_dir, number)
    assert (stop, restore_up_to(result.run_dir, number - 1)) == (row + 1, row)
    recorded, now = (line.split("equity ")[1].split(" lots")[0] for line in told.splitlines()[1:])
    assert recorded != now


def restore_up_to(folder: Path, number: int) -> int:
    """Return the fills of a session after so many events."""
    loaded, journal = read_again(folder)
    wired = wire(loaded, opened=of_meta(journal.meta, loaded.config))
    state = State(wired.spec)
    state.fold(np.concatenate(list(journal.chunks()))[:number])
    return int(state.engine[0]["n_fills"])


def test_who_presses_ctrl_c_again_while_the_end_is_written_changes_nothing(
    tmp_path: Path, hub: type[ReplayedHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = runner.write_end

    def pressed(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # the signal is here
        return written(*args)

    monkeypatch.setattr(runner, "write_end", pressed)
    result = run(config_file(tmp_path), tmp_path / "runs")
    assert result.summary["status"] == "complete"


def test_a_recording_is_a_session_without_strategies(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 5_000
    recorded = run(config_file(tmp_path), tmp_path / "runs", trades=False)
    assert recorded.summary["orders"] == 0
    assert verify_run(recorded.run_dir).exit_code == 0
    config = yaml.safe_load((ROOT / "configs" / "market_maker.yaml").read_text())
    config["strategy"]["path"] = str(ROOT / "strategies" / "market_maker.py")
    config["data"] = {"source": str(recorded.run_dir), "kind": "journal"}
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(config))
    made = run_backtest(tmp_path / "again.yaml", out=tmp_path / "backtests")
    assert made.summary["fills"] > 50
    hub.begin = 5_000
    assert run(None, tmp_path, resume=recorded.run_dir).summary["events"] > 10_000


@pytest.mark.parametrize("burst", [1, 7, 5000])
def test_how_events_come_together_changes_no_fill(tmp_path: Path, hub: type[ReplayedHub], burst: int) -> None:
    hub.limit = 4_000
    fills = []
    for size in (16, burst):
        hub.burst = size
        result = run(config_file(tmp_path, feed={"timer": "1000h"}), tmp_path / f"runs{size}")
        fills.append(pl.read_parquet(result.run_dir / "fills.parquet"))
    assert fills[0].equals(fills[1])
    assert len(fills[0])


def test_commands_are_events(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    async def steer(session: Session) -> None:
        while session.live.events < 8_000:
            await asyncio.sleep(0)
        session.command(Command.FLATTEN)
        while session.live.events < 12_000:
            await asyncio.sleep(0)
        session.command(Command.RESUME)

    result = run(config_file(tmp_path), tmp_path / "runs", steer)
    parts = list(Journal(result.run_dir / "journal").chunks())
    events = np.concatenate(parts)
    commands = events[events["kind"] == EventKind.COMMAND]["w0"]
    assert commands.tolist() == [Command.START, Command.FLATTEN, Command.RESUME, Command.CANCEL_ALL, Command.STOP]
    assert verify_run(result.run_dir).exit_code == 0


def test_a_session_goes_on_after_its_end(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 10_000
    first = run(config_file(tmp_path), tmp_path / "runs")
    held = first.summary["balances"]
    hub.begin = 10_000
    second = run(None, tmp_path / "runs", resume=first.run_dir)
    assert second.run_dir == first.run_dir
    assert second.summary["events"] > first.summary["events"] + 10_000
    assert second.summary["balances"] != held
    assert len(second.summary["feeds"]["resumed"]) == 1
    then, now = first.summary["feeds"], second.summary["feeds"]
    for key in ("message_to_fold", "step"):
        assert now["latency"][key]["count"] > then["latency"][key]["count"] > 0
    assert (now["unnoted"], now["counts"], now["interrupted"]) == ([], {"down": 1}, 1)
    assert now["interruptions"][0]["what"] == "down"
    events = np.concatenate(list(Journal(second.run_dir / "journal").chunks()))
    assert sum(one["messages"] for one in now["channels"]) == now["lag"]["count"] == messages(events) > 10_000
    found = verify_run(second.run_dir)
    assert found.exit_code == 0, found.differences
    events = np.concatenate(list(Journal(second.run_dir / "journal").chunks()))
    assert (events["kind"] == EventKind.GAP).sum() == 1


def messages(events: Any) -> int:
    """Return the messages of market data in a journal."""
    heard = np.isin(events["kind"], (EventKind.TRADE, EventKind.DEPTH))
    return int((heard & ((events["flags"] & EventFlag.MESSAGE_END) != 0)).sum())


def test_a_session_cannot_go_on_with_damaged_notes_of_its_feeds(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 100
    result = run(config_file(tmp_path), tmp_path / "runs")
    (result.run_dir / "feeds.json").write_text("{}")
    with pytest.raises(StoreError, match=r"feeds.json is damaged") as told:
        run(None, tmp_path / "runs", resume=result.run_dir)
    assert told.value.hint.startswith("remove it")
    assert (result.run_dir / "summary.json").exists()


def test_interruptions_are_told_with_the_orders_sent_meanwhile(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    async def interrupts(session: Session) -> None:
        hub_now = session.hub
        while session.live.events < 15_000:
            await asyncio.sleep(0)
        end = session.clock.now_ns()
        start = end - 60_000_000_000
        gap = FeedNote(start, "binance", "gap", "ALTSYN/USD", "depth", "by hand", end)
        hub_now.log.interrupted(gap)
        for what, ts in (("lost", start), ("connected", end), ("stale", end + 60_000_000_000)):
            hub_now.log.note(replace(gap, what=what, ts_ns=ts, until_ns=0))

    summary = run(config_file(tmp_path), tmp_path / "runs", interrupts).summary
    feeds = summary["feeds"]
    orders = pl.read_parquet(Path(summary["run_dir"]) / "orders.parquet")["ts_submitted"].cast(pl.Int64)
    gap, lost, stale = feeds["interruptions"]
    assert (gap["until"], "until" in stale) == (lost["until"], False)
    start, end, last = map(ns_of, (gap["at"], gap["until"], stale["at"]))
    assert gap["orders"] == ((orders > start) & (orders < end)).sum() > 0
    assert stale["orders"] == (orders > last).sum() > 0  # to the end
    assert (lost["orders"], feeds["orders_meanwhile"]) == (0, gap["orders"] + stale["orders"])
    told = session_notes(summary)
    assert "connected again" not in told[0]
    assert f"{gap['orders']} orders sent meanwhile" in told[1]
    assert f"{stale['at'][11:23]} to the end stale" in told[3]
    assert session_notes({}) == []


def test_a_session_is_held_by_one_process(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 100
    result = run(config_file(tmp_path), tmp_path / "runs")
    with pytest.raises(StoreError, match="no session"):
        SessionFolder(tmp_path)
    holder = SessionFolder(result.run_dir)
    with pytest.raises(StoreError, match="running in another process"):
        run(None, tmp_path / "runs", resume=result.run_dir)
    holder.release()


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_journal_that_ends_before_a_snapshot_is_refused(
    tmp_path: Path, hub: type[ReplayedHub], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    async def dies(session: Session) -> None:
        while session.live.events < 12_000:
            await asyncio.sleep(0)
        session._fail(StoreError("as if the disk were gone"))

    with pytest.raises(StoreError):
        run(config_file(tmp_path, feed={"snapshot": "5s"}), tmp_path / "runs", dies)
    folder = next((tmp_path / "runs").glob("2*"))
    segment = next(folder.glob("journal/*.tcj"))
    if damage == "gone":
        segment.unlink()
    else:
        os.truncate(segment, 0 if damage == "empty" else 30_000)
    held = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match="cannot go on: its journal"):
        run(None, tmp_path / "runs", resume=folder)
    assert all(path.read_bytes() == content for path, content in held.items())
    with pytest.raises(StoreError, match="is a session without an end"):
        find_run("latest", tmp_path / "runs")
    with pytest.raises(StoreError, match="is a session without an end"):
        find_run(str(folder), tmp_path / "runs")


def test_another_grid_is_refused(tmp_path: Path, hub: type[ReplayedHub], monkeypatch: pytest.MonkeyPatch) -> None:
    from decimal import Decimal

    hub.limit = 100
    result = run(config_file(tmp_path), tmp_path / "runs")
    instrument, events = sample()
    other = replace(instrument, tick_size=Decimal("0.5"))
    monkeypatch.setattr("tests.paper.replayed.sample", lambda *_: (other, events))
    with pytest.raises(FeedError, match=r"tick_size of .* was 0.01, is now 0.5"):
        run(None, tmp_path / "runs", resume=result.run_dir)


def test_changed_sources_are_refused(tmp_path: Path, hub: type[ReplayedHub]) -> None:
    hub.limit = 100
    result = run(config_file(tmp_path), tmp_path / "runs")
    source = next((result.run_dir / "sources").glob("**/*.py"))
    source.write_text(source.read_text() + "\n")
    with pytest.raises(StoreError, match="is not the file that ran"):
        run(None, tmp_path / "runs", resume=result.run_dir)


RAISING = """
from tradectl.strategy import Int64, strategy

@strategy
class Raises:
    class State:
        n = Int64()

    def on_depth(ctx, p, s):
        s.n += 1
        if s.n == 100:
            raise ValueError("the hundredth")
"""


@pytest.mark.parametrize(("on_error", "status"), [(None, "complete"), ("stop", "failed")])
def test_a_strategy_that_raises(tmp_path: Path, hub: type[ReplayedHub], on_error: str | None, status: str) -> None:
    (tmp_path / "raises.py").write_text(RAISING)
    hub.limit = 2_000
    changes = {"strategy": {"path": "raises.py"}} | ({"on_strategy_error": on_error} if on_error else {})
    config = config_file(tmp_path, **changes)
    if on_error is None:
        result = run(config, tmp_path / "runs")
        folder, summary = result.run_dir, result.summary
        assert summary["disabled_strategies"][0]["strategy"] == "raises"
    else:
        with pytest.raises(StrategyError, match="raises"):
            run(config, tmp_path / "runs")
        folder = next((tmp_path / "runs").glob("2*"))
        summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == status
    assert verify_run(folder).exit_code == 0


def test_a_full_disk_ends_the_session_before_what_it_could_not_journal(
    tmp_path: Path, hub: type[ReplayedHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev

    def full(handle: int, parts: Any) -> int:
        if any(len(part) > 64 for part in parts) and full.left <= 0:  # type: ignore[attr-defined]
            raise OSError(28, os.strerror(28))
        full.left -= 1  # type: ignore[attr-defined]
        return real(handle, parts)

    full.left = 300  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(StoreError, match="No space left on device") as told:
            run(config_file(tmp_path), tmp_path / "runs")
    assert "paper --resume" in told.value.hint
    folder = next((tmp_path / "runs").glob("2*"))
    assert not (folder / "summary.json").exists()
    hub.begin = 6_000
    result = run(None, tmp_path / "runs", resume=folder)
    assert verify_run(result.run_dir).exit_code == 0


# --- kill -9


def state_of(folder: Path, snapshots: bool) -> tuple[str, int, bool]:
    """Return (hash, events, whether a snapshot was used) of a session folded up to the end of its journal."""
    held = SessionFolder(folder)
    loaded, journal = read_again(folder)
    used = held.newest() is not None
    if not snapshots:
        held.newest = lambda: None  # type: ignore[method-assign]
    begun = restore(loaded, held, journal, lambda *_: None)
    held.release()
    return begun.folded.state.hash(), begun.live.events, used


def kill_and_resume(tmp_path: Path, times: int, seed: int) -> int:
    """Kill a session at random moments; return how many resumptions began with a snapshot.

    A session that came to its own end before it was killed goes on too, but is not counted.
    """
    rng = random.Random(seed)
    config, out = config_file(tmp_path, feed={"snapshot": "5s"}), tmp_path / "runs"
    folder, used, killed = "", 0, 0
    stamps = sample()[1]["ts_recv"]
    for _attempt in range(2 * times + 1):
        begin = 0
        if folder:
            journal = Journal(Path(folder) / "journal", recover=True)
            last = max((int(part["ts_recv"].max()) for part in journal.chunks()), default=0)
            begin = int(np.searchsorted(stamps, last, "right"))
            begin = min(begin, len(stamps) - 2_000)
        command = [sys.executable, "-m", "tests.paper.child", str(config), str(out), folder, str(begin)]
        before = size_of(out)
        child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        if killed < times:
            while size_of(out) == before and child.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.25))
            child.send_signal(signal.SIGKILL)
        _, errors = child.communicate(timeout=300)
        folder = str(next(out.glob("2*")))
        if child.returncode != -signal.SIGKILL:
            assert child.returncode == 0, errors.decode()
            if killed == times:
                break
            continue
        killed += 1
        quick, slow = state_of(Path(folder), True), state_of(Path(folder), False)
        assert quick[:2] == slow[:2]
        used += quick[2]
    assert killed == times
    found = verify_run(folder)
    assert found.exit_code == 0, found.differences
    feeds = json.loads((Path(folder) / "summary.json").read_text())["feeds"]
    events = np.concatenate(list(Journal(Path(folder) / "journal").chunks()))
    assert feeds["counts"]["down"] == feeds["interrupted"] == (events["kind"] == EventKind.GAP).sum() >= times
    assert sum(one["messages"] for one in feeds["channels"]) == feeds["lag"]["count"] == messages(events)
    assert feeds["unnoted"]
    return used


def size_of(out: Path) -> int:
    return sum(path.stat().st_size for path in out.glob("2*/journal/*.tcj"))


def test_a_killed_session_goes_on_as_it_was(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, times=4, seed=1)


@pytest.mark.proof
def test_a_hundred_kills(tmp_path: Path) -> None:
    used = kill_and_resume(tmp_path, times=100, seed=2)
    assert used > 50
