"""summary.json: the figures of a run, from its fold."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradectl.cli.runner_execution import acks_of, books_of, has_ticks
from tradectl.cli.runner_fold import PICO, Folded, ledger_rows
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.engine.state import State
from tradectl.errors import TradectlError
from tradectl.metrics.basic import Run, compute
from tradectl.metrics.conventions import OWN, conventions_for
from tradectl.strategy.plots import describe

__all__ = ["peak_rss_mb", "refusals", "scenario_of", "summarise", "units"]

KEPT_GAPS = 20


def peak_rss_mb() -> float:
    """Return the largest resident size of this process so far, in MB (2**20 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def units(atoms: int | None) -> float | None:
    """Return an amount of the account's currency; None where it is not known."""
    return None if atoms is None else atoms / ATOMS_PER_UNIT


def scenario_of(state: State, initial: int | None) -> dict[str, Any]:
    """Return what is told of one scenario of a run that starts with `initial` atoms (None: not known)."""
    engine = state.engine[0]
    final = int(engine["equity_atoms"])
    return {
        "final_equity": final / ATOMS_PER_UNIT,
        "total_return": final / initial - 1.0 if initial else None,
        "max_drawdown": float(engine["max_drawdown"]),
        "trades": int(engine["n_trades"]),
        "fills": int(engine["n_fills"]),
        "ambiguous_bars": int(engine["n_ambiguous"]),
        "state_hash": state.hash(),
    }


def _metrics(folded: Folded) -> dict[str, float]:
    engine, days, trips = folded.state.engine[0], folded.days, folded.trips
    fees = sum(row.fees_atoms * row.rate_pico // PICO for row in folded.outcome.balances)
    return compute(
        Run(
            initial_atoms=days.initial_atoms or 0,
            final_atoms=int(engine["equity_atoms"]),
            max_drawdown=float(engine["max_drawdown"]),
            fees_atoms=fees,
            returns=days.returns(),
            trips=trips.trips,
            notional_atoms=trips.notional,
            mean_equity_atoms=days.mean_equity,
            held_ns=trips.held_ns,
            first_ts=days.first_ts,
            last_ts=days.last_ts,
            periods_per_year=conventions_for(OWN.profile, sessions=days.closes).periods_per_year,
        )
    )


def summarise(folded: Folded, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary; `extra` (run_dir, timing, scenarios, …) stands behind the figures."""
    engine, trips = folded.state.engine[0], folded.trips
    config, outcome = folded.wired.config, folded.outcome
    metrics = _metrics(folded)
    report, noted = folded.wired.data.report, list(folded.wired.data.notes)
    data = report.to_dict() if report is not None else {}
    if data:
        data["gaps"] = data["gaps"][:KEPT_GAPS]
    if noted:
        data["notes"] = [*data.get("notes", ()), *noted]
    fills = int(engine["n_fills"])
    return {
        "run_dir": "",
        "name": config.name,
        "status": outcome.status,
        "error": error_of(outcome.error),
        "events": outcome.events,
        "instruments": len(folded.wired.spec.instruments),
        "bars": int(engine["n_bars"]),
        "synthetic_bars": int(engine["n_synthetic"]),
        "orders": int(engine["n_orders"]),
        "fills": fills,
        "denied": int(engine["n_denied"]),
        "rejected": int(engine["n_rejected"]),
        "trades": int(engine["n_trades"]),
        "currency": config.account.currency,
        "initial_equity": units(folded.days.initial_atoms),
        "final_equity": int(engine["equity_atoms"]) / ATOMS_PER_UNIT,
        **metrics,
        "ambiguous_bars": int(engine["n_ambiguous"]),
        "ambiguous": {
            "fills": trips.ambiguous_fills,
            "fills_share": trips.ambiguous_fills / fills if fills else 0.0,
            "pnl_share": trips.ambiguous_share,
        },
        "balances": ledger_rows(folded),
        "strategy_errors": int(folded.state.strategies["n_errors"].sum()),
        "disabled_strategies": folded.disabled,
        "breached": bool(engine["breached"]),
        "state_hash": folded.state.hash(),
        "state_bytes": folded.state.nbytes,
        "data": data,
        **_plots(folded),
        **_hours(folded),
        **({"book": books_of(folded.state), "acks": acks_of(folded.state)} if has_ticks(folded.state) else {}),
        **extra,
        "peak_rss_mb": peak_rss_mb(),
    }


def _plots(folded: Folded) -> dict[str, Any]:
    """Return `plots`: the series of each strategy that declares some, by the strategy's name."""
    told = {
        spec.tag or spec.name: describe(loaded.spec.plots)
        for spec, loaded in zip(folded.wired.spec.strategies, folded.wired.loaded, strict=True)
        if spec.plots
    }
    return {"plots": told} if told else {}


def _hours(folded: Folded) -> dict[str, Any]:
    """Return what a calendar made of the run; nothing where all instruments trade 24/7."""
    engine, closes = folded.state.engine[0], folded.days.closes
    if not engine["has_hours"]:
        return {}
    made = conventions_for(OWN.profile, sessions=closes)
    rows = {"left_out": int(engine["n_outside"]), "sessions": closes is not None}
    return {"calendar": rows | {"periods_per_year": made.periods_per_year}}


def refusals(orders: Path) -> dict[str, int]:
    """Count the orders on disk that were denied or rejected, by reason, the most frequent first."""
    import polars as pl

    refused = pl.scan_parquet(orders).filter(pl.col("status").cast(pl.String).is_in(["DENIED", "REJECTED"]))
    counts = refused.group_by(pl.col("reason").cast(pl.String)).len().collect()
    return dict(sorted(counts.iter_rows(), key=lambda row: (-row[1], row[0])))


def error_of(error: TradectlError | None) -> dict[str, Any] | None:
    """Return an error as plain values."""
    if error is None:
        return None
    return {"type": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
