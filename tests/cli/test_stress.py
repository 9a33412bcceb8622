"""`stress`: its cells are what `backtest` gives, whatever is folded beside them; files, tables, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cli.tools import QUICKSTART, ROOT, Program
from tradectl.cli.stress_axes import Wanted, axes_of, base_of, plan
from tradectl.cli.stress_fold import Folds
from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.jit import DISABLE_JIT

MARKET_MAKER = ROOT / "configs" / "market_maker.yaml"
BOOK = (MARKET_MAKER, "--to", "2024-01-01T23:46:00Z" if DISABLE_JIT else "2024-01-01T23:55:00Z")
BARS = (QUICKSTART, "--to", "2024-01-03")
FEW = ("--queue", "risk_averse", "--latency", "0,50ms/20ms", "--fees", "0,0.0001/0.0003", "--slippage", "2")
SAME = "final_equity total_return fees orders fills denied rejected max_drawdown ambiguous_bars state_hash".split()
RATIOS = ("fill_ratio_orders", "fill_ratio_qty", "maker_share_notional")


def stress(program: Program, *args: object) -> dict[str, Any]:
    done = program("stress", *args, "--json")
    assert (done.code, len(done.objects)) == (0, 1), done.err
    return dict(done.objects[0])


def backtest(program: Program, *args: object) -> dict[str, Any]:
    done = program("backtest", *args, "--json", "--out", "runs")
    assert done.code == 0, done.err
    return dict(done.objects[0])


def assert_same(cell: dict[str, Any], summary: dict[str, Any]) -> None:
    assert {name: cell[name] for name in SAME} == {name: summary[name] for name in SAME}
    assert cell["pnl"] == pytest.approx(summary["final_equity"] - summary["initial_equity"], abs=1e-7)
    for name in RATIOS if summary.get("execution") else ():
        wanted = summary["execution"][name]
        assert cell[name] == (None if wanted is None else pytest.approx(wanted, rel=1e-12))


def cell_at(result: dict[str, Any], **labels: str) -> dict[str, Any]:
    """Return the cell that differs from the base in these labels only."""
    wanted = {name: labels.get(name, result["base"][name]) for name in result["axes"]}
    (found,) = (one for one in result["cells"] if all(one[name] == wanted[name] for name in wanted))
    return dict(found)


def test_cells_on_a_book_are_backtests(program: Program) -> None:
    result = stress(program, *BOOK, *FEW)
    base = backtest(program, *BOOK)
    assert base["fills"] > (0 if DISABLE_JIT else 50)
    assert_same(result["base"], base)
    assert result["cells"][0] == result["base"]
    assert result["events"] == base["events"]
    assert result["initial_equity"] == base["initial_equity"]
    assert result["config_hash"] == base["config_hash"]
    far = ("--set", "execution.latency.entry=50ms", "--set", "execution.latency.response=20ms")
    other = backtest(program, *BOOK, *far, "--set", "execution.queue=risk_averse")
    assert_same(cell_at(result, queue="risk_averse", latency="50ms/20ms"), other)
    dear = backtest(program, *BOOK, "--set", "fees.maker=0.0001", "--set", "fees.taker=0.0003")
    assert_same(cell_at(result, fee_level="0.0001/0.0003"), dear)


def test_cells_on_bars_are_backtests(program: Program) -> None:
    result = stress(program, *BARS, "--latency", "0,10m", "--fees", "2x", "--slippage", "5")
    base = backtest(program, *BARS)
    assert base["fills"] > 0
    assert_same(result["base"], base)
    assert_same(cell_at(result, slippage="5"), backtest(program, *BARS, "--set", "execution.slippage.ticks=5"))
    late = ("--set", "execution.latency.entry=10m", "--set", "execution.latency.response=10m")
    assert_same(cell_at(result, latency="10m"), backtest(program, *BARS, *late))
    assert result["axes"]["queue"] == ["–"]
    assert (result["grid"]["rows"], result["grid"]["columns"]) == ("fee_level", "latency")
    assert any("no depth" in note for note in result["notes"])


def test_jobs_and_reading_again_change_no_cell(program: Program) -> None:
    one, more = (stress(program, *BOOK, *FEW, "-j", jobs) for jobs in (1, 3))
    assert one["cells"] == more["cells"]
    assert one["break_even"] == more["break_even"]
    wired = wire(load_config(MARKET_MAKER, overrides={"data.to": BOOK[2]}))
    base = base_of(wired.spec)
    points = plan(axes_of(Wanted("log", "0,1ms", "0", "0"), wired.spec), base, full=False)
    cells, heard = [], []
    for memory in (1 << 30, 0):
        folds = Folds(wired, 2, lambda done, total: heard.append((done, total)), memory)
        folds.load(lambda _seen: None)
        assert folds.in_memory == (memory > 0)
        cells.append(folds.run(points))
        assert folds.count == len(points)
    assert cells[0] == cells[1]
    assert heard[-1][0] >= heard[-1][1] > 0


def test_plain_strategies_give_the_same(program: Program) -> None:
    few = (MARKET_MAKER, "--to", "2024-01-01T23:46:00Z", "--queue", "log", "--latency", "1ms", "--fees", "0")
    compiled = stress(program, *few)
    plain = stress(program, *few, "--set", "strategy.jit=false", "-j", 4)
    assert plain["cells"] == compiled["cells"]
    assert plain["jobs"] == 1


def test_recorded_latencies_are_one_value_of_the_axis(program: Program, tmp_path: Path) -> None:
    start = 1_704_152_700_000_000_000  # where the sample begins, ns
    rows = [(start + k * 10**9, start + k * 10**9 + 3_000_000, start + k * 10**9 + 4_000_000) for k in (0, 900)]
    table = tmp_path / "latency.csv"
    pl.DataFrame(rows, ["request", "exchange", "response"], orient="row").write_csv(table)
    sets = ("--set", f"execution.latency={{recorded: {table}}}")
    result = stress(program, *BOOK, *FEW, *sets)
    assert_same(result["base"], backtest(program, *BOOK, *sets))
    assert result["base"]["latency"] == "recorded"
    assert result["base"]["entry_ns"] is None
    assert "0" in result["axes"]["latency"]


def test_multiples_of_no_fees_are_told(program: Program) -> None:
    free = ("--set", "fees={}", "--fees", "0,2x,0.0002/0.0005", "--latency", "0")
    result = stress(program, *BARS, *free)
    assert any("fees are zero" in note for note in result["notes"])
    assert cell_at(result, fee_level="2x")["state_hash"] == result["base"]["state_hash"]
    assert cell_at(result, fee_level="0.0002/0.0005")["fees"] > 0


def test_full_folds_the_whole_product(program: Program) -> None:
    short = (MARKET_MAKER, "--to", "2024-01-01T23:45:30Z", "--full")
    result = stress(program, *short, "--queue", "log", "--latency", "1ms", "--fees", "0", "--slippage", "1")
    assert result["full"] is True
    assert len(result["cells"]) == 2**4
    assert result["folds"] >= 2**4


def test_files_hold_the_cells(program: Program) -> None:
    done = program("stress", *BOOK, *FEW, "--out", "made")
    assert done.code == 0
    assert "break-even fee" in done.out
    assert "P&L in USD" in done.out
    assert sorted(path.name for path in Path("made").iterdir()) == ["stress.html", "stress.json", "stress.parquet"]
    result = json.loads(Path("made/stress.json").read_text())
    rows = pl.read_parquet("made/stress.parquet").to_dicts()
    assert [{**one, "error": None} for one in rows] == result["cells"]
    grid = result["grid"]
    for row, label in enumerate(grid["row_labels"]):
        for column, latency in enumerate(grid["column_labels"]):
            cell = cell_at(result, queue=label, latency=latency)
            assert grid["pnl"][row][column] == cell["pnl"]
            assert grid["fill_ratio"][row][column] == cell["fill_ratio_qty"]
    page = Path("made/stress.html").read_text()
    assert "risk_averse" in page
    assert page.count("<table>") == 3
    assert page.count('class="own"') >= 2
    assert "break-even fee" in page
    assert not [word for word in ("<script", "http", "src=") if word in page]  # it needs no network


@pytest.mark.parametrize(
    ("config", "options", "code", "told"),
    [
        (MARKET_MAKER, ("--queue", "powr3"), 2, "did you mean 'power3'"),
        (MARKET_MAKER, ("--fees", "900"), 2, "900x makes fees of"),
        (MARKET_MAKER, ("--latency", "5"), 2, "with a unit"),
        (QUICKSTART, ("--queue", "power3"), 2, "this run has none"),
        (QUICKSTART, ("--set", "execution.pth=adverse"), 2, "path"),
        (Path("nowhere.yaml"), (), 2, "no such file"),
    ],
)
def test_errors(program: Program, config: Path, options: tuple[str, ...], code: int, told: str) -> None:
    done = program("stress", config, *options, "--out", "made")
    assert done.code == code
    assert told in done.err
    assert not Path("made").exists()


def test_a_strategy_that_raises_is_told_as_in_a_backtest(program: Program, tmp_path: Path) -> None:
    tmp_path.joinpath("bad.py").write_text(
        "from tradectl.strategy import strategy, Int64\n\n\n@strategy\nclass Bad:\n    class State:\n"
        "        seen = Int64()\n\n    def on_bar(ctx, p, s):\n        s.seen += 1\n        if s.seen > 9:\n"
        "            raise ValueError\n"
    )
    sets = ("--set", f"strategy.path={tmp_path / 'bad.py'}", "--set", "strategy.params={}")
    done = program("stress", *BARS, *sets)
    assert done.code == 4
    assert "bad.py" in done.err
