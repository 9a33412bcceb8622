"""What is seen while a command works: stages with elapsed time, a bar where the end is known."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import err

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["LIVE", "STAGES", "Meter"]

LIVE = "live"  # from here on the session itself is what is seen
STAGES = {
    "feeds": "asking the exchanges for their markets",
    "warm-up": "fetching bars before the start",
    "load": "reading data",
    "compile": "compiling kernels (first run only)…",
    "run": "folding events",
    "scenarios": "folding the adverse and favourable scenarios",
    "write": "writing the run",
}
REFRESH_S = 0.1


class Meter:
    """Shows the stage that a command is in; silent when asked, or when no terminal watches."""

    def __init__(self, quiet: bool = False) -> None:
        self.bar: Bar | None = None
        self.quiet = quiet or not err().is_terminal
        self._task: Any = None
        self._stage = ""
        self._next = 0.0

    def __enter__(self) -> Meter:
        if not self.quiet:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=32),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
            )
            self.bar = Progress(*columns, console=err(), transient=True)
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Show nothing any more."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def __call__(self, stage: str, done: int = 0, total: int | None = None) -> None:
        """Show a stage (a key of STAGES, or any text) and how much of it is done."""
        if stage == LIVE:
            self.stop()
        if self.bar is None:
            return
        now = time.monotonic()
        if stage != self._stage:
            if self._task is not None:
                self.bar.remove_task(self._task)
            self._task = self.bar.add_task(STAGES.get(stage, stage), total=None, note="")
            self._stage, self._next = stage, 0.0
        if now >= self._next:
            self._next = now + REFRESH_S
            known = total if total else None
            note = f"{done:,}" + (f" of {max(done, known):,}" if known else "") if done else ""
            self.bar.update(self._task, completed=done, total=known, note=note)

    def counter(self, stage: str) -> Any:
        """Return a callable that takes numbers of rows read and adds them up."""
        seen = 0

        def add(rows: int) -> None:
            nonlocal seen
            seen += rows
            self(stage, seen)

        return add
