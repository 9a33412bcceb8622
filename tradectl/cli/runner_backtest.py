"""A backtest from a checked configuration to a whole run folder."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.cli.runner import Progress, RunResult
from tradectl.cli.runner_execution import has_ticks, measure_execution
from tradectl.cli.runner_fold import Folded, ledger_rows, start_fold
from tradectl.cli.runner_summary import error_of, refusals, scenario_of, summarise
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_data import places_of
from tradectl.core.codes import PathRule
from tradectl.db.audit import Market, audit_fills
from tradectl.db.lock import data_lock, machine, place_sources, versions
from tradectl.db.parquet import write_frame, write_tables
from tradectl.db.runfolder import RunFolder, json_text, remove_stale
from tradectl.db.snapshot import snapshot_bytes
from tradectl.db.tables import Names, positions_table
from tradectl.db.trials import append_trial
from tradectl.engine.host import fold_all
from tradectl.engine.host_watchdog import Hang
from tradectl.engine.journal import JournalWriter
from tradectl.engine.state import State
from tradectl.errors import DataError, InvariantViolation, StrategyError, TradectlError

__all__ = ["Request", "execute", "markets_of", "sources_of"]

SCENARIOS = {"adverse": PathRule.ADVERSE, "favourable": PathRule.FAVOURABLE}
SCHEMA = 1  # of lock.json and summary.json


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


def markets_of(state: State) -> list[Market]:
    """Return what the second audit knows of the instruments."""
    return [
        Market(
            one.id, one.quote, one.base, one.tick_size, one.lot_size,
            limits.maker_nano, limits.taker_nano,
            int(state.markets[k]["twice_mark"]) or 2 * int(state.markets[k]["last"]),
        )
        for k, (one, limits) in enumerate(zip(state.spec.instruments, state.spec.limits, strict=True))
    ]  # fmt: skip


def execute(loaded: Loaded, request: Request) -> RunResult:
    """Wire, fold, fold the scenarios, write, audit; see `runner.run_backtest`."""
    config_s = time.perf_counter() - request.start - request.import_s
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
    base = scenario_of(work.folded.state)
    work.scenarios = {"adverse": base, "base": base, "favourable": base}
    wanted = work.wired.config.execution.scenarios and base["ambiguous_bars"] > 0
    if wanted and work.folded.outcome.status == "complete":
        try:
            _fold_scenarios(work)
        except KeyboardInterrupt:
            work.folded.outcome.status = "interrupted"


def _fold_scenarios(work: Work) -> None:
    start = time.perf_counter()
    spec = work.wired.spec
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
        work.scenarios[name] = scenario_of(state) | failed
    work.timing["scenarios_s"] = time.perf_counter() - start


def _finish(work: Work) -> RunResult:
    """Write everything, audit the fills on disk, give the folder its name; raise what stopped the run."""
    start = time.perf_counter()
    work.request.progress("write", 0, None)
    folded, folder = work.folded, work.folder
    with ThreadPoolExecutor(1) as writer:  # the long tables are written while the fills are audited
        rest = _write_rows(work, writer)
        audit = _audit(work)
        lock = _write_inputs(work)
        rest.result()
    if has_ticks(folded.state):
        balanced = bool(audit["balanced"])
        work.execution = measure_execution(folder.path, folded, markets_of(folded.state), balanced)
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
    append_trial(path.parent, _trial(work, path, lock, summary))
    return RunResult(path, summary)


def _audit(work: Work) -> dict[str, Any]:
    """Audit the fills on disk; only a fold that a full store stopped in mid-event may fail it."""
    folded = work.folded
    final = int(folded.state.engine[0]["equity_atoms"])
    audit = {"balanced": True, "fills": 0, "currencies": len(folded.outcome.balances)}
    try:
        audit["fills"] = audit_fills(work.folder.path, markets_of(folded.state), ledger_rows(folded), final)
    except InvariantViolation:
        if folded.outcome.error is None or isinstance(folded.outcome.error, StrategyError):
            raise
        audit["balanced"] = False
    return audit


def _write_rows(work: Work, writer: Executor) -> Future[None]:
    """Write fills, positions and the final state; return the writing of orders and equity."""
    folded, folder = work.folded, work.folder
    names = Names.of(folded.state)
    write_tables(folded.spool, names, folder.path, ["fills"])
    rest = writer.submit(write_tables, folded.spool, names, folder.path, ["orders", "equity", "markouts"])
    write_frame(positions_table(folded.state), folder.path / "positions.parquet")
    folder.write_bytes("snapshots/final.tcs", snapshot_bytes(folded.state))
    return rest


def _write_inputs(work: Work) -> dict[str, Any]:
    """Write sources, run.yaml and lock.json; return the lock."""
    import yaml

    folder, wired = work.folder, work.wired
    places = place_sources([one.sources for one in wired.loaded])
    contents = {place: path.read_bytes() for path, place in places.items()}
    for place, content in contents.items():
        folder.write_bytes(place, content)
    resolved = work.loaded.resolved()
    for block, one in zip(resolved["strategies"], wired.loaded, strict=True):
        _, colon, name = str(block["path"]).rpartition(".py:")
        block["path"] = places[one.path] + (f":{name}" if colon else "")
    for block, sources in zip(resolved["data"], sources_of(work.loaded), strict=True):
        block["source"] = sources
    resolved.get("output", {}).pop("dir", None)
    resolved["on_strategy_error"] = wired.config.on_strategy_error or "stop"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(resolved, Dumper=dumper, sort_keys=False, allow_unicode=True)
    folder.write_text("run.yaml", text)
    lock = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": machine(),
        "seed": wired.config.seed,
        "config": {
            "path": str(work.loaded.path.resolve()),
            "hash": work.loaded.hash(),
            "run_yaml": _digest(text.encode()),
        },
        "sources": {
            place: {"path": str(path), "blake2b": _digest(contents[place])} for path, place in places.items()
        },
        "data": work.hashes.result(),
        "journal": work.journal.events if work.journal is not None else None,
    }
    folder.write_text("lock.json", json_text(lock))
    return lock


def _digest(content: bytes) -> str:
    from hashlib import blake2b

    return blake2b(content, digest_size=16).hexdigest()


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


def _trial(work: Work, path: Path, lock: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """Return this run's line in the trial registry."""
    returns = work.folded.days.returns()
    return {
        "time": lock["created"],
        "run": path.name,
        "config_hash": lock["config"]["hash"],
        "data_hash": lock["data"]["hash"],
        "family": sorted({one.name for one in work.wired.loaded}),
        "params": [one.params for one in work.wired.loaded],
        "returns": moments(returns),
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
            _write_rows(work, writer).result()
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
