"""A backtest from a checked configuration to a whole run folder."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tradectl.cli.runner import Progress, RunResult
from tradectl.cli.runner_fold import Folded, start_fold
from tradectl.cli.runner_summary import error_of, refusals, scenario_of, summarise
from tradectl.cli.runner_write import write_inputs, write_results, write_rows
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_data import places_of
from tradectl.core.codes import PathRule
from tradectl.db.lock import data_lock
from tradectl.db.runfolder import RunFolder, json_text, remove_stale
from tradectl.db.trials import append_trial
from tradectl.engine.host import fold_all
from tradectl.engine.host_watchdog import Hang
from tradectl.engine.journal import JournalWriter
from tradectl.engine.state import State
from tradectl.errors import ConfigError, DataError, StrategyError, TradectlError

__all__ = ["Request", "execute", "runs_folder"]

SCENARIOS = {"adverse": PathRule.ADVERSE, "favourable": PathRule.FAVOURABLE}


@dataclass(frozen=True)
class Request:
    """How a configuration is run: runs folder, journal, progress, start of the clock, time spent importing."""

    out: Path | None
    journal: bool
    progress: Progress
    start: float
    import_s: float


class Hashes(threading.Thread):
    """Hashes the data while the fold runs (hashing and compiled code both let go of the interpreter)."""

    def __init__(self, sources: list[str], paths: list[Path]) -> None:
        super().__init__(name="hashes", daemon=True)
        self._places = (sources, paths)
        self._made: dict[str, Any] = {}
        self._error: BaseException | None = None

    def run(self) -> None:
        """Hash; what goes wrong is told by `result`."""
        try:
            self._made = data_lock(*self._places)
        except BaseException as error:
            self._error = error

    def result(self) -> dict[str, Any]:
        """Wait; return what `data_lock` gives."""
        self.join()
        if isinstance(self._error, OSError):
            raise DataError(f"the data cannot be read any more: {self._error}") from self._error
        if self._error is not None:
            raise self._error
        return self._made


@dataclass(repr=False)
class Work:
    """A run in the making."""

    loaded: Loaded
    request: Request
    wired: Wired
    folder: RunFolder
    folded: Folded
    hashes: Hashes
    config_s: float
    journal: JournalWriter | None = None
    timing: dict[str, float] = field(default_factory=dict)
    scenarios: dict[str, Any] = field(default_factory=dict)
    execution: dict[str, Any] | None = None  # of runs on tick data


def runs_folder(loaded: Loaded, out: Path | None) -> Path:
    """Return the folder of run folders: the option, else the config's, else ./runs."""
    if out is not None:
        return out
    if loaded.config.output.dir is not None:
        return loaded.path.resolve().parent / Path(loaded.config.output.dir).expanduser()
    return Path("runs")


def sources_of(loaded: Loaded) -> list[list[str]]:
    """Return the data sources of each block as absolute places."""
    return [places_of(block, loaded.path.resolve().parent) for block in loaded.config.data]


def execute(loaded: Loaded, request: Request) -> RunResult:
    """Wire, fold, fold the scenarios, write, audit; see `runner.run_backtest`."""
    config_s = time.perf_counter() - request.start - request.import_s
    if not loaded.config.data:
        raise ConfigError(
            f"{loaded.path}: a backtest needs history, and there is no block `data`",
            hint="`tradectl paper` runs on the block `feed`; `tradectl data record` makes history of it",
        )
    rows = 0

    def surveyed(more: int) -> None:
        nonlocal rows
        rows += more
        request.progress("load", rows, None)

    stages = {"data": "load", "compile": "compile"}
    wired = wire(loaded, lambda what: request.progress(stages[what], 0, None), surveyed)
    runs = runs_folder(loaded, request.out)
    removed = tuple(remove_stale(runs))
    folder = RunFolder(runs, loaded.config.name, loaded.hash())
    try:
        hashes = Hashes([one for block in sources_of(loaded) for one in block], list(wired.data.paths))
        hashes.start()
        folded = start_fold(wired, folder.path / ".spool")
        work = Work(loaded, request, wired, folder, folded, hashes, config_s)
        _fold(work)
        return replace(_finish(work), removed=removed)
    except BaseException:
        folder.discard()
        raise


def _fold(work: Work) -> None:
    """Fold the base run, then the scenarios where they are wanted and the base met ambiguous bars."""
    start = time.perf_counter()
    if work.request.journal or work.wired.config.output.journal:
        work.journal = JournalWriter(work.folder.path / "journal", work.wired.data.meta())
    work.folded.run(work.request.progress, work.journal, lambda hang: _hung(work, hang))
    if work.journal is not None:
        work.journal.close()
    work.timing["run_s"] = time.perf_counter() - start
    base = scenario_of(work.folded.state, work.folded.days.initial_atoms)
    work.scenarios = {"adverse": base, "base": base, "favourable": base}
    wanted = work.wired.config.execution.scenarios and base["ambiguous_bars"] > 0
    if wanted and work.folded.outcome.status == "complete":
        try:
            _fold_scenarios(work)
        except KeyboardInterrupt:
            work.folded.outcome.status = "interrupted"


