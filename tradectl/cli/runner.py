"""What the commands `backtest` and `verify` do, without printing; heavy imports happen on the first call."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Progress", "RunResult", "VerifyResult", "explain_order", "run_backtest", "verify_run"]

Progress = Callable[[str, int, int | None], None]  # stage, done, total


@dataclass(frozen=True)
class RunResult:
    """A finished run: where it lies, and its summary as in summary.json."""

    run_dir: Path
    summary: dict[str, Any]
    removed: tuple[str, ...] = ()  # unfinished runs of processes that are gone


@dataclass(frozen=True)
class VerifyResult:
    """What `verify` found; `exit_code` 0 identical, 1 differs, 3 data missing, 7 versions differ."""

    run_dir: Path
    exit_code: int
    identical: bool
    differences: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    state_hash: str = ""
    rows: int = 0
    source: str = "data"  # data | journal

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run_dir": str(self.run_dir),
            "identical": self.identical,
            "exit_code": self.exit_code,
            "first_difference": self.differences[0] if self.differences else None,
            "differences": list(self.differences),
            "versions": {name: list(pair) for name, pair in self.versions.items()},
            "state_hash": self.state_hash,
            "rows": self.rows,
            "source": self.source,
        }

    def text(self) -> str:
        """Return it for people."""
        lines = [f"{name} was {then}, is now {now}" for name, (then, now) in self.versions.items()]
        if self.identical:
            equal = f"{self.rows:,} rows and the state {self.state_hash}"
            lines.append(f"identical: {equal}, from its {self.source} ({self.run_dir.name})")
        elif self.differences:
            lines += [f"differs: {one}" for one in self.differences]
        return "\n".join(lines)


def _silent(_stage: str, _done: int = 0, _total: int | None = None) -> None:
    return None


def run_backtest(
    config_path: Path | str,
    sets: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    out: Path | None = None,
    journal: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Run one configuration and write its run folder under `out` (else the config's `output.dir`, else ./runs).

    Errors before the fold leave no folder. A strategy that raises, a full store or Ctrl-C leave a whole
    folder marked `failed` or `interrupted`; then the error, or KeyboardInterrupt, is raised.
    """
    start = time.perf_counter()
    gc.disable()  # a fifth of the time of importing is collections that find nothing
    try:
        from tradectl.cli.runner_backtest import Request, execute
        from tradectl.config.load import load_config
    finally:
        gc.enable()
    gc.freeze()
    import_s = time.perf_counter() - start
    loaded = load_config(config_path, sets, overrides=overrides)
    return execute(loaded, Request(out, journal, progress or _silent, start, import_s))


def verify_run(
    run: Path | str, data: Sequence[Path | str] = (), progress: Progress | None = None
) -> VerifyResult:
    """Fold a run again from its own folder and compare all rows and the state hash.

    The input is the data named in lock.json, else the run's journal; `data` (files, folders, globs) says
    where the data is now.
    """
    from tradectl.cli.runner_verify import verify

    return verify(Path(run), [str(place) for place in data], progress or _silent)


def explain_order(
    run: Path | str, order_id: int, data: Sequence[Path | str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Return one order's life as plain values: a run is folded again from its own folder up to the order's end."""
    from tradectl.cli.runner_explain import explain

    return explain(Path(run), order_id, [str(place) for place in data], progress or _silent)
