"""The prices of a finished run, from its data or its journal, found again as `verify` finds it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tradectl.db.catalogue import Run
from tradectl.errors import ConfigError, DataError, StoreError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_prices"]


def read_prices(run: Run, data: Sequence[str]) -> tuple[pl.DataFrame | None, str]:
    """Return (prices as `report.prices.collect` makes them, why there are none).

    `data` are the places where the input is now; none: where it was. Places that are given and do not hold it are
    an error; data that is gone since is not.
    """
    from tradectl.cli.runner_verify import load_again
    from tradectl.config.wire_data import open_data
    from tradectl.report.prices import collect

    with tempfile.TemporaryDirectory(prefix="tradectl-report-") as scratch:
        try:
            loaded, _source = load_again(run, run.lock(), data, Path(scratch))
            found = collect(open_data(loaded.config, loaded.path.resolve().parent))
        except (ConfigError, DataError, StoreError) as error:
            if data:
                raise
            return None, str(error).rstrip(".")
    return (found, "") if found.height else (None, "the data has no bars, trades or quotes")
