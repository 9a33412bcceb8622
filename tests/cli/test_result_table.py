"""The headline table of a run: what stands in it only where there is something to tell."""

from __future__ import annotations

import pytest

from tradectl.cli import execution_table, output, result_table
from tradectl.cli.paper_table import session_notes

PICO = 10**12
USDT = {"currency": "USDT", "rate_pico": PICO}


def shown(*summaries: dict[str, object]) -> list[str]:
    """Return the lines of the table with single spaces."""
    console = output.out()
    with console.capture() as captured:
        console.print(result_table.result_table(*summaries))
    return [" ".join(line.split()) for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("balances", "text"),
    [
        ([USDT | {"funding_atoms": 1_066_000_000}], "10.66"),
        ([USDT | {"funding_atoms": -250_000_000}], "-2.50"),  # received
        (
            [USDT | {"funding_atoms": 100_000_000}, {"rate_pico": PICO // 2, "funding_atoms": 300_000_000}],
            "2.50",
        ),
    ],
)
def test_funding_stands_below_the_fees(balances: list[dict[str, int]], text: str) -> None:
    lines = shown({"name": "x", "fees": 1.0, "balances": balances})
    at = lines.index(f"funding paid {text}")
    assert lines[at - 1] == "fees 1.00"


@pytest.mark.parametrize(
    "summary", [{}, {"balances": []}, {"balances": [USDT | {"funding_atoms": 0}]}, {"balances": [USDT]}]
)
def test_without_funding_there_is_no_line_for_it(summary: dict[str, object]) -> None:
    assert not [line for line in shown({"name": "x", **summary}) if "funding" in line]


def test_runs_side_by_side_share_the_line() -> None:
    lines = shown(
        {"name": "spot"}, {"name": "perpetual", "balances": [USDT | {"funding_atoms": 500_000_000}]}
    )
    assert "funding paid 0.00 5.00" in lines


def test_lines_on_execution_in_a_coin() -> None:
    held = {"mean": -0.25, "mean_abs": 0.75, "max_abs": 2.0, "flat_share": 0.1}
    costs = {"delay": 0.001, "impact": 0.0, "fee": 0.0302, "opportunity": 0.0, "shortfall": 0.0312, "bps": 3.0}
    parts = {"spread": -0.01, "inventory": 0.0086, "fees": -0.0302, "funding": 0.0, "conversion": 0.0}
    told = {
        "orders": 5, "orders_filled": 4, "fill_ratio_orders": 0.8, "fill_ratio_qty": None, "unmarked_fills": 3,
        "first_fill_s": {"median": 1.0, "p90": 2.0}, "shortfall": {**costs, "orders": 3},
        "queue_at_post_lots": {"median": None}, "queue_at_fill_lots": {"median": None},
        "messages": {"total": 5, "per_fill": None, "orders": 5, "cancels": 0, "modifies": 0},
        "instruments": {"X/BTC": {"inventory": held}}, "pnl": {**parts, "total": -0.0316},
    }  # fmt: skip
    lines = "\n".join(execution_table.execution_notes({"currency": "BTC", "execution": told}))
    assert "profit -0.03160000 = spread -0.01000000 + inventory 0.00860000 + fees -0.03020000 + funding" in lines
    assert "fee 0.03020000 + opportunity 0.00000000; 2 orders of which a mid is not known are left out" in lines
    assert "inventory X/BTC: mean -0.25, mean size 0.75, largest 2, none 10.00 % of the time" in lines
    assert "3 fills lack some: too many waited at once (engine.order_capacity)" in lines
    book = {"instrument": "X/BTC", "level": "depth", "messages": 9, "late": 0, "gaps": 1, "crossed": 2}
    lines = "\n".join(execution_table.execution_notes({"execution": told, "book": [book]}))
    assert "3 fills lack some: a gap had broken the book by then, or too many waited" in lines
    assert "2 left locked or crossed" in "\n".join(execution_table.feed_notes({"book": [book]}))


def test_the_feeds_of_a_session() -> None:
    channel = {"messages": 1_000, "connections": 3, "dropped": 0}
    gap = {"at": "2026-01-01T10:00:00.000000001+00:00", "exchange": "x", "what": "gap", "symbol": "A", "orders": 0}
    ended = [{**gap, "text": str(k), "until": "2026-01-01T10:00:0" + f"{k}.500000000+00:00"} for k in range(6)]
    none = {"count": 0}
    feeds = {
        "channels": [channel, channel], "resumed": [{}], "interruptions": [gap, *ended], "lag": none,
        "unnoted": [{"at": gap["at"], "until": ended[1]["until"]}],
        "latency": {"message_to_fold": none, "message_to_order": none},
    }  # fmt: skip
    first, lasting, over, *_, more, unnoted, _ = session_notes({"feeds": feeds, "ended": "interrupted"})
    assert "2,000 messages on 2 channels, channels connected again 4 times, resumed 1 times; ended: interr" in first
    assert lasting.endswith("10:00:00.000 to the end gap: x A")
    assert over.endswith("10:00:00.000 until 10:00:00.500 gap (0): x A")
    assert more.endswith("2 more interruptions in summary.json")
    assert "2026-01-01 10:00:00 to 2026-01-01 10:00:01, before it was broken off" in unnoted
