"""What an account can afford, against the definition: the most lots whose cost is there, to the atom."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tradectl.core.buying import affordable_lots, cost_to_open

NANO = 1_000_000_000


@pytest.mark.parametrize("leverage", [1, 2, 3, 7])
@pytest.mark.parametrize("fee", [0, 500_000, 1_234_567, 9_999_999])
@pytest.mark.parametrize("unit", [(1, 1), (333, 1000), (10**6, 1), (100, 1), (1, 7)])
def test_one_atom_decides_about_one_lot(unit: tuple[int, int], fee: int, leverage: int) -> None:
    engine = SimpleNamespace(leverage_nano=leverage * NANO)
    market = SimpleNamespace(unit_num=unit[0], unit_den=unit[1])
    for price in (1, 97, 10_007):
        for lots in (*range(1, 80), 10**6):
            cost = cost_to_open(engine, market, 1, price, lots, fee)
            got = affordable_lots(engine, market, 1, price, 10**12, fee, cost)
            assert got >= lots
            assert cost_to_open(engine, market, 1, price, got, fee) == cost
            assert cost_to_open(engine, market, 1, price, got + 1, fee) > cost
            assert affordable_lots(engine, market, 1, price, lots, fee, cost) == lots
            fewer = affordable_lots(engine, market, 1, price, 10**12, fee, cost - 1)
            assert fewer < lots or cost_to_open(engine, market, 1, price, fewer, fee) <= cost - 1
