"""Paper sessions among random faults: books and trades are the server's afterwards, and the replay is the session."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.feeds.played import BARS, TICKS, Played, Playing, play, strategies, write_config
from tradectl.core.codes import EventKind, GapScope
from tradectl.exchanges.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("paper")

ANYTHING = (
    "drop", "refuse:1s", "gap:3:depth", "gap:2:trades", "gap:4", "stale:4s", "malformed:1:json", "malformed:2:nan",
    "malformed:1:html", "slow_snapshot:1s", "limit:2s", "burst:50", "duplicate:5", "reorder:3", "old_snapshot:1",
)  # fmt: skip
CHECKED = (*ANYTHING, "checksum", "checksum:3")
VENUES = {"binance": (["BTC/USDT", "ETH/USDT"], ANYTHING), "kraken": (["BTC/USD", "ETH/USD"], CHECKED)}
PATIENT = {"stale": "3s", "backoff": "500ms", "backfill": "30s"}


def play_faults(tmp_path: Path, exchange: str, count: int, seed: int) -> Played:
    """Play all strategies through so many faults, drawn by a seed."""
    symbols, kinds = VENUES[exchange]
    chance = random.Random(f"{exchange}:{seed}")
    server = Sandbox([exchange], symbols, rate=300.0, waits=True)
    currency = symbols[0].partition("/")[2]

    def config(endpoint: str) -> Path:
        fed = {exchange: {"symbols": symbols, "channels": ["trades", "depth"], "endpoint": endpoint}}
        account = {"type": "margin", "currency": currency, "balance": 10_000_000, "leverage": 3}
        ids = [f"{exchange.upper()}:{symbol}" for symbol in symbols]
        return write_config(tmp_path, strategies([*TICKS, *BARS], ids), fed, feed=PATIENT, account=account)

    async def through_faults(playing: Playing) -> None:
        await playing.until(lambda: playing.fills > 10, 20, "trading")
        for _ in range(count):
            server.fault(chance.choice(kinds))
            await asyncio.sleep(chance.uniform(0.05, 1.5))
        await playing.until(playing.books_are_whole, 30, "whole books")
        server.pause()
        await playing.until(playing.trades_are_told, 40, "all trades")

    return play(server, tmp_path / "runs", config, through_faults, limit_s=300)


@pytest.mark.parametrize(
    ("exchange", "count"),
    [
        ("binance", 12),
        ("kraken", 12),
        pytest.param("binance", 50, marks=pytest.mark.proof),
        pytest.param("kraken", 50, marks=pytest.mark.proof),
    ],
)
def test_after_random_faults_nothing_is_missing(tmp_path: Path, exchange: str, count: int) -> None:
    played = play_faults(tmp_path, exchange, count, seed=1)
    events = played.events()
    gaps = events[events["kind"] == EventKind.GAP]
    assert len(gaps) > count // 6
    assert not (gaps["aux"] == GapScope.TRADES).any()
    played.assert_trades_are_true()
    assert len(played.fills()) == len(TICKS) + len(BARS)
    played.assert_identical()


def test_snapshots_that_are_too_old_are_asked_for_until_one_is_not(tmp_path: Path) -> None:
    server = Sandbox(["binance"], ["BTC/USDT"], rate=60.0, waits=True)

    def config(endpoint: str) -> Path:
        fed = {"binance": {"symbols": ["BTC/USDT"], "channels": ["trades", "depth"], "endpoint": endpoint}}
        return write_config(tmp_path, strategies(["twap"], ["BINANCE:BTC/USDT"]), fed)

    async def with_old_books(playing: Playing) -> None:
        await playing.until(playing.books_are_whole, 10, "whole books")
        server.fault("old_snapshot:3")
        await asyncio.sleep(0.5)
        server.fault("gap:1:depth")
        await playing.until(lambda: not playing.books_are_whole(), 10, "gap")
        await playing.until(playing.books_are_whole, 30, "whole books")

    played = play(server, tmp_path / "runs", config, with_old_books)
    assert played.summary["feeds"]["counts"]["gap"] == 1
    played.assert_trades_are_true()
    played.assert_identical()
