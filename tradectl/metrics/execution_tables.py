"""The tables that execution figures are made from: one row an order, one row a fill with its mark-outs.

Money is in the account's currency, quote currencies converted at the rates with which the run ended. What is not
known is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tradectl.db.audit import Market
from tradectl.db.tables import HORIZONS

__all__ = ["fills_frame", "orders_frame", "scales"]

ATOMS, PICO = 10**8, 10**12
SIGN = pl.when(pl.col("side") == "BUY").then(1.0).otherwise(-1.0)
SECOND = 1e9  # ns


def scales(
    markets: Sequence[Market], ledgers: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float], pl.LazyFrame]:
    """Return the rates of all currencies in the account's, and a table by symbol.

    `tick_money` is the worth of one lot moving one tick, `rate` that of one quote unit.
    """
    rates = {row["currency"]: int(row["rate_pico"]) / PICO for row in ledgers}
    mine = [rates[market.currency] for market in markets]
    worth = [m.unit[0] / m.unit[1] / ATOMS * rate for m, rate in zip(markets, mine, strict=True)]
    table = pl.LazyFrame(
        {"symbol": [m.symbol for m in markets], "tick_money": worth, "rate": mine},
        schema={"symbol": pl.String, "tick_money": pl.Float64, "rate": pl.Float64},
    )
    return rates, table


def _with_scales(frame: pl.LazyFrame, scale: pl.LazyFrame) -> pl.LazyFrame:
    return frame.with_columns(pl.col("symbol").cast(pl.String)).join(
        scale, on="symbol", how="left", maintain_order="left"
    )


def fills_frame(fills: pl.LazyFrame, markouts: pl.LazyFrame, scale: pl.LazyFrame) -> pl.LazyFrame:
    """Return the fills of orders with what is measured of each.

    `sign` +1 buy, −1 sell; `worth` = lots × worth of a tick; `at_mid` = mid × worth; `taker` = whether it took.
    """
    later = [f"mid_{label}_ticks" for label in HORIZONS]
    frame = fills.filter(pl.col("order_id") != 0).join(
        markouts.select("fill_id", *later), on="fill_id", how="left", maintain_order="left"
    )
    return _with_scales(frame, scale).with_columns(
        sign=SIGN,
        taker=pl.col("liquidity_side").cast(pl.String) == "TAKER",
        worth=pl.col("qty_lots") * pl.col("tick_money"),
        money=pl.col("notional_atoms") / ATOMS * pl.col("rate"),
    )


def orders_frame(orders: pl.LazyFrame, fills: pl.LazyFrame, scale: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row an order that left (was not DENIED): times, queue, mids and what it cost against them.

    With decision mid D, arrival mid A, mid at its end E, side s, filled lots f of q and Σ price × lots P, in money:
    delay = s(A − D)f, impact = s(P − A f), opportunity = s(E − D)(q − f), fee as paid; shortfall is their sum
    (A. F. Perold, 1988: The implementation shortfall). What needs a mid that is not known is null.
    """
    done = (
        fills.filter(pl.col("order_id") != 0)
        .group_by("order_id")
        .agg(
            ts_first_fill=pl.col("ts").min(),
            paid=(pl.col("price_ticks") * pl.col("qty_lots").cast(pl.Float64)).sum(),
            maker_lots=pl.col("qty_lots").filter(pl.col("liquidity_side").cast(pl.String) == "MAKER").sum(),
        )
    )
    sent = orders.filter((pl.col("status").cast(pl.String) != "DENIED") & (pl.col("order_id") != 0))
    frame = _with_scales(sent, scale).join(done, on="order_id", how="left", maintain_order="left")
    decision, arrival = pl.col("mid_submit_ticks"), pl.col("mid_arrival_ticks")
    filled, left = pl.col("filled_lots"), pl.col("qty_lots") - pl.col("filled_lots")
    worth = SIGN * pl.col("tick_money")
    priced = decision.is_not_null()
    idle, whole = priced & (filled == 0), priced & (left == 0)  # what a mid that is not known does not matter to
    waited = (pl.col("ts_first_fill") - pl.col("ts_accepted")).dt.total_nanoseconds() / SECOND
    lived = (pl.col("ts_last") - pl.col("ts_accepted")).dt.total_nanoseconds() / SECOND
    frame = frame.with_columns(
        maker_lots=pl.col("maker_lots").fill_null(0),
        first_fill_s=waited,
        done_s=pl.when(pl.col("status").cast(pl.String) == "FILLED").then(lived),
        wanted=pl.col("qty_lots") * decision * pl.col("tick_money"),
        delay=pl.when(idle).then(0.0).otherwise(worth * (arrival - decision) * filled),
        impact=pl.when(idle).then(0.0).when(priced).then(worth * (pl.col("paid") - arrival * filled)),
        fee=pl.when(priced).then(pl.col("fees_atoms") / ATOMS * pl.col("rate")),
        opportunity=pl.when(whole).then(0.0).otherwise(worth * (pl.col("mid_end_ticks") - decision) * left),
    ).with_columns(shortfall=pl.sum_horizontal("delay", "impact", "fee", "opportunity", ignore_nulls=False))
    return frame.select(*ORDER_COLUMNS)


ORDER_COLUMNS = (
    "order_id", "strategy", "symbol", "side", "order_type", "status", "ts_submitted", "ts_accepted", "ts_first_fill",
    "ts_last", "qty", "qty_lots", "filled", "filled_lots", "maker_lots", "avg_price", "mid_submit", "mid_arrival",
    "mid_end", "queue_at_post", "first_fill_s", "done_s", "wanted", "delay", "impact", "fee", "opportunity",
    "shortfall",
)  # fmt: skip
