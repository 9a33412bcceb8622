"""Good configurations: values, short forms, precedence, origins, hash; what comes out loads to the same."""

# ruff: noqa: E501 (YAML and messages stand as they are read)

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tradectl.config import Loaded, load_config, load_text
from tradectl.config.models import RunConfig
from tradectl.config.show import show
from tradectl.errors import ConfigError

EXAMPLE = """\
name: sma-cross-btc
strategy: {path: ../strategies/sma_cross.py, params: {fast: 10, slow: 30}}   # short for a one-element strategies: list
data:                              # one block or a list of blocks, merged by receive time
  source: ../../shared/data/bitfinex_1m/BTCUSD_1m_2017.csv.gz   # file, folder, glob or catalogue; relative to this file
  profile: bitfinex                # a named column layout, or mapping: {timestamp: date, open: o, ...}
  kind: bars
  timeframe: 1m
  symbols: [BTC/USD]
  from: 2017-01-01
  to: 2018-01-01
bars: [1h]                         # derived timeframes the strategy is called on; default: the source's
instruments: {BTC/USD: {tick_size: 0.01, lot_size: 0.0001, min_notional: 10}}
account: {type: cash, currency: USD, balance: 100000}
execution: {fill_at: next_open, path: adaptive, participation: 1.0, slippage: {ticks: 1}}
fees: {maker: 0.0002, taker: 0.0005}
risk: {max_order_notional: 10000000, max_drawdown: 0.9, on_breach: flatten}
sizing: {method: percent_equity, value: 0.95}
"""
SHORT = "strategy: a.py\ndata: b.csv\n"
WIDE = """\
name: wide
description: every kind of block
seed: 7
strategies:
  - {path: "s.py:Fast", tag: fast, symbols: ON, jit: false, on_error: disable}
  - path: s.py
    params: {window: 20, level: 2.50, names: [a, b], on: true, mode: slow}
    sizing: {method: fixed, value: 1.5}
data:
  - source: [a/*.csv, b.csv]
    mapping: {timestamp: date, close: 4, header: [date, open, high, low], scale: 0.0001, unit: ms}
    timeframe: 1m
    symbols: [ON, NO, 005930, BRK.B]
    venue: XNYS
    session: {close: "16:00", tz: America/New_York}
    stamp: close
    tz: America/New_York
    on_error: {off_tick: fail, disorder: sort}
  - {source: c.csv, timeframe: 10s, detail: true, symbols: [ON]}
bars: [1m, 60m]
instruments:
  BRK.B: {tick_size: 0.00000001, quote: USD, listed: 2020-01-01, fees: {taker: -0.001}}
  ON: {alias: ONNN, delisted: 2021-01-01 00:00 America/New_York}
account: {type: margin, currency: EUR, balances: {EUR: 10.10, USD: 5}, leverage: 3, rates: {USD: 0.9}}
execution: {fill_at: next_open, detail: 10s, latency: {entry: 50ms, response: 1s}, slippage: {bps: 2.5}, entry_bar: false}
risk: {max_order_rate: 100/s, max_position: 1e3, price_collar: 0.1}
sizing: {method: percent_equity, value: 2.5}
engine: {order_capacity: 4096, watchdog: 0}
on_strategy_error: disable
output: {dir: ../runs, journal: true}
"""


def load(
    text: str, *sets: str, env: dict[str, str] | None = None, overrides: dict[str, Any] | None = None
) -> Loaded:
    return load_text(text, "c.yaml", sets, env, overrides)


def refused(text: str, *sets: str, **given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, *sets, **given)
    return str(caught.value)


def test_the_example() -> None:
    config = load(EXAMPLE).config
    assert [(s.path, s.params, s.jit) for s in config.strategies] == [
        ("../strategies/sma_cross.py", {"fast": 10, "slow": 30}, True)
    ]
    (block,) = config.data
    assert block.source == ("../../shared/data/bitfinex_1m/BTCUSD_1m_2017.csv.gz",)
    assert block.timeframe is not None
    assert block.timeframe.ns == 60_000_000_000
    assert block.from_ is not None
    assert block.from_.ns == 1_483_228_800_000_000_000
    assert [(frame, frame.ns) for frame in config.bars] == [("1h", 3_600_000_000_000)]
    one = config.instruments["BTC/USD"]
    assert (one.tick_size, one.lot_size, one.min_notional) == (
        Decimal("0.01"),
        Decimal("0.0001"),
        Decimal(10),
    )
    assert config.fees.taker == Decimal("0.0005")
    assert config.execution.slippage.ticks == 1
    assert config.risk.on_breach == "flatten"


