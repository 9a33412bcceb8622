"""What a finished run's data or journal says once more, found again as `verify` finds it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tradectl.db.catalogue import Run
from tradectl.errors import ConfigError, DataError, StoreError

if TYPE_CHECKING:
    from tradectl.report.model import Market

__all__ = ["read_market"]


def read_market(run: Run, data: Sequence[str]) -> Market:
    """Return the run's prices, and the book around some of its fills; without them why there are none.

    `data` are the places where the input is now; none: where it was. Places that are given and do not hold it are
    an error; data that is gone since is not.
    """
    import polars as pl

    from tradectl.cli.runner_verify import load_again
    from tradectl.config.wire_data import open_data
    from tradectl.metrics.load import closes_of
    from tradectl.report.ladders import Ladders, choose
    from tradectl.report.model import Market
    from tradectl.report.prices import collect, rated

    chosen = choose(run.path, pl.read_parquet(run.path / "fills.parquet"))
    with tempfile.TemporaryDirectory(prefix="tradectl-report-") as scratch:
        try:
            loaded, _source = load_again(run, run.lock(), data, Path(scratch))
            opened = open_data(loaded.config, loaded.path.resolve().parent)
            ladders = Ladders.of(chosen, [one.id for one in opened.instruments])
            found = collect(opened, closes_of(run.path), watch=ladders.feed)
            found = rated(found, opened.instruments, loaded.config.account)
        except (ConfigError, DataError, StoreError) as error:
            if data:
                raise
            return Market(why=str(error).rstrip("."))
    grids = {one.id: (float(one.tick_size), float(one.lot_size)) for one in opened.instruments}
    why = "" if found.height else "the data has no bars, trades or quotes"
    return Market(found if found.height else None, why, chosen, ladders.found, grids)
