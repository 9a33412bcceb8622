"""Finer bars decide what coarse ones cannot: the same orders on 4h bars, on these with 1m detail, and on 1m bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tradectl.cli.runner import run_backtest

DATA = Path(__file__).parents[3] / "shared" / "data" / "bybit_linear_2025"
WINDOW = {"from": "2025-05-30 20:00", "to": "2025-06-29 16:00"}  # whole bars of 4h in both files
COARSE = {"source": str(DATA / "ADAUSDT_240m.csv"), "timeframe": "4h", **WINDOW}
FINE = {"source": str(DATA / "ADAUSDT_1m.csv.gz"), "timeframe": "1m", **WINDOW}
SOURCE = '''"""An entry with its stop and its target, sent together."""

from tradectl.strategy import Bool, Int64, strategy


@strategy
class Entry:
    """Enter 0.2 % away by a limit or a stop; leave 0.6 % from there."""

    class Params:
        limit = Bool(True)

    class State:
        entry = Int64()

    def on_bar(ctx, p, s):
        if ctx.position_lots != 0:
            return
        ctx.cancel_all()
        at = ctx.close * (0.998 if p.limit else 1.002)
        if p.limit:
            ctx.buy(100.0, limit=at)
        else:
            ctx.buy(100.0, stop=at)
        ctx.sell(100.0, stop=at * 0.994, reduce_only=True)
        ctx.sell(100.0, limit=at * 1.006, reduce_only=True)
'''

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="../shared/data/bybit_linear_2025 is not there")


def run(folder: Path, name: str, by_limit: bool, **blocks: Any) -> dict[str, Any]:
    """Return the summary of one run."""
    (folder / "entry.py").write_text(SOURCE)
    config = {
        "name": name, "strategy": {"path": "entry.py", "params": {"limit": by_limit}}, **blocks,
        "account": {"type": "margin", "currency": "USDT", "balance": 1_000, "leverage": 2},
        "fees": {"maker": 0.0002, "taker": 0.00055},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return run_backtest(path, out=folder / "runs").summary


@pytest.mark.parametrize("by_limit", [True, False])
def test_detail_gives_what_the_finer_source_gives(by_limit: bool, tmp_path: Path) -> None:
    plain = run(tmp_path, "plain", by_limit, data=COARSE)
    detailed = run(
        tmp_path, "detailed", by_limit, data=[COARSE, FINE | {"detail": True}], execution={"detail": "1m"}
    )
    fine = run(tmp_path, "fine", by_limit, data=FINE, bars=["4h"])
    assert plain["ambiguous_bars"] > 40
    assert detailed["ambiguous_bars"] == fine["ambiguous_bars"] == 0
    same = ("fills", "trades", "final_equity", "fees")
    assert [detailed[key] for key in same] == [fine[key] for key in same]
    assert plain["final_equity"] != fine["final_equity"]