def test_defaults() -> None:
    config = load(SHORT).config
    assert (config.name, config.seed, config.bars, config.sizing) == ("run", 0, (), None)
    assert (config.account.type, config.account.balance, config.account.leverage) == ("cash", 100_000, 1)
    assert (config.execution.fill_at, config.execution.path, config.execution.participation) == (
        "next_open",
        "adaptive",
        1,
    )
    assert (config.execution.latency.entry.ns, config.execution.latency.response.ns) == (0, 0)
    assert (config.engine.order_capacity, config.engine.chunk, config.engine.watchdog.ns) == (
        1024,
        65536,
        30 * 10**9,
    )
    assert (config.risk.max_drawdown, config.risk.on_breach) == (None, "reject")


def test_every_kind_of_block() -> None:
    config = load(WIDE).config
    first, second = config.strategies
    assert (first.symbols, first.jit, first.on_error) == (("ON",), False, "disable")
    assert second.params == {"window": 20, "level": 2.5, "names": ("a", "b"), "on": True, "mode": "slow"}
    assert type(second.params["level"]) is float
    block = config.data[0]
    assert block.symbols == ("ON", "NO", "005930", "BRK.B")  # no truth values, no octal numbers
    assert (block.mapping.close, block.mapping.scale) == ("4", Decimal("0.0001"))
    assert block.session is not None
    assert (block.session.close, block.session.tz) == ("16:00", "America/New_York")
    assert (block.on_error.off_tick, block.on_error.disorder, block.on_error.gap) == (
        "fail",
        "sort",
        "report",
    )
    assert config.instruments["BRK.B"].tick_size == Decimal("0.00000001")
    assert config.account.balances == {"EUR": Decimal("10.10"), "USD": 5}
    assert config.account.balance is None
    rate = config.risk.max_order_rate
    assert rate is not None
    assert (rate.orders, rate.per.ns) == (100, 10**9)
    assert config.risk.max_position == 1000
    assert config.instruments["ON"].delisted == "2021-01-01T05:00:00Z"


JOURNAL = "strategy: a.py\ndata: {kind: journal, source: ../runs/x, from: 2017-01-01}\n"


@pytest.mark.parametrize("text", [EXAMPLE, SHORT, WIDE, JOURNAL])
def test_resolved_loads_to_the_same(text: str) -> None:
    loaded = load(text)
    plain = loaded.resolved()
    again = load(yaml.safe_dump(plain, sort_keys=False))
    assert again.config == loaded.config
    assert again.resolved() == plain
    assert again.hash() == loaded.hash()
    assert load(yaml.safe_dump(plain, sort_keys=True)).hash() == loaded.hash()


def test_helpers_of_the_models() -> None:
    config = load(WIDE).config
    assert [strategy.label for strategy in config.strategies] == ["fast", "s"]
    assert [strategy.file_and_class for strategy in config.strategies] == [("s.py", "Fast"), ("s.py", None)]
    assert load("strategy: 'x/y.py:Slow'\ndata: b.csv\n").config.strategies[0].label == "Slow"
    assert config.account.start_balances == {"EUR": Decimal("10.1"), "USD": 5}
    assert load(SHORT).config.account.start_balances == {"USD": 100_000}
    assert (load(EXAMPLE).config.data[0].to_ns, config.data[0].from_ns) == (1_514_764_800_000_000_000, None)
    listed = config.instruments["BRK.B"]
    assert (listed.listed_ns, listed.delisted_ns) == (1_577_836_800_000_000_000, None)


def test_models_take_plain_values_too() -> None:
    made = RunConfig.model_validate(
        {"strategy": "a.py", "data": {"source": "b.csv", "from": date(2017, 1, 1)}, "fees": {"taker": 0.0005}}
    )
    assert made.data[0].from_ == "2017-01-01T00:00:00Z"
    assert made.fees.taker == Decimal("0.0005")
    with pytest.raises(ValueError, match="frozen"):
        made.seed = 3  # type: ignore[misc]


def test_numbers_are_exact() -> None:
    text = SHORT + "instruments: {X: {tick_size: 0.1, lot_size: 0.123456789012345678, min_qty: 1_000.50}}\n"
    loaded = load(text)
    one = loaded.config.instruments["X"]
    assert (one.tick_size, one.lot_size, one.min_qty) == (
        Decimal("0.1"), Decimal("0.123456789012345678"), Decimal("1000.50"),
    )  # fmt: skip
    assert loaded.resolved()["instruments"]["X"]["lot_size"] == "0.123456789012345678"
    assert load(yaml.safe_dump(loaded.resolved())).config == loaded.config


