"""The oracle behind the backend protocol."""

from __future__ import annotations

from tests.golden.protocol import Config, Result, Step, StepReport
from tests.oracle.bars_oracle import Oracle

__all__ = ["OracleBackend"]


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
        outcomes = self.oracle.apply(step)
        rows = self.oracle.orders
        changed = [row for n, row in enumerate(rows) if n >= len(before) or row != before[n]]
        return StepReport(self.oracle.fills[seen:], outcomes, changed)

    def result(self) -> Result:
        """Return the rows of the run so far."""
        return self.oracle.result()
