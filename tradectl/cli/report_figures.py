"""What `report` prints: figures of runs side by side, and the list of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import count, money, percent, print_json
from tradectl.cli.report_format import Column, print_rows

if TYPE_CHECKING:
    from tradectl.db.catalogue import Run

__all__ = ["print_figures", "print_list", "print_metrics"]

LISTED = (
    Column("Run", "run"),
    Column("Mode", "mode"),
    Column("Status", "status"),
    Column("Return", "total_return", percent),
    Column("Sharpe", "sharpe", money),
    Column("Drawdown", "max_drawdown", percent),
    Column("Fills", "fills", count),
    Column("Made (UTC)", "made"),
)


def print_list(folder: Path, form: str) -> None:
    """Print all runs of a folder, the latest first."""
    from tradectl.db.catalogue import list_runs
    from tradectl.errors import StoreError

    runs = list_runs(folder)
    if not runs:
        raise StoreError(f"there is no run in {folder}", hint="--runs DIR says where run folders are")
    print_rows(LISTED, [_listed(run) for run in reversed(runs)], form)


def _listed(run: Run) -> dict[str, Any]:
    made = (run.path / "summary.json").stat().st_mtime
    told = {key: run.summary.get(key) for key in ("name", "status", "total_return", "sharpe", "max_drawdown", "fills")}
    return {
        "run": run.name,
        **told,
        "mode": run.summary.get("mode", "backtest"),
        "made": datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }


def print_figures(runs: Sequence[Run], form: str, data: Sequence[str] = ()) -> None:
    """Print the figures of runs: for people as the headline table, else every figure, a column or an object a run."""
    from tradectl.cli.output import out
    from tradectl.cli.result_table import print_result, result_table

    summaries = [run.summary for run in runs]
    if form == "summary":
        for summary in summaries:
            print_json(summary)
    elif form == "json":
        for run, figures in zip(runs, _all(runs, data), strict=True):
            print_json({**run.summary, "metrics": figures})
    elif form != "table":
        names = [run.name for run in runs]
        columns = [Column("Figure", "figure"), *(Column(name, name, _figure) for name in names)]
        print_rows(columns, list(_rows(runs, _all(runs, data))), form)
    elif len(summaries) == 1:
        print_result(out(), summaries[0])
    else:
        out().print(result_table(*summaries))


def print_metrics(runs: Sequence[Run], form: str, data: Sequence[str], profile: str) -> None:
    """Print every metric of runs as a profile computes it: a column or an object a run."""
    figures = _all(runs, data, profile)
    if form == "json":
        for run, one in zip(runs, figures, strict=True):
            print_json({"run": run.name, "profile": profile, "metrics": one})
        return
    columns = [Column("Metric", "metric"), *(Column(run.name, run.name, _figure) for run in runs)]
    rows = [
        {"metric": name, **{run.name: one[name] for run, one in zip(runs, figures, strict=True)}} for name in figures[0]
    ]
    print_rows(columns, rows, form)


def _all(runs: Sequence[Run], data: Sequence[str], profile: str = "tradectl") -> list[dict[str, float]]:
    """Return every metric of every run as the page tells them: prices are read again where they can be."""
    from tradectl.cli.report_prices import read_market
    from tradectl.metrics.load import RunData
    from tradectl.metrics.registry import compute_all

    opened = (RunData.open(run.path, read_market(run, data).prices) for run in runs)
    return [compute_all(one, profile=profile) for one in opened]


def _rows(runs: Sequence[Run], figures: Sequence[dict[str, float]]) -> Iterator[dict[str, Any]]:
    """Yield one row a figure: what stands at the top of summary.json, then all metrics."""
    known = dict.fromkeys(
        key
        for run in runs
        for key, value in run.summary.items()
        if isinstance(value, (int, float)) or key in ("name", "status", "currency", "state_hash", "config_hash")
    )
    for name in dict.fromkeys([*known, *(name for one in figures for name in one)]):
        values = (
            run.summary[name] if name in run.summary else one.get(name)
            for run, one in zip(runs, figures, strict=True)
        )
        yield {"figure": name, **dict(zip((run.name for run in runs), values, strict=True))}


def _figure(value: Any) -> str:
    """Write a figure of any kind."""
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1_000.0 else f"{value:.6g}"  # money keeps its cents
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