def test_anchors_and_merges() -> None:
    text = """\
strategies:
  - path: a.py
    params: &shared {fast: 10, slow: 30}
  - path: b.py
    params: {<<: *shared, fast: 5}
data: {source: b.csv}
"""
    loaded = load(text)
    assert loaded.config.strategies[1].params == {"fast": 5, "slow": 30}
    assert loaded.sources["strategies[1].params.slow"] == "c.yaml:3"
    assert loaded.sources["strategies[1].params.fast"] == "c.yaml:5"


def test_empty_blocks_mean_their_defaults() -> None:
    assert load(SHORT + "risk:\nfees: ~\nsizing:\nbars:\n").config == load(SHORT).config


def test_set() -> None:
    config = load(
        EXAMPLE,
        "strategy.params.fast=20",
        "strategies[0].params.extra=[1, 2.5]",
        "data.from=2018-01-01T06:00",
        "data[0].to=2018-02-01",
        "execution.slippage={bps: 3}",
        "instruments.ETH/USD.tick_size=0.05",
        "risk.max_order_rate=5/1m",
        "risk.max_order_rate.per=2m",
        "bars=4h",
        "account.balance=1000",
        "account.balance=2000",
    ).config
    assert config.strategies[0].params == {"fast": 20, "slow": 30, "extra": (1, 2.5)}
    assert (config.data[0].from_, config.data[0].to) == ("2018-01-01T06:00:00Z", "2018-02-01T00:00:00Z")
    assert (config.execution.slippage.ticks, config.execution.slippage.bps) == (None, 3)
    assert config.instruments["ETH/USD"].tick_size == Decimal("0.05")
    rate = config.risk.max_order_rate
    assert rate is not None
    assert (rate.orders, rate.per) == (5, "2m")
    assert config.bars == ("4h",)
    assert config.account.balance == 2000


def test_set_on_short_and_missing_parts() -> None:
    config = load(
        SHORT, "strategy.params.a=1", "data.timeframe=1m", "sizing.method=fixed", "sizing.value=2"
    ).config
    assert (config.strategies[0].path, config.strategies[0].params) == ("a.py", {"a": 1})
    assert (config.data[0].source, config.data[0].timeframe) == (("b.csv",), "1m")
    assert load("data: b.csv\n", "strategy=x.py").config.strategies[0].path == "x.py"
    assert load("strategy: a.py\n", "data.source=x.csv").config.data[0].source == ("x.csv",)
    assert load(SHORT, "strategies=[{path: x.py}, {path: y.py}]").config.strategies[1].path == "y.py"
    assert load(SHORT, "instruments[BRK.B].tick_size=0.01").config.instruments["BRK.B"].tick_size == Decimal(
        "0.01"
    )


def test_data_without_an_index_means_every_block() -> None:
    text = "strategy: a.py\ndata:\n  - {source: b.csv}\n  - c.csv\n"
    blocks = load(text, "data.from=2018-01-01", "data[1].to=2019-01-01").config.data
    assert [block.from_ for block in blocks] == ["2018-01-01T00:00:00Z"] * 2
    assert [block.to for block in blocks] == [None, "2019-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("execution.partcipation=1", "--set execution.partcipation: unknown key 'partcipation' in execution; did you mean 'participation'?"),
        ("exec.path=ohlc", "--set exec.path: unknown key 'exec'; did you mean 'execution'?"),
        ("strategy.parms.fast=1", "--set strategy.parms.fast: unknown key 'parms' in strategies[0]; did you mean 'params'?"),
        ("execution.path", "expected KEY=VALUE, e.g. --set execution.fill_at=close; got 'execution.path'"),
        ("=3", "expected a key, e.g. execution.fill_at"),
        ("a..b=3", "expected keys joined by dots"),
        ("execution.path.x=1", "execution.path is a single value; it has no key 'x' below it"),
        ("strategies[3].tag=a", "strategies has 1 item(s), counted from 0; there is none at 3"),
        ("fees.taker=[", "--set fees.taker: not valid YAML"),
        ("fees.taker=9", "--set fees.taker: fees.taker: expected a fraction >= -0.01"),
        ("data.from=2019-01-01", "--set data.from: data.from: `from` (2019-01-01T00:00:00Z) must be before `to`"),
        ("risk=5", "--set risk: risk: expected a mapping with the keys"),
    ],
)  # fmt: skip
def test_bad_set(given: str, expected: str) -> None:
    message = refused(EXAMPLE, given)
    assert expected in message
    assert message.count("\n") == 0


def test_set_of_one_among_several_strategies() -> None:
    text = "strategies: [{path: a.py}, {path: b.py}]\ndata: b.csv\n"
    message = refused(text, "strategy.params.x=1")
    assert "strategies has 2 elements; say which one: strategies[0], strategies[1]" in message
    assert load(text, "strategies[1].params.x=1").config.strategies[1].params == {"x": 1}


