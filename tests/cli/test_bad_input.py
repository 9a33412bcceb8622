"""What users break: each case ends with a clear message, its exit code and no half-written run."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.cli.bad_input import (
    BUY,
    CONFIG,
    HEAD,
    START_MS,
    changed,
    csv,
    failed_run,
    prepare,
    row,
    rows,
    runs_left,
    told,
)  # fmt: skip
from tests.cli.tools import Program, process
from tradectl.core.jit import DISABLE_JIT

PLAIN = changed("{path: mine.py}", "{path: mine.py, jit: false}")
DATA = "  timeframe: 1m"
NESTED = "[" * 2_000 + "]" * 2_000

# name: (configuration, exit code, parts of the message)
CONFIGS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "broken yaml": (changed("[X/USD]", "[X/USD"), 2, ("run.yaml:7:", "not valid YAML")),
    "tab": (changed(DATA, "\ttimeframe: 1m"), 2, ("run.yaml:5:1", "tab")),
    "key twice": (changed("name: broken", "name: a\nname: b"), 2, ("run.yaml:2: name", "first in line 1")),
    "a list": ("- a\n- b\n", 2, ("run.yaml:1", "got a list")),
    "a word": ("hello\n", 2, ("run.yaml:1", "'hello'")),
    "empty": ("", 2, ("run.yaml:1", "empty")),
    "nested without end": (f"name: {NESTED}\n", 2, ("run.yaml:1", "nested")),
    "unknown unit": (changed("1m\n", "1 fortnight\n"), 2, ("run.yaml:5: data.timeframe", "'1 fortnight'")),
    "no unit": (CONFIG + "engine: {watchdog: 2}\n", 2, ("run.yaml:9: engine.watchdog", "with a unit")),
    "unknown key": (changed("balance:", "balence:"), 2, ("run.yaml:8: account.balence", "did you mean 'balance'")),
    "unknown block": (CONFIG + "exection: {}\n", 2, ("run.yaml:9", "did you mean 'execution'")),
    "unknown profile": (changed(DATA, f"{DATA}\n  profile: bitfinx"), 2, ("run.yaml:6: data.profile", "'bitfinex'")),
    "unknown symbol": (changed("X/USD:", "Z/USD:"), 2, ("run.yaml:7: instruments.Z/USD", "'X/USD'")),
    "symbol not in the data": (CONFIG.replace("X/USD", "Y/USD"), 3, ("XUSD_1m.csv: no rows of Y/USD", "XUSD")),
    "unknown strategy symbol": (changed("mine.py}", "mine.py, symbols: [Q/USD]}"), 2, ("run.yaml:2", "'Q/USD'")),
    "unknown strategy file": (changed("mine.py", "mein.py"), 4, ("mein.py", "did you mean 'mine.py'")),
    "unknown class": (changed("mine.py", "mine.py:Miner"), 4, ("mine.py: no strategy class", "'Mine'")),
    "unknown parameter": (changed("mine.py}", "mine.py, params: {fast: 3}}"), 4, ("'fast'", "the strategy has none")),
    "negative balance": (changed("100000", "-5"), 2, ("run.yaml:8: account.balance", "got -5")),
    "overflowing balance": (changed("100000", "1e30"), 2, ("run.yaml:8: account.balance", "46000000000")),
    "a balance that is no number": (changed("100000", ".nan"), 2, ("run.yaml:8: account.balance",)),
    "zero tick": (changed("{tick_size: 0.01", "{tick_size: 0"), 2, ("run.yaml:7: instruments.X/USD.tick_size",)),
    "from after to": (changed(DATA, f"{DATA}\n  from: 2024-02-01\n  to: 2024-01-01"), 2, ("run.yaml:6: data.from",)),
    "finer bars than the data": (CONFIG + "bars: [30s]\n", 2, ("run.yaml:9: bars[0]", "finer than the data")),
    "leverage in a cash account": (changed("cash,", "cash, leverage: 3,"), 2, ("run.yaml:8: account.leverage",)),
    "no data file": (changed("XUSD_1m.csv", "XUSD.csv"), 3, ("no such file", "did you mean 'XUSD_1m.csv'")),
}  # fmt: skip


def _five(line: str) -> str:
    return csv(*rows(5), line, *rows(5, 6))


# name: (text of the file, exit code, parts of the message)
BARS: dict[str, tuple[str, tuple[str, ...]]] = {
    "disordered": (_five(row(2)), ("XUSD_1m.csv, row 6 (line 7)", "earlier than the row before")),
    "conflicting": (_five(row(4, "100,103,99,101")), ("row 6 (line 7)", "same stamp and different values")),
    "nan": (_five(row(5, "100,nan,99,100")), ("row 6 (line 7)", "high nan", "on_error: {nan: drop}")),
    "infinite": (_five(row(5, "inf,inf,inf,inf")), ("row 6 (line 7)", "infinite")),
    "text": (_five(row(5, "100,abc,99,100")), ("row 6 (line 7)", "high = 'abc'")),
    "negative price": (_five(row(5, "100,101,-3,100")), ("row 6 (line 7)", "low -3")),
    "impossible bar": (_five(row(5, "100,99,98,100")), ("row 6 (line 7)", "high 99", "on_error: {ohlc: clip}")),
    "unknown stamp": (_five("yesterday,100,101,99,100,5"), ("row 6 (line 7)", "timestamp = 'yesterday'")),
    "stamp out of range": (_five(f"{10**20},100,101,99,100,5"), ("row 6 (line 7)", "timestamp")),
    "overflowing price": (_five(row(5, "1e25,1e25,1e25,1e25")), ("2**53", "1e+25", "coarser tick_size")),
    "overflowing volume": (_five(row(5, volume="1e30")), ("2**53", "1e+30")),
    "empty file": ("", ("XUSD_1m.csv: the file is empty",)),
    "header only": (csv(), ("XUSD_1m.csv: no data row",)),
    "no column": (csv(*rows(5)).replace("close", "klose"), ("no column for close", "did you mean 'klose'")),
    "no text": ("\0\1\2\3" * 500, ("XUSD_1m.csv: not a text file",)),
}  # fmt: skip


def _gz() -> bytes:
    return gzip.compress(csv(*rows(5_000)).encode())


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("XUSD_1m.csv", csv(*rows(5_000)))
    return made.getvalue()


def _parquet() -> bytes:
    made = io.BytesIO()
    prices = {name: [100.0] * 500 for name in ("open", "high", "low", "close", "volume")}
    pl.DataFrame({"timestamp": [START_MS + k * 60_000 for k in range(500)], **prices}).write_parquet(made)
    return made.getvalue()


# name of the file: (its bytes, of which half is kept, and part of the message)
CUT: dict[str, tuple[Callable[[], bytes], str]] = {
    "XUSD_1m.csv.gz": (_gz, "ends early"),
    "XUSD_1m.csv.zip": (_zip, "truncated zip"),
    "XUSD_1m.parquet": (_parquet, "damaged or truncated"),
}


def _class(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines)


def _hook(*lines: str) -> str:
    state = ("class State:", "    k = Int64()", "    x = Float64()", "    w = Array(Float64, 4)")
    return _class(*state, "def on_bar(ctx, p, s):", *(f"    {line}" for line in lines))


# name: (source, parts of the message)
SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "syntax": (HEAD + "    def on_bar(ctx, p, s)\n        pass\n", ("mine.py:6:26: syntax error", "def on_bar")),
    "import": ("import nothing_such\n" + HEAD + BUY, ("mine.py:1: ModuleNotFoundError", "nothing_such")),
    "raises at import": ("raise RuntimeError('no')\n" + HEAD + BUY, ("mine.py:1: RuntimeError: no",)),
    "exits at import": ("raise SystemExit(0)\n" + HEAD + BUY, ("mine.py:1: SystemExit",)),
    "no class": ("x = 1\n", ("mine.py: no strategy in this file",)),
    "two classes": (HEAD + BUY + "\n\n@strategy\nclass Other:\n" + BUY, ("mine.py:Mine", "Other")),
    "unknown hook": (_class("def on_baar(ctx, p, s):", "    pass"), ("mine.py:6", "did you mean 'on_bar'")),
    "unknown attribute": (_hook("s.x = ctx.clsoe"), ("mine.py:11:15", "did you mean 'close'", "s.x = ctx.clsoe")),
    "unknown field": (_hook("s.y = 1.0"), ("mine.py:11:9", "no field 'y'")),
    "writes a parameter": (
        _class("class Params:", "    n = Int(3, low=1, high=9)", "def on_bar(ctx, p, s):", "    p.n = 4"),
        ("mine.py:9:9: parameters cannot be written",),
    ),
    "text in compiled code": (_hook("s.k = len('abc')"), ("mine.py:11", "jit: false")),
}  # fmt: skip
DEEP = "\n\ndef deep(n):\n    return deep(n + 1) + 1\n"
AT_50 = ("s.k += 1", "ctx.buy(1.0)", "if s.k == 50:")
FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "divides by zero": (_hook(*AT_50, "    s.k = s.k // (s.k - 50)"), ("mine.py:14: ZeroDivisionError", "00:50:00Z")),
    "index out of bounds": (_hook(*AT_50, "    s.w[s.k] = 1.0"), ("mine.py:14: IndexError", "s.w[s.k] = 1.0")),
    "raises": (_hook(*AT_50, "    raise ValueError('mine')"), ("mine.py:14: ValueError: mine", "LOCAL:XUSD")),
    "raises in on_start": (
        _class("def on_start(ctx, p, s):", "    raise ValueError('at start')", "def on_bar(ctx, p, s):", "    pass"),
        ("mine.py:7: ValueError: at start",),
    ),
    "raises in on_fill": (
        _class(
            "def on_bar(ctx, p, s):", "    ctx.buy(1.0)",
            "def on_fill(ctx, p, s, fill):", "    raise ValueError('at fill')",
        ),
        ("mine.py:9: ValueError: at fill",),
    ),
}  # fmt: skip
FLOOD = _hook("for i in range(100_000):", "    ctx.buy(1.0, limit=1.0)")
HANG = _hook("s.k += 1", "if s.k == 20:", "    while s.k > 0:", "        s.k += 1")


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations(program: Program, name: str) -> None:
    text, code, parts = CONFIGS[name]
    prepare(config=text)
    told(program("backtest", "run.yaml"), code, *parts)
    assert runs_left() == []


@pytest.mark.parametrize("name", BARS)
def test_bars(program: Program, name: str) -> None:
    text, parts = BARS[name]
    prepare(bars=text)
    told(program("backtest", "run.yaml"), 3, *parts)
    assert runs_left() == []


@pytest.mark.parametrize("name", CUT)
def test_truncated_files(program: Program, name: str) -> None:
    whole, part = CUT[name]
    prepare(changed("XUSD_1m.csv", name))
    content = whole()
    Path(name).write_bytes(content[: len(content) // 2])
    told(program("backtest", "run.yaml"), 3, name, part)
    assert runs_left() == []


@pytest.mark.parametrize("name", SOURCES)
def test_strategy_sources(program: Program, name: str) -> None:
    text, parts = SOURCES[name]
    prepare(strategy=text)
    told(program("backtest", "run.yaml"), 4, *parts)
    assert runs_left() == []


@pytest.mark.parametrize("config", [CONFIG, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", FAULTS)
def test_strategies_that_raise_leave_a_failed_run(program: Program, name: str, config: str) -> None:
    text, parts = FAULTS[name]
    prepare(config, strategy=text)
    done = program("backtest", "run.yaml")
    told(done, 4, *parts)
    failed_run(done)
    assert program("verify", "latest").code == 0  # also a failed run folds again to the same bytes


def test_recursion(program: Program) -> None:
    if not DISABLE_JIT:
        prepare(strategy=_hook("s.k = deep(s.k)") + DEEP)
        told(program("backtest", "run.yaml"), 4, "mine.py:15", "deep")
        assert runs_left() == []
    prepare(PLAIN, strategy=_hook("s.k = deep(s.k)") + DEEP)
    done = program("backtest", "run.yaml")
    told(done, 4, "mine.py:15: RecursionError")
    failed_run(done)


@pytest.mark.parametrize("config", [CONFIG, PLAIN], ids=["compiled", "plain"])
def test_a_flood_of_requests_names_the_capacity(program: Program, config: str) -> None:
    prepare(config, strategy=FLOOD)
    done = program("backtest", "run.yaml")
    told(done, 2, "2024-01-01T00:01:00Z", "engine.request_capacity")
    failed_run(done)


def test_absurd_orders_are_denied_alike_compiled_and_plain(program: Program) -> None:
    body = _hook(
        "ctx.buy(1e300)", "ctx.buy(nan)", "ctx.sell(-1.0)", "ctx.buy(1.0, limit=nan)", "ctx.target_percent(1e9)",
        "ctx.submit(1, 1, 9223372036854775807, 9223372036854775807)", "ctx.submit(7, 99, -1)", "ctx.cancel(-1)",
        "ctx.modify(-5, qty=1e300)", "ctx.sell_value(1e18)", "ctx.target_lots(-9223372036854775807)",
    )  # fmt: skip
    found = []
    for config in (CONFIG, PLAIN):
        prepare(config, strategy=body.replace("from tradectl", "from math import nan\n\nfrom tradectl", 1))
        found.append(program("backtest", "run.yaml", "--json").objects[0])
    assert found[0]["denied"] == found[0]["orders"] > 0
    assert found[0]["fills"] == 0
    assert found[0]["state_hash"] == found[1]["state_hash"]


# --- runs and journals


def _run(program: Program) -> Path:
    prepare()
    return Path(program("backtest", "run.yaml", "--journal", "--json").objects[0]["run_dir"])


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


TABLES = ("fills.parquet", "orders.parquet", "equity.parquet", "positions.parquet")


def test_runs_that_are_not_there(program: Program) -> None:
    told(program("verify", "nothing"), 6, "'nothing'")
    told(program("report", "nothing"), 6, "'nothing'")
    told(program("report", "latest"), 6, "no run")


def test_half_deleted_and_damaged_runs(program: Program) -> None:
    run = _run(program)
    whole = Path(shutil.copytree(run, "whole"))
    for name in (*TABLES, "lock.json", "run.yaml", "sources/mine.py"):
        (run / name).unlink()
        told(program("verify", run), 6, name)
        shutil.copy(whole / name, run / name)
    for name in (*TABLES, "lock.json", "summary.json"):
        _halve(run / name)
        told(program("verify", run), 6, name)
        shutil.copy(whole / name, run / name)
    (run / "lock.json").write_text("{}")
    told(program("verify", run), 6, "lock.json is damaged")
    _halve(run / "summary.json")
    told(program("report", run), 6, "summary.json")
    for text in ("{}", "[]", '{"name": "x"}'):
        (run / "summary.json").write_text(text)
        told(program("report", run), 6, "summary.json is damaged: it has no", "status, state_hash, final_equity, audit")
        told(program("report", run, "--json"), 6, "summary.json is damaged")
        told(program("verify", run), 6, "summary.json is damaged")


def test_tampered_runs_differ(program: Program) -> None:
    run = _run(program)
    whole = Path(shutil.copytree(run, "whole"))

    def differs(name: str, *parts: str) -> None:
        done = program("verify", run, "--json")
        assert done.code == 1, done.err
        text = " ".join(done.objects[0]["differences"])
        for part in parts:
            assert part in text
        shutil.copy(whole / name, run / name)

    fills = pl.read_parquet(run / "fills.parquet")
    fills.with_columns(pl.col("qty_lots") + 1).write_parquet(run / "fills.parquet")
    differs("fills.parquet", "fills, row 0", "qty_lots was 101, is now 100")
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"denied": 7}))
    differs("summary.json", "denied was 7, is now 0")
    (run / "run.yaml").write_text((run / "run.yaml").read_text().replace("100000", "200000"))
    differs("run.yaml", "run.yaml is not the file that ran", "equity, row 0")
    _halve(run / "sources" / "mine.py")
    differs("sources/mine.py", "sources/mine.py is not the file that ran", "does not run")
    _halve(run / "snapshots" / "final.tcs")
    differs("snapshots/final.tcs", "not the state in which the run ends")
    assert program("verify", run).code == 0


def test_data_that_is_gone_or_changed(program: Program) -> None:
    run = _run(program)
    Path("XUSD_1m.csv").write_text(csv(*rows(60)))
    told(program("verify", run), 3, "XUSD_1m.csv", "changed")
    Path("XUSD_1m.csv").unlink()
    assert program("verify", run, "--json").objects[0]["source"] == "journal"
    shutil.rmtree(run / "journal")
    told(program("verify", run), 3, "missing", "--data PATH")


def test_damaged_journals(program: Program) -> None:
    run = _run(program)
    part = run / "journal" / "000000.tcj"
    whole = part.read_bytes()
    data = "data:\n  source: XUSD_1m.csv\n  timeframe: 1m\n  symbols: [X/USD]\n"
    Path("again.yaml").write_text(changed(data, f"data: {{kind: journal, source: {run}}}\n"))
    damages = (whole[:-100], b"", whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])
    for content, message in zip(damages, ("ends inside a block", "inside its header", "checksum"), strict=True):
        part.write_bytes(content)
        told(program("backtest", "again.yaml", "--out", "again"), 6, "000000.tcj", message)
    part.unlink()
    told(program("backtest", "again.yaml", "--out", "again"), 6, "journal")
    _halve(run / "journal" / "meta.json")
    told(program("backtest", "again.yaml", "--out", "again"), 6, "meta.json")
    shutil.rmtree(run / "journal")
    told(program("backtest", "again.yaml", "--out", "again"), 3, "holds no journal")
    for kept in runs_left(Path("again")):
        assert json.loads((kept / "summary.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_runs_folder_that_cannot_be_written(program: Program, place: str) -> None:
    prepare()
    Path("file").write_text("in the way")
    told(program("backtest", "run.yaml", "--out", place), 6, f"cannot write runs to {place}")
    assert Path("file").read_text() == "in the way"


# --- the same through processes of their own

PROCESSES: dict[str, tuple[dict[str, str], int, str]] = {
    "broken yaml": ({"config": "name: [\n"}, 2, "not valid YAML"),
    "unknown key": ({"config": changed("balance:", "balence:")}, 2, "did you mean 'balance'"),
    "no data": ({"config": changed("XUSD_1m.csv", "XUSD.csv")}, 3, "no such file"),
    "disordered": ({"bars": BARS["disordered"][0]}, 3, "row 6 (line 7)"),
    "syntax": ({"strategy": SOURCES["syntax"][0]}, 4, "mine.py:6:26"),
    "no strategy": ({"strategy": "x = 1\n"}, 4, "no strategy in this file"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSES)
def test_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    given, code, part = PROCESSES[name]
    monkeypatch.chdir(tmp_path)
    prepare(**given)
    told(process("backtest", "run.yaml", cwd=tmp_path), code, part)
    assert runs_left() == []


@pytest.mark.parametrize("config", [CONFIG, PLAIN], ids=["compiled", "plain"])
def test_a_strategy_that_never_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(config + "engine: {watchdog: 1s}\n", strategy=HANG)
    done = process("backtest", "run.yaml", cwd=tmp_path)
    told(done, 4, "no progress for 1 s", "mine", "LOCAL:XUSD", "2024-01-01T00:20:00Z")
    assert failed_run(done)["events"]
    told(process("verify", "latest", cwd=tmp_path), 6, "ended by the watchdog")
