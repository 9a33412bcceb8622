"""What hooks ask for, as orders.parquet keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.parity.helpers import small_run, write_bars

STRATEGY = """
from tradectl.strategy import *

@strategy
class Asks:
    class Params:
        pass

    class State:
        bars = Int64()

    def on_bar(ctx, p, s):
        s.bars += 1
        if s.bars == 2:
            {body}
"""
ONE = {"AAA/USD": {"tick_size": 0.01, "lot_size": 1}}


def orders_of(folder: Path, body: str, **changes: Any) -> list[tuple[Any, ...]]:
    """Run a strategy that asks for something on its second bar; return (side, lots, status, reason) of its orders."""
    (folder / "asks.py").write_text(STRATEGY.format(body="\n            ".join(body.splitlines())))
    blocks: dict[str, Any] = {
        "sizing": None,
        "strategy": {"path": "asks.py", "jit": False},
        "data": {"source": "bars/AAAUSD.csv", "timeframe": "1m", "to": "2024-01-01T00:10:00Z"},
        "instruments": ONE,
        "account": {"type": "margin", "currency": "USD", "balance": 100000, "leverage": 2},
    }
    run = small_run(folder, **(blocks | changes))
    table = pl.read_parquet(run.run_dir / "orders.parquet").with_columns(pl.selectors.categorical().cast(pl.String))
    return list(table.select("side", "qty_lots", "status", "reason").iter_rows())


def test_what_is_off_its_lot_is_kept_as_the_whole_lots_below(tmp_path: Path) -> None:
    asked = ["buy(2.5)", "sell(0.5)", "target(1.5)", "target(0.5)", "target(-1.5)", "target(-0.5)", "buy(-0.5)"]
    body = "\n".join(f"ctx.{one}" for one in asked)
    denied = [("BUY", 2), ("SELL", 0), ("BUY", 1), ("BUY", 0), ("SELL", 1), ("SELL", 0)]
    expected = [(side, lots, "DENIED", "QTY_NOT_ON_LOT") for side, lots in denied]
    assert orders_of(tmp_path, body) == [*expected, ("BUY", -1, "DENIED", "QTY_NOT_POSITIVE")]


def test_no_quantity_and_no_sizing_is_a_reason_of_its_own(tmp_path: Path) -> None:
    assert orders_of(tmp_path, "ctx.buy()") == [("BUY", 0, "DENIED", "NO_SIZING")]
    small = {"method": "notional", "value": 0.01}
    body = "ctx.buy()\nctx.buy(reduce_only=True)"
    zero = ("BUY", 0, "DENIED", "SIZE_IS_ZERO")
    assert orders_of(tmp_path, body, sizing=small) == [zero, zero]
    assert orders_of(tmp_path, "ctx.buy_value(0.01)") == [zero]


@pytest.mark.parametrize("from_minute", [0, 5])
def test_a_share_of_an_equity_that_is_not_known_yet_is_refused(from_minute: int, tmp_path: Path) -> None:
    """Until its first price a balance in euros is worth nobody knows what."""
    dollars = write_bars(tmp_path / "bars" / "AAAUSD.csv").read_text().splitlines()
    euros = write_bars(tmp_path / "bars" / "EURUSD.csv", start=50.0).read_text().splitlines()
    (tmp_path / "bars" / "EURUSD.csv").write_text("\n".join([euros[0], *euros[1 + from_minute :]]) + "\n")
    body = "ctx.buy()\nctx.target_percent(0.5)\nctx.target_percent(-0.5)\nctx.buy(float(ctx.equity > 0.0))"
    orders = orders_of(
        tmp_path, body, sizing={"method": "percent_equity", "value": 0.5},
        strategy={"path": "asks.py", "jit": False, "symbols": ["AAA/USD"]},
        data={"source": "bars", "timeframe": "1m", "to": "2024-01-01T00:10:00Z"},
        instruments=ONE | {"EUR/USD": {"tick_size": 0.01, "lot_size": 1}},
        account={"type": "margin", "currency": "USD", "balances": {"USD": 10_000, "EUR": 2_000}, "leverage": 2},
    )  # fmt: skip
    if from_minute == 0:
        euro, price = (float(rows[2].split(",")[4]) for rows in (euros, dollars))
        lots = int(0.5 * (10_000 + 2_000 * euro) / price)
        sent = [("BUY", lots), ("BUY", lots), ("SELL", lots), ("BUY", 1)]
        assert sorted(orders) == sorted((*one, "FILLED", "NONE") for one in sent)
    else:
        refused = [(side, 0, "DENIED", "EQUITY_UNKNOWN") for side in ("BUY", "BUY", "SELL")]
        assert orders == [*refused, ("BUY", 0, "DENIED", "QTY_NOT_POSITIVE")]
