"""The oracle itself: its ledger after every step, its balances recomputed from the fills."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.golden.oracle_backend import OracleBackend
from tests.golden.protocol import E9, Config
from tests.oracle.bars_compare import compare_seeds
from tests.oracle.bars_oracle import Oracle
from tests.oracle.random_flow import Flow, census, compare, make_flow, run_flow
from tradectl.core.codes import AccountType, FillPhase, LiquiditySide, OrderStatus, Side

SEEDS = range(400)


def ledger(oracle: Oracle) -> int:
    """Return by how many atoms the books are off."""
    world = oracle.world
    cost = sum(p.cost for p in world.positions)
    realised = sum(p.realised for p in world.positions)
    return world.balance + cost + world.fees + world.funding - oracle.config.balance_atoms - realised


def recompute(flow: Flow, oracle: Oracle) -> tuple[int, int, list[int]]:
    """Return (balance, fees, lots) from the fill rows alone."""
    balance, fees = flow.config.balance_atoms, 0
    lots = [0] * len(flow.config.instruments)
    for row in oracle.fills:
        spec = flow.config.instruments[row.instrument]
        exact: Fraction = row.price_ticks * row.qty_lots * spec.atoms_per_tick_lot
        notional = -(-exact.numerator // exact.denominator) if row.side == Side.BUY else exact.__floor__()
        rate = flow.config.maker_e9 if row.liquidity == LiquiditySide.MAKER else flow.config.taker_e9
        fee = -(-notional * rate // E9)
        if row.phase == FillPhase.DELISTING and flow.config.write_off:
            fee = 0
        assert fee == row.fee_atoms
        balance -= row.side * notional + fee
        fees += fee
        lots[row.instrument] += row.side * row.qty_lots
    return balance, fees, lots


@pytest.mark.parametrize("seed", SEEDS)
def test_ledger_balances_after_every_step(seed: int) -> None:
    flow = make_flow(seed)
    oracle = Oracle(flow.config)
    for step in flow.steps:
        oracle.apply(step)
        world = oracle.world
        assert ledger(oracle) == 0
        balance, fees, lots = recompute(flow, oracle)
        assert (balance, fees, lots) == (world.balance + world.funding, world.fees, [p.lots for p in world.positions])
        for position in world.positions:
            assert position.lots * position.cost >= 0 or abs(position.cost) <= 1
            assert position.lots or position.cost == 0
            assert position.lots >= 0 or flow.config.account == AccountType.MARGIN
        filled = {row.order_id: row.filled_lots for row in oracle.orders}
        for order_id, lots_filled in filled.items():
            assert lots_filled == sum(f.qty_lots for f in oracle.fills if f.order_id == order_id)


@pytest.mark.parametrize("seed", range(0, 400, 10))
def test_same_run_twice_is_the_same(seed: int) -> None:
    flow = make_flow(seed)
    first, outcomes = run_flow(flow, OracleBackend())
    second, again = run_flow(make_flow(seed), OracleBackend())
    assert compare(first, second, outcomes, again) == ""


def test_compare_names_the_first_difference() -> None:
    flow = next(f for f in map(make_flow, SEEDS) if len(run_flow(f, OracleBackend())[0].fills) > 2)
    first, _ = run_flow(flow, OracleBackend())
    second, _ = run_flow(flow, OracleBackend())
    second.fills.pop(1)
    assert compare(first, second).startswith("fills[1]")


class DearOracle(OracleBackend):
    """An oracle that takes the maker's fee for the taker's."""

    name = "dear"

    def configure(self, config: Config) -> None:
        """Begin a new run with a wrong fee."""
        super().configure(replace(config, maker_e9=config.taker_e9))


def test_compare_seeds_finds_a_planted_fault_and_no_other() -> None:
    assert compare_seeds(range(20), OracleBackend())[0] == ""
    assert "fee_atoms" in compare_seeds(range(20), DearOracle())[0]


def test_random_runs_reach_every_type_and_status() -> None:
    flows = [make_flow(seed) for seed in SEEDS]
    results = [run_flow(flow, OracleBackend())[0] for flow in flows]
    counts = census(results, flows)
    kinds = [(t, f) for t in ("MARKET", "LIMIT", "STOP_MARKET", "STOP_LIMIT") for f in ("GTC", "IOC", "FOK")]
    assert not [kind for kind in kinds if counts[kind] < 10], counts
    statuses = {row.status for result in results for row in result.orders}
    assert {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.DENIED} <= statuses
    assert OrderStatus.REJECTED in statuses
    assert sum(result.ambiguous_bars for result in results) > 50
