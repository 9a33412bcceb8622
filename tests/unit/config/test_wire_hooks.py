"""What a strategy waits for and the data do not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradectl.config.wire_hooks import unheard
from tradectl.strategy.loader import load_strategy

STRATEGIES = Path(__file__).parents[3] / "strategies"


@pytest.mark.parametrize(
    ("name", "kinds", "told"),
    [
        ("market_maker", [{"trades", "depth"}], []),
        ("market_maker", [{"orders"}], []),
        ("market_maker", [{"trades"}, {"depth"}], []),
        ("market_maker", [set()], []),
        ("market_maker", [{"trades"}], ["uses ctx.bid_ticks, ctx.ask_ticks, ctx.spread_ticks, and the data"]),
        ("market_maker", [{"depth", "mark"}], ["has on_trade, and the data has depth and mark alone"]),
        ("imbalance_taker", [{"bars"}], ["uses on_depth, "]),
        ("sma_cross", [{"bars"}], []),
    ],
)
def test_what_is_not_in_the_data_is_told(name: str, kinds: list[set[str]], told: list[str]) -> None:
    strategy = load_strategy(STRATEGIES / f"{name}.py", {}, n_instruments=1, jit=True)
    notes = list(unheard(name, strategy, [frozenset(one) for one in kinds]))
    assert len(notes) == len(told)
    for note, words in zip(notes, told, strict=True):
        assert note.startswith(f"strategy {name} {words}")
