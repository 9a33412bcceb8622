"""What `strategy new` writes: a strategy, its configuration and its test; for bars and for book data."""

from __future__ import annotations

__all__ = ["BOOK", "BOOK_CONFIG", "BOOK_TEST", "CONFIG", "INSTRUMENT", "PORTFOLIO", "TEST"]

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

BOOK = '''"""{title}: say here what the strategy does."""

from tradectl.strategy import POST_ONLY, Float, Float64, Int, Int64, OrderType, strategy

LIMIT = int(OrderType.LIMIT)
QUARTER_SECOND = 250_000_000  # ns


@strategy
class {name}:
    """Rest at both best prices, but not on a side that trades hit: a start to be replaced by your own rule."""

    class Params:
        qty = Float(5.0, low=1e-9, high=1e9, help="size of an order, in units of the base")
        limit = Int(5, low=1, high=1000, help="largest position, in orders")
        calm = Float(0.8, low=0.0, high=1.0, help="a side stands back where trades lean more than this to it")

    class State:
        bid = Int64()  # order ids, 0: none
        ask = Int64()
        lean = Float64()  # smoothed side of the aggressors, -1 (sellers) .. 1 (buyers)
        messages = Int64()  # seen since the last look

    def on_start(ctx, p, s):
        ctx.set_timer(ctx.now + QUARTER_SECOND)

    def on_trade(ctx, p, s):
        s.lean += 0.1 * (ctx.trade_side - s.lean)

    def on_depth(ctx, p, s):
        s.messages += 1

    def on_timer(ctx, p, s):
        ctx.set_timer(ctx.now + QUARTER_SECOND)
        if s.messages == 0 or not ctx.is_synchronised or not 0 < ctx.spread_ticks < 1_000_000:
            return
        s.messages = 0
        lots = max(int(p.qty / ctx.lot_size + 0.5), 1)
        room = p.limit * lots
        s.bid = quote(ctx, s.bid, 1, ctx.bid_ticks, 0 if s.lean < -p.calm else min(lots, room - ctx.position_lots))
        s.ask = quote(ctx, s.ask, -1, ctx.ask_ticks, 0 if s.lean > p.calm else min(lots, room + ctx.position_lots))


def quote(ctx, order, side, target, lots):
    """Return the id of a side's order after taking it to a price; an order that need not move keeps its place."""
    if not ctx.is_live(order):
        return ctx.submit(side, LIMIT, lots, target, flags=POST_ONLY) if lots > 0 else 0
    if not ctx.is_in_flight(order):
        if lots <= 0:
            ctx.cancel(order)
        elif ctx.order_ticks(order) != target:
            ctx.modify(order, limit=target * ctx.tick_size)
    return order
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

BOOK_CONFIG = """name: {slug}
strategy: {{path: ../{strategies}/{file}.py}}
data: {{source: ../data/sample/book, kind: book}}
account: {{type: margin, currency: USD, balance: 100000, leverage: 3}}
execution: {{queue: power3, latency: {{feed: 2ms, entry: 5ms, response: 5ms}}}}
fees: {{maker: 0.0001, taker: 0.0004}}
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

BOOK_TEST = '''"""{name}: trades on a made-up book, and its ledger balances."""

from pathlib import Path

from tradectl.cli.runner import run_backtest
from tradectl.history.generate_book import BookWalk, generate_book

CONFIG = Path(__file__).parents[{depth}] / "{configs}" / "{file}.yaml"
MINUTE = 60_000_000_000  # ns


def test_it_trades(tmp_path):
    generate_book(BookWalk({symbols!r}, 5 * MINUTE, seed=11), tmp_path / "book")
    result = run_backtest(CONFIG, overrides={{"data.source": str(tmp_path / "book")}}, out=tmp_path / "runs")
    assert result.summary["fills"] > 0
    assert result.summary["audit"]["balanced"]
'''