def _fold_scenarios(work: Work) -> None:
    start = time.perf_counter()
    spec = work.wired.spec.without_plots()
    states = [
        State(replace(spec, execution=replace(spec.execution, path=rule))) for rule in SCENARIOS.values()
    ]
    total, done = work.wired.data.total_rows, 0

    def told() -> Any:
        nonlocal done
        for events in work.folded.chunks():
            yield events
            done += len(events)
            work.request.progress("scenarios", done, total)

    outcomes = fold_all(states, told(), commands=not work.wired.data.whole)
    for name, state, outcome in zip(SCENARIOS, states, outcomes, strict=True):
        failed = {"error": error_of(outcome.error)} if outcome.error is not None else {}
        work.scenarios[name] = scenario_of(state, work.folded.days.initial_atoms) | failed
    work.timing["scenarios_s"] = time.perf_counter() - start


def _finish(work: Work) -> RunResult:
    """Write everything, audit the fills on disk, give the folder its name; raise what stopped the run."""
    start = time.perf_counter()
    work.request.progress("write", 0, None)
    folded, folder = work.folded, work.folder
    audit, work.execution = write_results(folder, folded)
    lock = _write_inputs(work)
    folded.spool.close()
    folder.sync()
    work.timing["write_s"] = time.perf_counter() - start
    summary = _write_summary(work, audit, lock)
    path = folder.finish()
    outcome = folded.outcome
    if outcome.error is not None:
        outcome.error.hint = "\n  ".join(
            filter(None, (outcome.error.hint, f"the run is kept as failed: {path}"))
        )
        raise outcome.error
    if outcome.status == "interrupted":
        raise KeyboardInterrupt(str(path))
    trial = trial_of(work.wired, folded.days.returns(), lock, summary)
    if trial is not None:
        append_trial(path.parent, {"run": path.name, **trial})
    return RunResult(path, summary)


def _write_inputs(work: Work) -> dict[str, Any]:
    return write_inputs(work.folder, work.loaded, work.wired, sources_of(work.loaded), work.hashes.result())


def _write_summary(work: Work, audit: dict[str, Any], lock: dict[str, Any] | None) -> dict[str, Any]:
    timings, request = work.wired.timings, work.request
    run_s = work.timing["run_s"]
    timing = {
        "import_s": request.import_s,
        "load_s": timings.load_s + work.config_s,
        "compile_s": timings.compile_s,
        **work.timing,
        "total_s": time.perf_counter() - request.start,
    }
    extra = {
        "refusals": refusals(work.folder.path / "orders.parquet"),
        "config_hash": work.loaded.hash(),
        "data_hash": lock["data"]["hash"] if lock is not None else None,
        "scenarios": work.scenarios,
        "audit": audit,
        "execution": work.execution,
        "timing": {name: round(value, 6) for name, value in timing.items()},
        "compile_cached": timings.was_cached,
        "events_per_s": round(work.folded.outcome.events / run_s) if run_s > 0 else None,
    }
    summary = summarise(work.folded, extra)
    summary["run_dir"] = str(work.folder.final)
    text = json_text(summary)
    work.folder.write_text("summary.json", text)
    import json

    return dict(json.loads(text))


def trial_of(wired: Wired, returns: Any, lock: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the trial registry keeps of a run; None where its daily returns give no Sharpe ratio."""
    made = moments(returns)
    if not made["std"] > 0.0:
        return None
    return {
        "time": lock["created"],
        "config_hash": lock["config"]["hash"],
        "data_hash": lock["data"]["hash"],
        "family": sorted({one.name for one in wired.loaded}),
        "symbols": sorted({one.symbol for one in wired.spec.instruments}),
        "params": [one.params for one in wired.loaded],
        "returns": made,
        "total_return": summary["total_return"],
        "sharpe": summary["sharpe"],
    }


def moments(returns: Any) -> dict[str, float]:
    """Return count, mean, standard deviation (n − 1), skewness and kurtosis (of the population) of daily returns."""
    n = len(returns)
    mean = float(returns.mean()) if n else float("nan")
    centred = returns - mean
    spread = float((centred**2).mean()) ** 0.5 if n else 0.0
    if n < 2 or not spread > 0.0:
        return {"n": n, "mean": mean, "std": 0.0, "skew": float("nan"), "kurtosis": float("nan")}
    return {
        "n": n,
        "mean": mean,
        "std": float(returns.std(ddof=1)),
        "skew": float((centred**3).mean()) / spread**3,
        "kurtosis": float((centred**4).mean()) / spread**4,
    }


def _hung(work: Work, hang: Hang) -> None:
    """Keep what there is as a failed run and end the process: compiled code in a loop cannot be stopped."""
    message = str(hang)
    try:
        error = StrategyError(message)
        folded = work.folded
        folded.outcome.status, folded.outcome.error = "failed", error
        folded.outcome.events = hang.event
        for kind, rows in folded.state.drain().items():
            if len(rows):
                folded.rows(kind, rows)
        work.timing["run_s"] = 0.0
        with ThreadPoolExecutor(1) as writer:
            write_rows(work.folder, folded, writer).result()
        folded.spool.close()
        lock = _write_inputs(work)
        summary = _write_summary(work, {"balanced": None, "fills": None}, lock)
        summary["error"]["hang"] = True
        work.folder.write_text("summary.json", json_text(summary))
        message += f"\n  the run is kept as failed: {work.folder.finish()}"
    except (TradectlError, OSError) as error:
        message += f"\n  the run could not be kept: {error}"
        work.folder.discard()
    finally:
        os.write(2, f"error: {message}\n".encode())
        os._exit(StrategyError.exit_code)
