"""`verify`: a run folder is folded again from its own contents, and every row compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tradectl.cli.runner import Progress, VerifyResult
from tradectl.cli.runner_data import find_data
from tradectl.cli.runner_diverge import divergence
from tradectl.cli.runner_fold import Folded, ledger_rows, start_fold
from tradectl.config.load import Loaded, load_text
from tradectl.config.wire import wire
from tradectl.db.catalogue import Run, open_run
from tradectl.db.compare import compare_tables
from tradectl.db.lock import differing_versions
from tradectl.db.snapshot import SNAPSHOT, snapshot_bytes
from tradectl.db.tables import Names, positions_table
from tradectl.engine.journal import META
from tradectl.errors import ConfigError, DataError, StoreError, StrategyError

__all__ = ["changed_sources", "load_again", "refuse_hang", "settings_of_run", "verify"]

IDENTICAL, DIFFERS, VERSIONS = 0, 1, 7
COUNTS = (
    "events",
    "bars",
    "orders",
    "fills",
    "denied",
    "rejected",
    "trades",
    "ambiguous_bars",
    "synthetic_bars",
    "strategy_errors",
)


def verify(path: Path, data: Sequence[str], progress: Progress) -> VerifyResult:
    """Return what comparing found; DataError where the input is missing or is not what the run read.

    `data` are the places where the input is now; none: where it was.
    """
    with tempfile.TemporaryDirectory(prefix="tradectl-verify-") as scratch:
        return _verify(path, data, progress, Path(scratch))


def _verify(path: Path, data: Sequence[str], progress: Progress, scratch: Path) -> VerifyResult:
    run = open_run(path)
    if run.summary.get("status") == "interrupted":
        raise StoreError(f"{path} was interrupted: it has no end to compare with")
    refuse_hang(run)
    lock = run.lock()
    found = changed_sources(run, lock)
    loaded, source = load_again(run, lock, data, scratch / "data")
    progress("load", 0, None)
    try:
        wired = wire(loaded, lambda what: progress("compile" if what == "compile" else "load", 0, None))
    except StrategyError as error:
        if not found:
            raise
        return VerifyResult(path, DIFFERS, False, (*found, f"what stands there does not run: {error}"), source=source)
    folded = start_fold(wired, scratch / "spool")
    folded.run(progress)
    tables = list(compare_tables(run.path, folded.spool, Names.of(folded.state), positions_table(folded.state)))
    parted = divergence(run.path, wired, tables)
    found += [str(one) for one in tables] + ([parted] if parted else []) + _differences(run, folded)
    rows = sum(folded.spool.counts.values())
    folded.spool.close()
    versions = differing_versions(lock)
    code = VERSIONS if versions else DIFFERS if found else IDENTICAL
    return VerifyResult(path, code, not found, tuple(found), versions, folded.state.hash(), rows, source)


def _differences(run: Run, folded: Folded) -> list[str]:
    """Return the differences of the figures and the state."""
    found = []
    snapshot = run.path / SNAPSHOT
    if not snapshot.is_file():
        found.append(f"{SNAPSHOT} is missing")
    elif snapshot.read_bytes() != snapshot_bytes(folded.state):
        found.append(f"{SNAPSHOT} is not the state in which the run ends")
    engine = folded.state.engine[0]
    now: dict[str, Any] = {
        "status": folded.outcome.status,
        "events": folded.outcome.events,
        "strategy_errors": int(folded.state.strategies["n_errors"].sum()),
        "ambiguous_bars": int(engine["n_ambiguous"]),
        "synthetic_bars": int(engine["n_synthetic"]),
    }
    now |= {name: int(engine[f"n_{name}"]) for name in COUNTS if name not in now}
    now |= {"balances": ledger_rows(folded), "state_hash": folded.state.hash()}
    for name, value in now.items():
        if run.summary.get(name) != value:
            found.append(f"summary.json: {name} was {run.summary.get(name)}, is now {value}")
    return found


def refuse_hang(run: Run) -> None:
    """Raise StoreError for a run that the watchdog ended."""
    if (run.summary.get("error") or {}).get("hang"):
        raise StoreError(f"{run.path} was ended by the watchdog: folding it again would not end either")


def changed_sources(run: Run, lock: dict[str, Any]) -> list[str]:
    """Return what is no longer the file that ran: sources and settings."""
    found = []
    wanted = {place: about["blake2b"] for place, about in lock["sources"].items()}
    for place, digest in {**wanted, "run.yaml": lock["config"]["run_yaml"]}.items():
        path = run.path / place
        if not path.is_file():
            raise StoreError(f"{run.path} has no {place}")
        if blake2b(path.read_bytes(), digest_size=16).hexdigest() != digest:
            found.append(f"{place} is not the file that ran (its hash differs from lock.json)")
    return found


def load_again(run: Run, lock: dict[str, Any], data: Sequence[str], scratch: Path) -> tuple[Loaded, str]:
    """Return (the run's configuration with its input's places as they are now, `data` or `journal`)."""
    import yaml

    path = run.path / "run.yaml"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        blocks = raw["data"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error
    if lock["data"].get("source") == "journal":  # a live session: its journal is its data
        return settings_of_run(run, path.read_text(encoding="utf-8")), "journal"
    root, fault = find_data(lock["data"], data, scratch)
    source = "data"
    if not fault:
        for block in blocks:
            block["source"] = [_moved(one, lock["data"]["root"], root) for one in block["source"]]
    elif not data and "is missing" in fault and (run.path / "journal" / META).is_file():
        raw["data"] = [{"source": [str(run.path.resolve() / "journal")], "kind": "journal"}]
        source = "journal"
    else:
        raise DataError(fault, hint="--data PATH says where the data is now")
    return settings_of_run(run, yaml.safe_dump(raw, sort_keys=False)), source


def settings_of_run(run: Run, text: str) -> Loaded:
    """Return the text of a run's run.yaml as a checked configuration; the environment has no say in it."""
    path = run.path / "run.yaml"
    try:
        return load_text(text, path.resolve(), env={})
    except ConfigError as error:
        raise StoreError(f"{path} is not a configuration of this version: {error.message}") from error


def _moved(place: str, old: str, new: Path) -> str:
    """Return where a source is now that the folder `new` stands for `old`."""
    return str(new / Path(place).relative_to(old))
