"""What `strategy new` writes: a strategy, its configuration and its test."""

from __future__ import annotations

__all__ = ["CONFIG", "INSTRUMENT", "PORTFOLIO", "TEST"]

INSTRUMENT = '''"""{title}: say here what the strategy does."""

from tradectl.strategy import Int, Int64, Sma, sma, sma_compare, strategy


@strategy
class {name}:
    """Long while the fast average of closes is above the slow one: a start to be replaced by your own rule."""

    class Params:
        fast = Int(10, low=2, high=200, help="bars in the fast average")
        slow = Int(30, low=3, high=500, help="bars in the slow average")

    class State:
        fast = Sma("fast")
        slow = Sma("slow")
        side = Int64()  # +1 above, -1 below, 0 not known yet

    def on_bar(ctx, p, s):
        sma(s.fast, ctx.close_ticks)
        sma(s.slow, ctx.close_ticks)
        side = sma_compare(s.fast, s.slow)
        if side == 0 or side == s.side:
            return
        s.side = side
        if side > 0 and ctx.position_lots == 0:
            ctx.buy()  # sized by `sizing` in the config
        elif side < 0 and ctx.position_lots > 0:
            ctx.close_position()
'''

PORTFOLIO = '''"""{title}: say here what the strategy does."""

from tradectl.strategy import Float, Float64, Int, Int64, PerInstrument, Roc, ready, roc, strategy


@strategy(scope="portfolio")
class {name}:
    """Equal weights of all that rose over `lookback` bars: a start to be replaced by your own rule."""

    class Params:
        lookback = Int(60, low=1, high=1000, help="bars over which the return is measured")
        every = Int(30, low=1, high=10000, help="bars between two rebalances")
        invest = Float(0.9, low=0.01, high=1.0, help="fraction of equity to invest")

    class State:
        roc = PerInstrument(Roc("lookback"))
        weight = PerInstrument(Float64)
        batches = Int64()

    def on_batch(ctx, p, s):
        rising = 0
        for i in range(ctx.n_instruments):
            ctx.select(i)
            if ctx.has_bar:
                roc(s.roc[i], ctx.close)
            if ready(s.roc[i]) and s.roc[i].value > 0.0:
                rising += 1
        s.batches += 1
        if s.batches % p.every != 0:
            return
        for i in range(ctx.n_instruments):
            held = ready(s.roc[i]) and s.roc[i].value > 0.0
            s.weight[i] = p.invest / rising if held else 0.0
        ctx.rebalance(s.weight)
'''

CONFIG = """name: {slug}
strategy: {{path: ../{strategies}/{file}.py}}
data:
  source: {source}
  timeframe: 1m
account: {{type: cash, currency: USD, balance: 100000}}
execution: {{fill_at: next_open, slippage: {{ticks: 1}}}}
fees: {{maker: 0.0002, taker: 0.0005}}
sizing: {{method: percent_equity, value: 0.95}}
"""

TEST = '''"""{name}: trades on made-up bars, and its ledger balances."""

from decimal import Decimal
from pathlib import Path

from tradectl.cli.runner import run_backtest
from tradectl.history.generate import Walk, generate

CONFIG = Path(__file__).parents[{depth}] / "{configs}" / "{file}.yaml"


def test_it_trades(tmp_path):
    bars = tmp_path / "{{symbol}}_1m.csv"
    symbols = {symbols!r}
    generate(Walk(symbols, bars=3_000, seed=11, price=Decimal(30_000)), bars)
    changes = {{"data.source": str(tmp_path / "*_1m.csv")}}
    result = run_backtest(CONFIG, overrides=changes, out=tmp_path / "runs")
    assert result.summary["fills"] > 0
    assert result.summary["audit"]["balanced"]
'''
