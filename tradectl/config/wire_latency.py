"""Latencies of orders: recorded ones, when each was sent, reached the venue, was answered; and what outruns them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tradectl.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    import polars as pl

    from tradectl.config.models import Latency
    from tradectl.engine.spec import RunSpec
    from tradectl.history.model import DataReport

__all__ = ["outrun_latencies", "recorded_latencies"]

COLUMNS = ("request", "exchange", "response")
EARLIEST, LATEST = 315_532_800 * 10**9, 7_258_118_400 * 10**9  # 1980 and 2200 in ns: no other unit falls between
LONGEST = 3_600 * 10**9  # ns from request to response


def recorded_latencies(latency: Latency, folder: Path) -> Sequence[tuple[int, int, int]]:
    """Return (request, exchange, response) stamps in ns UTC, sorted by request; empty where none are recorded."""
    if latency.recorded is None:
        return ()
    if latency.entry.ns or latency.response.ns:
        raise ConfigError("execution.latency: give either `recorded` or `entry` and `response`, not both")
    path = folder / Path(latency.recorded).expanduser()
    rows = _read(path).select(COLUMNS).rows()
    if not rows:
        raise DataError(f"{path}: holds no recorded order")
    before = -(2**63)  # the request of the row above; the venue may have taken a slow order after a later one
    for number, row in enumerate(rows, 1 if _is_parquet(path) else 2):
        place = f"{path}: {'row' if _is_parquet(path) else 'line'} {number}"
        if None in row or not row[0] <= row[1] <= row[2]:
            raise DataError(f"{place}: expected request <= exchange <= response, found {row}")
        if not EARLIEST <= row[0] < LATEST:
            hint = "stamps of ms times 1000000, of µs times 1000, of s times 1000000000 are ns"
            raise DataError(f"{place}: expected ns since 1970, from 1980 to 2200; found request {row[0]}", hint=hint)
        if row[2] - row[0] > LONGEST:
            took = (row[2] - row[0]) / 1e9
            raise DataError(f"{place}: expected an answer within an hour of the request, found {took:,.0f} s")
        if row[0] == before:
            raise DataError(f"{place}: expected one row for each request, found {row[0]} again")
        if row[0] < before:
            told = f"{place}: request {row[0]} is earlier than {before} in the row before it"
            raise DataError(told, hint="sort the table by request")
        before = row[0]
    return rows


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        frame = pl.read_parquet(path) if _is_parquet(path) else pl.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file (execution.latency.recorded)") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a readable table: {str(error).splitlines()[0]}") from error
    for name in COLUMNS:
        if name not in frame.columns:
            raise DataError(f"{path}: no column {name!r}", hint=nearest(name, frame.columns))
        if not frame[name].dtype.is_integer():
            raise DataError(f"{path}: column {name!r} holds {frame[name].dtype}, expected whole ns")
    return frame


def outrun_latencies(report: DataReport, spec: RunSpec, entries_ns: Sequence[int] = ()) -> list[str]:
    """Say of which data no latency is simulated: receipts lie further before the exchange's time than orders take.

    `entries_ns`: what they take to arrive, ns; without any those of the run. No latency at all is what was asked for.
    """
    entries_ns = entries_ns or [row[1] - row[0] for row in spec.latencies] or [spec.execution.latency_entry_ns]
    taken = [ns for ns in (one + spec.execution.latency_compute_ns for one in entries_ns) if ns > 0]
    told = []
    for one in report.instruments:
        behind_ns = -(one.lag_min_ns + one.shift_ns) if one.has_receive_clock else 0
        if taken and min(taken) < behind_ns:
            told.append(
                f"{one.instrument}: receive stamps lie up to {behind_ns / 1e6:,.6g} ms before the exchange's own time: "
                f"orders that take less (here {min(taken) / 1e6:,.6g} ms) arrive in its past, as if they took no time; "
                "`clock: correct` in the data block shifts the stamps"
            )
    return told