def test_environment() -> None:
    env = {
        "TRADECTL__EXECUTION__PARTICIPATION": "0.5",
        "TRADECTL__STRATEGY__PARAMS__FAST": "12",
        "TRADECTL__DATA__0__TO": "2017-06-01",
        "TRADECTL__OUTPUT__JOURNAL": "true",
        "TRADECTL_OTHER": "is not ours",
        "PATH": "/bin",
    }
    loaded = load(EXAMPLE, env=env)
    assert loaded.config.execution.participation == Decimal("0.5")
    assert loaded.config.strategies[0].params == {"fast": 12, "slow": 30}
    assert loaded.config.data[0].to == "2017-06-01T00:00:00Z"
    assert loaded.config.output.journal is True
    assert loaded.sources["execution.participation"] == "env TRADECTL__EXECUTION__PARTICIPATION"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TRADECTL__EXECUTON__PATH", "ohlc", "unknown key 'EXECUTON'; did you mean 'execution'?"),
        ("TRADECTL__EXECUTION__PATH", "ohcl", "execution.path: expected one of adaptive, ohlc"),
        ("TRADECTL__EXECUTION__", "1", "expected keys joined by two underscores"),
        ("TRADECTL__SEED", "[", "not valid YAML"),
    ],
)
def test_bad_environment(name: str, value: str, expected: str) -> None:
    message = refused(EXAMPLE, env={name: value})
    assert message.startswith(f"env {name}: ")
    assert expected in message


def test_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(SHORT + "execution: {path: ohlc}\n")
    monkeypatch.setenv("TRADECTL__EXECUTION__PATH", "olhc")
    assert load_config(path, env={}).config.execution.path == "ohlc"
    assert load_config(path).config.execution.path == "olhc"
    assert load_config(path, ["execution.path=adverse"]).config.execution.path == "adverse"
    last = load_config(
        path, ["execution.path=adverse"], None, {"execution.path": "favourable", "data.from": None}
    )
    assert last.config.execution.path == "favourable"
    assert last.sources["execution.path"] == "option execution.path"
    assert last.sources["execution.fill_at"] == "default"


def test_origins() -> None:
    loaded = load(EXAMPLE, "strategy.params.fast=20", "fees={maker: 0.001}")
    expected = {
        "name": "c.yaml:1",
        "seed": "default",
        "strategies[0].path": "c.yaml:2",
        "strategies[0].params.fast": "--set strategy.params.fast",
        "strategies[0].params.slow": "c.yaml:2",
        "data[0].from": "c.yaml:9",
        "data[0].on_error.gap": "default",
        "bars": "c.yaml:11",
        "instruments.BTC/USD.tick_size": "c.yaml:12",
        "fees.maker": "--set fees",
        "fees.taker": "default",
        "engine.chunk": "default",
    }
    assert {key: loaded.sources[key] for key in expected} == expected
    assert loaded.sources["data[0].from"].line == 9
    assert load(SHORT + "risk: {max_order_rate: 5/1s}\n").sources["risk.max_order_rate.per"] == "c.yaml:3"


def test_show_covers_every_value() -> None:
    loaded = load(WIDE)
    rows = show(loaded)
    assert [key for key, _, _ in rows] == list(loaded.sources)
    values = {key: value for key, value, _ in rows}
    assert values["engine.order_capacity"] == 4096
    assert values["data[0].symbols"] == ["ON", "NO", "005930", "BRK.B"]
    assert values["instruments[BRK.B].tick_size"] == 1e-08


def test_hash() -> None:
    base = load(EXAMPLE).hash()
    assert base == load(EXAMPLE).hash()
    assert len(base) == 32
    moved = EXAMPLE.replace("../../shared/data/bitfinex_1m/", "/elsewhere/").replace(
        "../strategies/", "/home/me/"
    )
    reordered = "\n".join(reversed(SHORT.splitlines()))
    assert load(moved).hash() == base
    assert load("name: other\n" + EXAMPLE.split("\n", 1)[1] + "output: {dir: /tmp/x}\n").hash() == base
    assert load(reordered).hash() == load(SHORT).hash()
    assert load(SHORT + "bars: 60m\n").hash() == load(SHORT + "bars: [1h]\n").hash()
    for change in ("strategy.params.fast=11", "fees.taker=0.0006", "data.to=2017-12-31", "seed=1"):
        assert load(EXAMPLE, change).hash() != base


def test_import_stays_light() -> None:
    code = (
        "import sys; from tradectl.config import load_text; load_text('strategy: a.py\\ndata: b.csv\\n');"
        "print(sorted({'numba', 'polars', 'numpy', 'llvmlite', 'typer', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
