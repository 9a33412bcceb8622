"""The oracle behind the backend protocol."""

from __future__ import annotations

from tests.golden.protocol import Config, Result, Step, StepReport
from tests.oracle.bars_oracle import Oracle
from tradectl.core.codes import Command

__all__ = ["OracleBackend"]

FOREVER = 2**62  # ns


class OracleBackend:
    """Runs steps through the oracle."""

    name = "oracle"

    def __init__(self) -> None:
        self.oracle = Oracle(Config())

    def configure(self, config: Config) -> None:
        """Begin a new run."""
        self.oracle = Oracle(config)

    def step(self, step: Step) -> StepReport:
        """Apply one timestamp."""
        seen, before = len(self.oracle.fills), list(self.oracle.orders)
        if Command.STOP in step.commands:
            self.end()
        outcomes = self.oracle.apply(step)
        rows = self.oracle.orders
        changed = [row for n, row in enumerate(rows) if n >= len(before) or row != before[n]]
        return StepReport(self.oracle.fills[seen:], outcomes, changed)

    def end(self) -> None:
        """Charge what waits for bars that do not come, at the mark or the last price."""
        last = self.oracle.world.last
        self.oracle.settle(list(range(len(last))), lambda _: FOREVER, lambda i: last[i] or 0)

    def result(self) -> Result:
        """Return the rows of the run so far."""
        return self.oracle.result()
