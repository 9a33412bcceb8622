"""Shipped strategies on real bars: they trade, nothing is refused, the ledger balances, runs repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tradectl.cli.runner import run_backtest
from tradectl.cli.runner_verify import verify

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
HOURS, DAYS = SHARED / "binance_1h_usdt", SHARED / "sp500_5yr"
ETH = {"ETH/USDT": {"tick_size": 0.01, "lot_size": 0.001}}
BOTH = ETH | {"BTC/USDT": {"tick_size": 0.01, "lot_size": 0.001}}
AAP = {"AAP": {"tick_size": 0.01, "lot_size": 1}}
CASES: dict[str, dict[str, Any]] = {
    "buy_and_hold": {"source": HOURS / "ETHUSDT_1h.csv.gz", "instruments": ETH, "trades": 0},
    "ema_cross": {
        "source": HOURS / "ETHUSDT_1h.csv.gz", "instruments": ETH, "trades": 50,
        "params": {"fast": 24, "slow": 96, "window": 168, "periods": 8760.0, "short": True}, "leverage": 2,
    },
    "bollinger_limits": {"source": HOURS / "ETHUSDT_1h.csv.gz", "instruments": ETH, "trades": 300},
    "grid": {"source": HOURS / "ETHUSDT_1h.csv.gz", "instruments": ETH, "trades": 200, "params": {"step": 0.02}},
    "pairs": {
        "source": HOURS / "{BTC,ETH}USDT_1h.csv.gz", "instruments": BOTH, "trades": 100,
        "params": {"window": 500}, "leverage": 3,
    },
    "sklearn_walk_forward": {
        "source": DAYS / "AAP_data.csv.gz", "instruments": AAP, "trades": 20, "jit": False, "timeframe": "1d",
    },
}  # fmt: skip


def sources(pattern: Path) -> list[str]:
    """Return the files of a place with {A,B} in its name."""
    head, _, rest = pattern.name.partition("{")
    names, _, tail = rest.partition("}")
    return [str(pattern.with_name(head + one + tail)) for one in names.split(",")] if rest else [str(pattern)]


@pytest.mark.parametrize("name", CASES)
def test_it_trades_and_balances(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    places = sources(case["source"])
    if not all(Path(place).is_file() for place in places):
        pytest.skip(f"needs {case['source'].parent}")
    if name.startswith("sklearn"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    currency = "USD" if "AAP" in case["instruments"] else "USDT"
    margin = {"type": "margin", "leverage": case["leverage"]} if "leverage" in case else {"type": "cash"}
    config = {
        "name": name,
        "strategy": {
            "path": str(ROOT / "strategies" / f"{name}.py"), "params": case.get("params", {}),
            "jit": case.get("jit", True),
        },
        "data": {
            "source": places, "kind": "bars", "timeframe": case.get("timeframe", "1h"),
            "symbols": list(case["instruments"]),
        },
        "instruments": case["instruments"],
        "account": {**margin, "currency": currency, "balance": 100_000},
        "execution": {"slippage": {"ticks": 1}, "scenarios": False},
        "fees": {"maker": 0.0002, "taker": 0.0005},
        "sizing": {"method": "percent_equity", "value": 0.9},
    }  # fmt: skip
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    result = run_backtest(path, out=tmp_path / "runs")
    told = result.summary
    assert told["status"] == "complete"
    assert told["audit"]["balanced"]
    assert told["denied"] == told["rejected"] == 0
    assert told["trades"] >= case["trades"]
    assert told["exposure"] > 0.15
    assert -0.95 < told["total_return"] < 5.0
    assert verify(result.run_dir, [], lambda *_: None).identical
