"""Book data from nothing to a verified run: generated, described, traded by the shipped and by new strategies."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.cli.tools import ROOT, Program
from tradectl.core.jit import DISABLE_JIT

NAMES = ("market_maker", "imbalance_taker", "book_grid", "twap", "vwap")
LAST = "2024-01-01T23:58:00Z" if DISABLE_JIT else "2024-01-02T00:15:00Z"


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configs_run_out_of_the_box_and_verify(program: Program, name: str) -> None:
    done = program("backtest", ROOT / "configs" / f"{name}.yaml", "--to", LAST, "--json")
    assert done.code == 0, done.err
    summary = done.objects[0]
    assert summary["fills"] > 0
    assert summary["audit"]["balanced"]
    verified = program("verify", summary["run_dir"])
    assert verified.code == 0, verified.out


@pytest.mark.parametrize(("name", "sign"), [("twap", 1), ("vwap", -1)])
def test_a_parent_order_is_done_to_the_last_lot(program: Program, name: str, sign: int) -> None:
    params = ("qty=77.7", "delay=30", "duration=300", "slices=20")
    sets = [word for one in params for word in ("--set", f"strategy.params.{one}")]
    done = program("backtest", ROOT / "configs" / f"{name}.yaml", "--to", "2024-01-01T23:52:00Z", *sets, "--json")
    fills = pl.read_parquet(Path(done.objects[0]["run_dir"]) / "fills.parquet")
    assert fills["qty_lots"].sum() == 777
    assert fills["position_lots"][-1] == sign * 777
    assert fills["mid"].null_count() == 0  # what slippage is measured against


def test_generated_book_data(program: Program) -> None:
    words = ("data", "generate", "cat", "--kind", "book", "--symbols", "A/USD,B/USD", "--duration", "2m", "--seed", "5")
    made = program(*words, "--rate", "50", "--json")
    assert made.code == 0, made.err
    assert made.objects[0]["rows"] > 8_000
    checked = program("data", "check", "cat", "--kind", "book")
    assert checked.code == 0, checked.out
    assert "a run takes this data" in checked.out
    assert "rows" in program(*words).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "boks"), "did you mean 'book'"),
        (("--kind", "book", "--bars", "5"), "--bars is not for --kind book"),
        (("--rate", "5"), "--rate is not for --kind bars"),
        (("--kind", "book", "--duration", "soon"), "--duration"),
        (("--kind", "book", "--price", "1"), "1000 ticks"),
    ],
)
def test_what_generate_refuses(program: Program, words: tuple[str, ...], said: str) -> None:
    done = program("data", "generate", "cat", "--symbols", "A/USD", *words)
    assert done.code == 2
    assert said in done.err


def test_a_new_strategy_on_book_data_works_and_its_test_passes(program: Program, tmp_path: Path) -> None:
    made = program("strategy", "new", "My Quoter", "--kind", "book")
    assert made.code == 0, made.err
    assert program("config", "check", "configs/my_quoter.yaml").code == 0
    run = program("backtest", "configs/my_quoter.yaml", "--to", LAST, "--json")
    assert run.objects[0]["fills"] > 0
    namespace: dict[str, object] = {"__file__": str(tmp_path / "tests" / "strategies" / "test_my_quoter.py")}
    exec(Path("tests/strategies/test_my_quoter.py").read_text(), namespace)
    namespace["test_it_trades"](tmp_path / "out")  # type: ignore[operator]
    assert program("strategy", "new", "x", "--kind", "boo").code == 2
    assert program("strategy", "new", "x", "--kind", "book", "--scope", "portfolio").code == 2
