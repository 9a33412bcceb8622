"""Rules and the strategy that a hand writes for them end in the same state, byte for byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.strategy.test_shipped import Counts
from tradectl.config.load import load_text
from tradectl.config.wire import wire
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.host import Host
from tradectl.engine.state import State

ROOT = Path(__file__).parents[4]
TWINS = Path(__file__).parent / "twins"
REAL = ROOT.parent / "shared" / "data" / "bitfinex_1m" / "BTCUSD_1m_2017.csv.gz"
SAMPLE = ROOT / "data" / "sample" / "BTCSYNUSD_1m.csv.gz"
REST = """
data: {{source: {source}, timeframe: 1m, symbols: [{symbol}]{to}}}
bars: [{bars}]
instruments: {{{symbol}: {{tick_size: 0.01, lot_size: 0.0001}}}}
account: {{type: margin, leverage: 2, currency: USD, balance: 100000}}
execution: {{slippage: {{ticks: 1}}, participation: 0.5}}
fees: {{maker: 0.0002, taker: 0.0005}}
sizing: {{method: percent_equity, value: 0.5}}
"""
RULES = {
    "cross": """
  params: {fast: {default: 10, low: 2, high: 500}, slow: {default: 30, low: 3, high: 500}}
  define: {quick: "sma(close, fast)", calm: "sma(close, slow)"}
  long: {entry: quick crosses above calm, exit: quick crosses below calm}
""",
    "reversion": """
  params: {length: {default: 14, low: 2, high: 100}, low_mark: {default: 30, low: 5, high: 50}, stop_at: 0.02}
  long: {entry: "rsi(length) < low_mark", exit: rsi(length) > 70, size: 0.5 * equity / close,
         stop: entry_price * (1 - stop_at), target: entry_price * 1.03}
""",
    "channel": """
  long: {entry: close > donchian(20).prior_upper, trail: close - 3 * atr(14)}
  short: {entry: close < donchian(20).prior_lower, exit: "close > bollinger(close, 20, 2)", size: 0.25 * equity}
""",
    "resting": """
  define: {low_band: "bollinger(close, 20).lower", floor: donchian(20).lower}
  long: {entry: rsi(14) < 55, entry_limit: low_band, exit: "close > bollinger(close, 20).middle",
         stop: entry_price * 0.98, size: 0.5 * equity / close}
  short: {entry: "close < sma(close, 50)", entry_stop: floor, entry_limit: floor * 0.999,
          exit: "close > bollinger(close, 20).upper", target: entry_price * 0.99}
""",
}
DATA = {
    "sample": (SAMPLE, "BTCSYN/USD", "5m", ", to: 2024-01-02" if DISABLE_JIT else ""),
    "real": (REAL, "BTC/USD", "1h", ", to: 2017-01-20" if DISABLE_JIT else ", to: 2017-07-01"),
}


def run(strategy: str, data: str) -> tuple[str, Counter[str]]:
    """Return the state hash and the rows of a run; `strategy` is the block in YAML."""
    source, symbol, bars, to = DATA[data]
    text = f"strategy:{strategy}{REST.format(source=source, symbol=symbol, bars=bars, to=to)}"
    wired = wire(load_text(text, ROOT / "configs" / "twin.yaml", env={}))
    state, counts = State(wired.spec), Counts()
    outcome = Host(state, counts, wired.loaded, wired.hooks).run(wired.chunks(65_536))
    assert outcome.status == "complete"
    return state.hash(), counts.rows_of


@pytest.mark.parametrize("data", list(DATA))
@pytest.mark.parametrize("name", list(RULES))
def test_rules_and_their_twin_end_in_the_same_state(name: str, data: str) -> None:
    if not DATA[data][0].is_file():
        pytest.skip("../shared/data/bitfinex_1m is not there")
    block = "\n rules:" + RULES[name].replace("\n  ", "\n    ")
    by_rules, by_hand = run(block, data), run(f" {{path: {TWINS / name}.py}}\n", data)
    assert by_rules == by_hand
    assert by_rules[1]["fills"] > (0 if DISABLE_JIT else 40)


@pytest.mark.parametrize("data", list(DATA))
def test_the_cross_of_rules_trades_as_the_shipped_strategy(data: str) -> None:
    if not DATA[data][0].is_file():
        pytest.skip("../shared/data/bitfinex_1m is not there")
    rules = """
 rules:
    params: {fast: {default: 20, low: 2, high: 500}, slow: {default: 60, low: 3, high: 500}}
    long: {entry: "sma(close, fast) > sma(close, slow)"}
    short: {entry: "sma(close, fast) < sma(close, slow)"}
"""
    path = f" {{path: {ROOT}/strategies/sma_cross.py, params: {{fast: 20, slow: 60, short: true}}}}\n"
    by_rules, shipped = run(rules, data)[1], run(path, data)[1]
    assert shipped.pop("plots") > 0  # it also draws its averages
    assert by_rules == shipped
