"""The headline table of a run: what stands in it only where there is something to tell."""

from __future__ import annotations

import pytest

from tradectl.cli import output, result_table

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
