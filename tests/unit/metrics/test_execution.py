"""Execution figures against plain Python that walks the events, and parts of the profit that add up to the atom."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.ticks import Ran, broken, market_events, run
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.markouts import HORIZONS_NS
from tradectl.db.audit import Market
from tradectl.db.tables import HORIZONS
from tradectl.errors import InvariantViolation
from tradectl.metrics.execution import measure, profit_in
from tradectl.metrics.execution_tables import orders_frame, scales
from tradectl.metrics.pnl import PARTS, check_parts, hold, split_pnl

Rows = list[dict[str, Any]]
GRIDS = [("0.01", "0.001"), ("0.5", "0.1")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two instruments over a quarter of an hour."""
    rows = market_events(420, 1, 0) + market_events(380, 2, 1, 400)
    return run(tmp_path_factory.mktemp("run"), rows, GRIDS)


@pytest.fixture(scope="module")
def ran_with_gaps(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same with gaps; the last one of the second instrument lasts until the data end."""
    first = broken(market_events(420, 1, 0), [(60, 75), (140, 142), (200, 260), (330, 331)])
    second = broken(market_events(380, 2, 1, 400), [(90, 130), (355, None)])
    return run(tmp_path_factory.mktemp("gaps"), first + second, GRIDS)


Mids = list[tuple[int, float | None]]


def mids_of(events: Any) -> dict[int, Mids]:
    """Return (time, mid in ticks) after each message of each instrument; trades and depth tell the time alike.

    From a gap until the book is told whole the mid is None.
    """
    books: dict[int, dict[int, dict[int, int]]] = defaultdict(lambda: {1: {}, -1: {}})
    made: dict[int, Mids] = defaultdict(list)
    blind = set()
    for event in events:
        where, side = int(event["instrument"]), int(event["side"])
        if event["kind"] == EventKind.GAP:
            blind.add(where)
        if event["flags"] & EventFlag.SNAPSHOT_BEGIN:
            books[where] = {1: {}, -1: {}}
        if event["flags"] & EventFlag.SNAPSHOT_END:
            blind.discard(where)
        if event["kind"] == EventKind.DEPTH:
            level = books[where][side]
            level[int(event["w0"])] = int(event["w1"])
            if event["w1"] == 0:
                del level[int(event["w0"])]
        bids, asks = books[where][1], books[where][-1]
        if bids and asks:
            made[where].append((int(event["ts_event"]), None if where in blind else (max(bids) + min(asks)) / 2))
    return made


def mid_at(mids: Mids, ts: int, strictly: bool = False) -> float | None:
    found = [mid for at, mid in mids if at < ts or (at == ts and not strictly)]
    return found[-1] if found else None


def facts(ran: Ran) -> tuple[Rows, Rows]:
    """Return (orders, fills) with the mids that the events themselves give."""
    mids = mids_of(ran.events)
    symbols = [market.symbol for market in ran.markets]
    fills = ran.tables["fills"].with_columns(at=pl.col("ts").cast(pl.Int64)).to_dicts()
    for fill in fills:
        mine = mids[symbols.index(fill["symbol"])]
        fill["sign"] = 1 if fill["side"] == "BUY" else -1
        fill["worth"] = ran.markets[symbols.index(fill["symbol"])]
        # what is filled by an event is measured by what stood before it, an arrival lies between two events
        fill["before"] = mid_at(mine, fill["at"], strictly=True)
        if fill["before"] is None:  # the message that told the book whole again let it fill
            fill["before"] = mid_at(mine, fill["at"])
        for label, horizon in zip(HORIZONS, HORIZONS_NS, strict=True):
            known = fill["at"] + horizon <= mine[-1][0]
            fill[label] = mid_at(mine, fill["at"] + horizon) if known else None
            fill["blind"] = fill.get("blind", False) or (known and fill[label] is None)
    orders = ran.tables["orders"].with_columns(
        sent=pl.col("ts_submitted").cast(pl.Int64), came=pl.col("ts_accepted").cast(pl.Int64),
        over=pl.col("ts_last").cast(pl.Int64),
    ).to_dicts()  # fmt: skip
    for order in orders:
        mine = mids[symbols.index(order["symbol"])]
        order["sign"] = 1 if order["side"] == "BUY" else -1
        order["decision"] = mid_at(mine, order["sent"])
        order["arrival"] = None if order["came"] is None else mid_at(mine, order["came"])
        live = order["status"] not in ("FILLED", "CANCELED")
        order["end"] = mine[-1][1] if live else mid_at(mine, order["over"])
        order["fills"] = [fill for fill in fills if fill["order_id"] == order["order_id"]]
    return orders, fills


def measured(
    ran: Ran, tables: dict[str, pl.DataFrame], markets: list[Market], span: tuple[int, int], gained: float
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Return the figures and the table of orders."""
    lazy = {kind: table.lazy() for kind, table in tables.items()}
    orders = orders_frame(lazy["orders"], lazy["fills"], scales(markets, ran.ledgers)[1]).collect()
    return measure({**lazy, "execution": orders.lazy()}, markets, ran.ledgers, span, gained), orders


def tick_money(ran: Ran, symbol: str) -> float:
    market = next(one for one in ran.markets if one.symbol == symbol)
    return float(market.tick_size * market.lot_size)


def moved(ran: Ran, fills: Rows, difference: Any) -> dict[str, float]:
    """Return ticks, bps, money and count of a signed difference in ticks, over the fills that have one."""
    told = [(fill, difference(fill)) for fill in fills]
    told = [(fill, ticks) for fill, ticks in told if ticks is not None]
    money = sum(ticks * fill["qty_lots"] * tick_money(ran, fill["symbol"]) for fill, ticks in told)
    notional = sum(fill["before"] * fill["qty_lots"] * tick_money(ran, fill["symbol"]) for fill, _ in told)
    lots = sum(fill["qty_lots"] for fill, _ in told)
    return {
        "ticks": sum(ticks * fill["qty_lots"] for fill, ticks in told) / lots if lots else math.nan,
        "bps": money / notional * 1e4 if notional else math.nan,
        "money": money if told else math.nan,
        "fills": len(told),
    }


def close(mine: Any, theirs: Any, one_grid: bool = True, where: str = "") -> None:
    """Compare nested figures; NaN equals NaN. Ticks of several instruments do not add up."""
    if isinstance(mine, dict):
        assert set(mine) <= set(theirs), where
        for key, value in mine.items():
            wanted = math.nan if key == "ticks" and not one_grid else value
            close(wanted, theirs[key], one_grid, f"{where}.{key}")
    else:
        assert theirs == pytest.approx(mine, rel=1e-9, abs=1e-9, nan_ok=True), where


def lots(rows: Rows, name: str = "qty_lots") -> int:
    return sum(row[name] for row in rows)


def expected(ran: Ran, orders: Rows, fills: Rows, one_grid: bool) -> dict[str, Any]:
    """Return the figures, computed one by one."""
    makers = [fill for fill in fills if fill["liquidity_side"] == "MAKER"]
    takers = [fill for fill in fills if fill["liquidity_side"] == "TAKER"]
    touched = [order for order in orders if order["fills"]]
    done = [order for order in orders if order["status"] == "FILLED"]
    first = sorted((order["fills"][0]["at"] - order["came"]) / 1e9 for order in touched)
    nan = math.nan
    made: dict[str, Any] = {
        "orders": len(orders),
        "orders_filled": len(done),
        "orders_touched": len(touched),
        "fills": len(fills),
        "fill_ratio_orders": len(done) / len(orders),
        "fill_ratio_qty": lots(orders, "filled_lots") / lots(orders) if one_grid else nan,
        "maker_share_qty": lots(makers) / lots(fills) if one_grid else nan,
        "maker_share_notional": sum(f["notional"] for f in makers) / sum(f["notional"] for f in fills),
        "cancel_fill_ratio": sum(o["status"] == "CANCELED" for o in orders) / len(touched),
        "first_fill_s": {"median": median(first), "p90": float(np.quantile(first, 0.9))},
        "done_s": {"median": median((o["over"] - o["came"]) / 1e9 for o in done)},
        "markout": {},
    }
    for label in HORIZONS:
        made["markout"][label] = moved(
            ran, fills, lambda f, at=label: None if f[at] is None else f["sign"] * (f[at] - f["before"])
        )
    for name, group, turn in (("maker", makers, -1), ("taker", takers, 1)):

        def apart(fill: dict[str, Any], at: str = "before", turn: int = turn) -> float | None:
            return None if fill[at] is None else 2 * turn * fill["sign"] * (fill["price_ticks"] - fill[at])

        made[name] = {
            "effective_spread": moved(ran, group, apart),
            "realised_spread": {label: moved(ran, group, partial(apart, at=label)) for label in HORIZONS},
        }
    cost = dict.fromkeys(("delay", "impact", "fee", "opportunity"), 0.0)
    priced = [order for order in orders if is_priced(order)]
    for order in priced:
        worth = order["sign"] * tick_money(ran, order["symbol"])
        filled = order["filled_lots"]
        paid = sum(fill["price_ticks"] * fill["qty_lots"] for fill in order["fills"])
        if filled:
            cost["delay"] += worth * (order["arrival"] - order["decision"]) * filled
            cost["impact"] += worth * (paid - order["arrival"] * filled)
        cost["fee"] += sum(fill["fee_atoms"] for fill in order["fills"]) / 1e8
        left = order["qty_lots"] - filled
        cost["opportunity"] += worth * (order["end"] - order["decision"]) * left if left else 0.0
    wanted = sum(o["qty_lots"] * o["decision"] * tick_money(ran, o["symbol"]) for o in priced)
    total = sum(cost.values())
    made["shortfall"] = {**cost, "shortfall": total, "bps": total / wanted * 1e4, "orders": len(priced)}
    return made


def is_priced(order: dict[str, Any]) -> bool:
    """Return whether the mids that an order's cost is measured by are known."""
    arrived = order["arrival"] is not None or order["filled_lots"] == 0
    ended = order["end"] is not None or order["filled_lots"] == order["qty_lots"]
    return order["decision"] is not None and arrived and ended


def test_figures_leave_out_what_a_broken_book_hides(ran_with_gaps: Ran) -> None:
    orders, fills = facts(ran_with_gaps)
    for name in ("decision", "arrival", "end"):
        assert any(order[name] is None for order in orders), name
    assert not all(map(is_priced, orders))
    assert 0 < sum(fill["blind"] for fill in fills) == ran_with_gaps.state.engine[0]["n_unmarked"]
    live = [order for order in orders if order["status"] in ("SUBMITTED", "ACCEPTED", "PARTIALLY_FILLED")]
    assert any(order["end"] is None for order in live)
    compare_walk(ran_with_gaps)


def test_figures_are_those_of_a_walk_through_the_events(ran: Ran) -> None:
    orders, fills = facts(ran)
    assert {fill["phase"] for fill in fills} == {"BOOK", "QUEUE", "THROUGH"}
    assert any(fill["60s"] is None for fill in fills)
    assert all(map(is_priced, orders))
    compare_walk(ran)


def compare_walk(ran: Ran) -> None:
    """Compare mids, mark-outs and figures of a run with those of the events themselves."""
    orders, fills = facts(ran)
    for fill in fills:
        assert fill["mid_ticks"] == fill["before"], fill
    marks = {row["fill_id"]: row for row in ran.tables["markouts"].to_dicts()}
    for fill in fills:
        assert [marks[fill["fill_id"]][f"mid_{label}_ticks"] for label in HORIZONS] == [fill[x] for x in HORIZONS]
    for order in orders:
        assert (order["mid_submit_ticks"], order["mid_arrival_ticks"]) == (order["decision"], order["arrival"])
        assert order["filled_lots"] == order["qty_lots"] or order["mid_end_ticks"] == order["end"]
    figures, table = measured(ran, ran.tables, ran.markets, ran.span, ran.gained)
    close(expected(ran, orders, fills, False), figures, one_grid=False)
    for market in ran.markets:
        mine = [order for order in orders if order["symbol"] == market.symbol]
        theirs = [fill for fill in fills if fill["symbol"] == market.symbol]
        close(expected(ran, mine, theirs, True), figures["instruments"][market.symbol])
        close(inventory(ran, theirs, float(market.lot_size)), figures["instruments"][market.symbol]["inventory"])
    assert table.height == len(orders)


def inventory(ran: Ran, fills: Rows, lot: float) -> dict[str, float]:
    """Walk an instrument's position through time."""
    first, last = ran.span
    at, lots, largest, sums = first, 0, 0, [0.0, 0.0, 0.0]
    for ts, change in [*((fill["at"], fill["sign"] * fill["qty_lots"]) for fill in fills), (last, 0)]:
        step = max(ts, at) - at
        sums = [sums[0] + lots * step, sums[1] + abs(lots) * step, sums[2] + (step if lots == 0 else 0)]
        at, lots = max(ts, at), lots + change
        largest = max(largest, abs(lots))
    span = last - first
    return {
        "end": lots * lot, "max_abs": largest * lot, "mean": sums[0] * lot / span, "mean_abs": sums[1] * lot / span,
        "flat_share": sums[2] / span,
    }  # fmt: skip


def test_parts_of_the_profit_are_what_mids_say(ran: Ran) -> None:
    """Exact fractions, without the rounding of notionals and values: at most an atom a fill and a mark away."""
    lazy = ran.tables["fills"].lazy()
    parts = split_pnl(hold(lazy, ran.markets, *ran.span), ran.ledgers)[0]
    check_parts([parts], ran.ledgers)
    _, fills = facts(ran)
    spread, carried = Fraction(0), Fraction(0)
    for market in ran.markets:
        unit = Fraction(*market.unit)
        lots, mid = 0, Fraction(0)
        for fill in (one for one in fills if one["symbol"] == market.symbol):
            now = Fraction(fill["before"])
            carried += lots * (now - mid) * unit
            spread += fill["sign"] * fill["qty_lots"] * (now - fill["price_ticks"]) * unit
            lots, mid = lots + fill["sign"] * fill["qty_lots"], now
        carried += lots * (Fraction(market.twice_mark, 2) - mid) * unit
    assert abs(parts["spread_atoms"] - spread) <= len(fills)
    assert abs(parts["inventory_atoms"] - carried) <= 2 * len(fills) + 2
    assert parts["fees_atoms"] == -sum(fill["fee_atoms"] for fill in fills)
    assert (parts["funding_atoms"], parts["pnl_atoms"]) == (0, sum(parts[f"{name}_atoms"] for name in PARTS))


@pytest.mark.parametrize("seed", range(3, 9))
def test_parts_add_up_to_the_atom_on_any_grid(tmp_path: Path, seed: int) -> None:
    grid = [("0.01", "0.001"), ("0.0003", "0.00007"), ("25", "3"), ("0.00001", "1000")][seed % 4]
    made = run(tmp_path, market_events(160, seed), [grid], maker=-150_000 if seed % 2 else 70_001)
    rows = split_pnl(hold(made.tables["fills"].lazy(), made.markets, *made.span), made.ledgers)
    check_parts(rows, made.ledgers)
    assert sum(row["pnl_atoms"] for row in rows) == int(made.state.engine[0]["equity_atoms"]) - 10**14
    wrong = [{**rows[0], "pnl_atoms": rows[0]["pnl_atoms"] + 1}]
    with pytest.raises(InvariantViolation, match="add up to"):
        check_parts(wrong, made.ledgers)


def test_huge_figures_stay_exact() -> None:
    """Products beyond 64 bits take Python's own integers."""
    market = Market("X", "USD", "X", Decimal(10**6), Decimal(10**3), 0, 0, 2 * 10**6)
    fills = pl.DataFrame({
        "symbol": ["X", "X"], "side": ["BUY", "SELL"], "price_ticks": [10**6, 10**6 + 1], "qty_lots": [10**6, 10**6],
        "notional_atoms": [0, 0], "fee_atoms": [1, 2], "mid_ticks": [1e6, 1e6 + 0.5],
        "ts": pl.Series([1, 2]).cast(pl.Datetime("ns", "UTC")),
    })  # fmt: skip
    holding = hold(fills.lazy(), [market], 0, 3)["X"]
    worth = 10**6 * 10**6 * 10**17
    assert (holding.spread, holding.inventory) == (worth - (worth + 10**6 * 10**17 // 2), 10**6 * 10**17 // 2)
    assert (holding.fees, holding.lots, holding.max_lots, holding.held_ns) == (-3, 0, 10**6, 1)


def test_a_run_without_orders_has_no_figures(ran: Ran) -> None:
    empty = {kind: table.clear() for kind, table in ran.tables.items()}
    figures, table = measured(ran, empty, ran.markets, (0, 10), 0.0)
    assert (figures["orders"], figures["fills"], figures["pnl"]["total"]) == (0, 0, 0.0)
    for name in ("fill_ratio_orders", "maker_share_qty", "cancel_fill_ratio"):
        assert math.isnan(figures[name])
    assert math.isnan(figures["markout"]["1s"]["bps"])
    assert math.isnan(figures["shortfall"]["shortfall"])
    assert figures["instruments"][ran.markets[0].symbol]["inventory"]["flat_share"] == 1.0
    assert table.is_empty()


@pytest.mark.parametrize("places", [4, 256])
def test_fills_without_room_for_a_mark_out_are_counted(tmp_path: Path, places: int) -> None:
    made = run(tmp_path, market_events(200, 4), GRIDS[:1], places=places)
    fills, marks = made.tables["fills"], made.tables["markouts"]
    unmarked = int(made.state.engine[0]["n_unmarked"])
    assert (unmarked > 0) == (places == 4)
    assert sorted(marks["fill_id"]) == sorted(fills["fill_id"])
    mids = mids_of(made.events)[0]
    missing = 0
    for row in marks.with_columns(at=pl.col("ts").cast(pl.Int64)).iter_rows(named=True):
        known = row["at"] + HORIZONS_NS[0] <= mids[-1][0]
        if known and row["mid_1s_ticks"] is None:
            missing += 1
        elif known:
            assert row["mid_1s_ticks"] == mid_at(mids, row["at"] + HORIZONS_NS[0])
    assert missing <= unmarked <= marks["mid_1s_ticks"].null_count()


def test_profit_in_other_currencies_names_what_rates_changed() -> None:
    none = dict.fromkeys((f"{name}_atoms" for name in PARTS), 0)
    rows: list[dict[str, Any]] = [
        {**none, "currency": "USD", "spread_atoms": 3 * 10**8, "fees_atoms": -(10**8)},
        {**none, "currency": "EUR", "inventory_atoms": 10**9},
    ]
    told = profit_in(rows, {"USD": 1.0, "EUR": 1.1}, 15.0)
    assert [round(told[name], 9) for name in (*PARTS, "conversion", "total")] == [3.0, 11.0, -1.0, 0.0, 2.0, 15.0]
    assert profit_in(rows[:1], {"USD": 1.0}, 2.0)["conversion"] == 0.0
