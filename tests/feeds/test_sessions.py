"""Paper sessions with real ccxt against the sandbox: every shipped strategy trades, and the replay is the session."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tradectl.cli.runner_paper as runner
from tests.feeds.played import BARS, TICKS, Played, Playing, play, strategies, write_config
from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("paper sandbox")

RATE = 600.0
MINUTE_NS = 60_000_000_000
ENOUGH = 50  # fills
LIMIT_S = 18.0  # for them
BOTH = ["trades", "depth"]


def play_until(
    tmp_path: Path, exchanges: dict[str, Any], names: Sequence[str], symbols: Sequence[str], fills: int, **changes: Any
) -> Played:  # fmt: skip
    """Play strategies on what the exchanges send until all have traded, and often enough."""
    listed = sorted({symbol for one in exchanges.values() for symbol in one["symbols"]})
    server = Sandbox(list(exchanges), listed, rate=RATE, waits=True)

    def config(endpoint: str) -> Path:
        fed = {name: one | {"endpoint": endpoint} for name, one in exchanges.items()}
        return write_config(tmp_path, strategies(names, symbols), fed, **changes)

    async def until_traded(playing: Playing) -> None:
        everyone = len(names) * len(symbols)
        await playing.until(
            lambda: playing.fills >= fills and playing.traded() == everyone, LIMIT_S, "trading"
        )

    depth = all("depth" in one["channels"] for one in exchanges.values())
    return play(server, tmp_path / "runs", config, until_traded, settles=depth)


def assert_undisturbed(played: Played) -> None:
    """Fail unless the feeds were whole from the beginning to the end."""
    assert set(played.summary["feeds"]["counts"]) - {"unheard"} == {"connected"}
    for one in played.summary["feeds"]["channels"]:
        assert (one["state"], one["gaps"], one["dropped"]) == ("closed", 0, 0)
        assert one["messages"]
    assert not (played.events()["kind"] == EventKind.GAP).any()


@pytest.mark.parametrize(
    ("exchange", "symbol", "channels"),
    [
        ("binance", "BTC/USDT", BOTH),
        ("binance", "BTC/USDT:USDT", [*BOTH, "funding"]),
        ("kraken", "BTC/USD", BOTH),
    ],
)
def test_every_shipped_strategy_trades(
    tmp_path: Path, exchange: str, symbol: str, channels: list[str]
) -> None:
    names = [*TICKS, *BARS]
    quote = symbol.partition(":")[0].partition("/")[2]
    played = play_until(
        tmp_path,
        {exchange: {"symbols": [symbol], "channels": channels}},
        names,
        [f"{exchange.upper()}:{symbol}"],
        ENOUGH,
        account={"type": "margin", "currency": quote, "balance": 1_000_000, "leverage": 3},
    )
    assert set(played.fills()) == set(names)
    assert_undisturbed(played)
    played.assert_trades_are_true(
        ids=":" not in symbol
    )  # futures stream aggregates, which have ids of their own
    if "funding" in channels:
        assert {EventKind.MARK, EventKind.FUNDING} & set(played.events()["kind"].tolist())
    played.assert_identical()


def test_five_exchanges_in_one_session(tmp_path: Path) -> None:
    dollars = {"kraken": "BTC/USD", "coinbase": "BTC/USD"}
    venues = {
        name: dollars.get(name, "BTC/USDT") for name in ("binance", "bybit", "coinbase", "kraken", "okx")
    }
    played = play_until(
        tmp_path,
        {name: {"symbols": [symbol], "channels": BOTH} for name, symbol in venues.items()},
        ["imbalance_taker"],
        [f"{name.upper()}:{symbol}" for name, symbol in venues.items()],
        20,
        account={"type": "margin", "currency": "USDT", "balance": 1_000_000, "leverage": 3, "rates": {"USD": 1}},
    )  # fmt: skip
    assert_undisturbed(played)
    bybit = next(k for k, name in enumerate(sorted(venues)) if name == "bybit")
    assert [one[1:] for one in played.trades(bybit)] == [
        one[1:] for one in played.true_trades.pop(bybit)[-len(played.trades(bybit)) :]
    ]
    played.assert_trades_are_true()
    played.assert_identical()


@pytest.mark.parametrize(
    ("exchange", "channels", "names", "kind"),
    [
        ("binance", ["quotes"], ["market_maker", "book_grid"], EventKind.QUOTE),
        ("kraken", ["trades"], ["sma_cross", "rsi_reversion"], EventKind.TRADE),
        ("binance", ["ohlcv"], ["sma_cross"], EventKind.BAR),
    ],
)
def test_one_channel_alone(
    tmp_path: Path, exchange: str, channels: list[str], names: list[str], kind: EventKind
) -> None:
    symbol = "BTC/USD" if exchange == "kraken" else "BTC/USDT"
    one = {"symbols": [symbol], "channels": channels} | ({"timeframe": "1s"} if kind == EventKind.BAR else {})
    played = play_until(
        tmp_path,
        {exchange: one},
        names,
        [f"{exchange.upper()}:{symbol}"],
        2,
        account={"type": "margin", "currency": symbol[4:], "balance": 1_000_000, "leverage": 3},
    )
    assert_undisturbed(played)
    kinds = set(played.events()["kind"].tolist())
    assert kinds - {EventKind.COMMAND, EventKind.TIMER} == {kind}
    played.assert_identical()


def test_bars_before_the_start_come_over_rest(tmp_path: Path) -> None:
    exchanges = {"binance": {"symbols": ["BTC/USDT"], "channels": BOTH}}
    played = play_until(tmp_path, exchanges, ["rsi_reversion"], ["BINANCE:BTC/USDT"], 2, feed={"warmup": 20})
    events = played.events()
    warm = events[events["kind"] == EventKind.BAR]
    assert len(warm) == 20
    assert (warm["flags"] & EventFlag.WARMUP).all()
    assert (np.diff(warm["ts_event"]) == 1_000_000_000).all()
    assert_undisturbed(played)
    played.assert_identical()


DAY_TRADER = '''
from tradectl.strategy import DAY, strategy


@strategy
class DayTrader:
    """Bids far below for the day, and buys when a session's bar is told."""

    class Params:
        pass

    class State:
        pass

    def on_bar(ctx, p, s):
        if ctx.timeframe_ns > 1_000_000_000:
            ctx.buy(0.02)
        elif ctx.is_session_open and ctx.open_orders == 0 and ctx.is_tradable:
            ctx.buy(0.01, limit=ctx.close - 5_000.0, tif=DAY)
