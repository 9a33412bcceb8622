"""Paper sessions on real traffic: the sandbox replays recordings of venues to real ccxt, and strategies trade on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.feeds.played import ROOT, Playing, play, strategies, write_config
from tradectl.exchanges.sandbox import Sandbox
from tradectl.exchanges.sandbox.recorded import recorded

RECORDINGS = ROOT.parent / "shared" / "data" / "exchange_recordings"
pytestmark = [
    pytest.mark.xdist_group("paper recordings"),
    pytest.mark.skipif(
        not RECORDINGS.is_dir(), reason="needs ../shared/data, which is not part of the repository"
    ),
]
WORTH = 200.0  # of an order, in the quote currency
SPEED = 4.0  # the recording must go on until a loaded machine has fetched the snapshot


def eager(price: float) -> list[dict[str, Any]]:
    """Return the shipped strategies, ready to trade on a few hundred messages of a market at this price."""
    qty = round(WORTH / price, 4) if price > 1_000 else float(int(WORTH / price))
    own: dict[str, dict[str, Any]] = {
        "market_maker": {"warmup": 0.5, "requote_ticks": 1, "intensity": "fixed"},
        "imbalance_taker": {"max_spread": 100_000, "enter": 0.05, "pause": 0.0, "hold": 1.0},
        "book_grid": {"step": 1, "look": 0.1, "pause": 0.1},
        "twap": {"duration": 1.5, "slices": 3, "patience": 0.3},
        "vwap": {"duration": 1.5, "slices": 3, "patience": 0.3, "delay": 0.2},
    }
    blocks = strategies([*own, "sma_cross"], [])
    for block in blocks:
        del block["symbols"]
        name = Path(block["path"]).stem
        if name in own:
            block["params"] = own[name] | {"qty": qty}
    return blocks


@pytest.mark.parametrize(
    ("exchange", "file", "symbol"),
    [
        ("binance", "BINANCE.ws.1.0", "NKN/USDT"),
        ("binance", "BINANCE_FUTURES.ws.1.0.gz", "SUSHI/USDT:USDT"),
        ("okx", "OKX.ws.1.0.gz", "BTC/USDT"),
        ("coinbase", "COINBASE.ws.28.0.gz", "SKL/USD"),
    ],
)
def test_strategies_trade_on_recorded_traffic(tmp_path: Path, exchange: str, file: str, symbol: str) -> None:
    pair, _, settle = symbol.partition(":")
    source = recorded(RECORDINGS / file, [symbol])
    server = Sandbox([exchange], source, speed=SPEED, waits=True)
    quote = pair.partition("/")[2]

    def config(endpoint: str) -> Path:
        fed = {exchange: {"symbols": [symbol], "channels": ["trades", "depth"], "endpoint": endpoint}}
        account = {"type": "margin", "currency": quote, "balance": 1_000_000, "leverage": 3}
        quiet = {"stale": "60s"}  # a recording has pauses, and a loaded machine makes them longer
        return write_config(tmp_path, eager(float(source.listings[0].price)), fed, account=account, feed=quiet)

    async def to_the_end(playing: Playing) -> None:
        await playing.until(server.finished.is_set, 60, "end of the recording")

    played = play(server, tmp_path / "runs", config, to_the_end)
    assert set(played.summary["feeds"]["counts"]) == {"connected"}
    assert played.summary["fills"] > 0
    assert sum(one["messages"] for one in played.summary["feeds"]["channels"]) > 50
    if not settle:
        played.assert_trades_are_true()
    played.assert_identical()
