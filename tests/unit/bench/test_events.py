"""The bench of tick data: its made-up markets hold together, and its figures are of folds that did something."""

from __future__ import annotations

import numpy as np
import pytest

from tradectl.bench.events import CASES, bench_events, fold_ticks, quotes_of, spec_for
from tradectl.bench.order_flow import generate_orders
from tradectl.bench.tick_flow import generate_ticks
from tradectl.core.codes import EventKind
from tradectl.core.jit import DISABLE_JIT

N = 1_500 if DISABLE_JIT else 60_000
MAKERS = [name for name, case in CASES.items() if case.trades]


def market(data: str) -> np.ndarray:
    if data == "orders":
        return generate_orders(N)
    return generate_ticks(N) if data == "depth" else quotes_of(generate_ticks(N))


@pytest.mark.parametrize("name", CASES)
def test_a_case_folds_a_whole_market_that_makes_sense(name: str) -> None:
    events = market(CASES[name].data)
    assert (np.diff(events["ts_event"]) >= 0).all()
    seconds, state, out = fold_ticks(spec_for(CASES[name]), events)
    venue = state.venues[0]
    assert seconds > 0
    assert (venue["n_crossed"], venue["n_unknown"], venue["n_late"], venue["n_gaps"]) == (0, 0, 0, 0)
    assert 0 < venue["bid"] < venue["ask"]
    assert bool(out["orders"]) == CASES[name].trades
    assert DISABLE_JIT or not CASES[name].trades or (out["fills"] and out["canceled"])


def test_a_seed_gives_the_same_market() -> None:
    for data in ("depth", "orders"):
        assert market(data).tobytes() == market(data).tobytes()


def test_orders_name_orders_that_are_there() -> None:
    events = generate_orders(N)
    live: dict[int, int] = {}
    for kind, key, lots in zip(*(events[name].tolist() for name in ("kind", "w2", "w1")), strict=True):
        if kind == EventKind.ORDER_ADD:
            assert key not in live
            live[key] = lots
        elif kind == EventKind.ORDER_CANCEL:
            del live[key]
        else:
            live[key] -= lots
            assert live[key] >= 0
            if live[key] == 0:
                del live[key]


@pytest.mark.skipif(DISABLE_JIT, reason="figures of compiled folds")
def test_figures_of_all_cases() -> None:
    found = bench_events(events=N, repeats=1, run_events=0)
    assert all(found[f"{name}_events_per_s"] > 0 for name in CASES)
    assert all(found[f"{name}_fills"] > 0 and found[f"{name}_canceled"] > 0 for name in MAKERS)