'''


def test_a_live_session_lives_through_the_close_of_its_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shift_ns = time.time_ns, 0
    close_ns = (real() // MINUTE_NS + 10) * MINUTE_NS
    monkeypatch.setattr(time, "time_ns", lambda: real() + shift_ns)
    monkeypatch.setattr(runner, "Clock", lambda: Clock(time.time_ns, lambda: time.monotonic_ns() + shift_ns))
    opens, closes = (f"{datetime.fromtimestamp(close_ns / 1e9 - s, UTC):%H:%M}" for s in (660, 0))
    (tmp_path / "day.py").write_text(DAY_TRADER)
    ids = ["BINANCE:BTC/USDT", "KRAKEN:BTC/USDT"]
    server = Sandbox(["binance", "kraken"], ["BTC/USDT"], rate=RATE, waits=True)

    def config(endpoint: str) -> Path:
        channels = {"binance": BOTH, "kraken": ["trades"]}  # with a book nothing is left out
        fed = {
            name: {"symbols": ["BTC/USDT"], "channels": wanted, "endpoint": endpoint}
            for name, wanted in channels.items()
        }
        hours = {"timezone": "UTC", "open": opens, "close": closes, "days": "mon-sun"}
        block = {"path": "day.py", "symbols": ids, "jit": False}
        return write_config(tmp_path, [block], fed, calendar=hours, bars=["1s", "1d"], feed={"stale": "1h"})

    async def until_the_close(playing: Playing) -> None:
        nonlocal shift_ns
        engine = playing.session.folded.state.engine
        await playing.until(lambda: int(engine[0]["n_orders"]) == 2, LIMIT_S, "orders")
        server.pause()
        shift_ns += close_ns - time.time_ns() - 500_000_000
        server.resume()
        await playing.until(lambda: playing.fills > 0, LIMIT_S, "a bar of the session")
        await playing.until(lambda: int(engine[0]["n_outside"]) > 10, LIMIT_S, "trades outside")

    played = play(server, tmp_path / "runs", config, until_the_close, settles=False)
    orders = pl.read_parquet(played.folder / "orders.parquet")
    ended = orders.filter(pl.col("reason") == "SESSION_ENDED")
    assert sorted(ended["symbol"].cast(pl.String)) == ids
    (filled,) = orders.filter(pl.col("n_fills") > 0).iter_rows(named=True)
    assert (filled["symbol"], filled["ts_submitted"]) == (ids[0], ended["ts_last"][0])
    (waits,) = orders.filter((pl.col("symbol") == ids[1]) & (pl.col("order_type") == "MARKET")).iter_rows(named=True)
    assert waits["reason"] == "CANCELED_BY_COMMAND"  # at the end: no trade of an open market came any more
    assert ended["ts_last"].n_unique() == 1
    assert played.summary["calendar"]["left_out"] > 0
    assert not (played.events()["kind"] == EventKind.GAP).any()
    played.assert_identical()
