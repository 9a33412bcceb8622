"""Paper sessions among random faults: books and trades are the server's afterwards, and the replay is the session."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import numpy as np
import pytest

import tradectl.cli.runner_paper as runner
from tests.feeds.played import BARS, TICKS, Played, Playing, outage, play, strategies, write_config
from tradectl.core.codes import EventKind, GapScope
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("paper faults")

ANYTHING = (
    "drop", "refuse:1s", "gap:3:depth", "gap:2:trades", "gap:4", "stale:4s", "malformed:1:json", "malformed:2:nan",
    "malformed:1:html", "slow_snapshot:1s", "limit:2s", "burst:50", "duplicate:5", "reorder:3", "old_snapshot:1",
)  # fmt: skip
CHECKED = (*ANYTHING, "checksum", "checksum:3")
VENUES = {"binance": (["BTC/USDT", "ETH/USDT"], ANYTHING), "kraken": (["BTC/USD", "ETH/USD"], CHECKED)}
SECOND = 1_000_000_000
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


class JumpingWall:
    """A wall clock that is put forward or back."""

    def __init__(self) -> None:
        self.off_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self.off_ns


def test_a_clock_that_jumps_is_told_and_time_does_not_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = JumpingWall()
    monkeypatch.setattr(runner, "Clock", lambda: Clock(wall))
    server = Sandbox(["binance"], ["BTC/USDT"], rate=300.0, waits=True)

    def config(endpoint: str) -> Path:
        fed = {"binance": {"symbols": ["BTC/USDT"], "channels": ["trades", "depth"], "endpoint": endpoint}}
        return write_config(tmp_path, strategies(["book_grid"], ["BINANCE:BTC/USDT"]), fed)

    async def while_it_jumps(playing: Playing) -> None:
        noted = playing.session.hub.log.noted
        await playing.until(lambda: playing.fills > 5, 20, "trading")
        wall.off_ns = -3_600 * SECOND  # the clock was an hour ahead and is put right
        await playing.until(lambda: noted["clock"] == 1, 5, "note of the clock")
        before = playing.fills
        await playing.until(lambda: playing.fills > before + 5, 20, "trading behind the clock")
        wall.off_ns = 5 * SECOND
        await playing.until(lambda: noted["clock"] == 2, 5, "note of the clock")

    played = play(server, tmp_path / "runs", config, while_it_jumps)
    events = played.events()
    assert (np.diff(events["ts_recv"]) >= 0).all()
    told = [one["text"] for one in played.summary["feeds"]["notes"] if one["what"] == "clock"]
    assert ["back" in text for text in told] == [True, False]
    played.assert_trades_are_true()
    played.assert_identical()


def test_a_venue_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    server = Sandbox(["kraken"], ["BTC/USD"], rate=300.0, waits=True)

    def config(endpoint: str) -> Path:
        fed = {"kraken": {"symbols": ["BTC/USD"], "channels": ["trades", "depth"], "endpoint": endpoint}}
        account = {"type": "margin", "currency": "USD", "balance": 1_000_000, "leverage": 3}
        return write_config(
            tmp_path, strategies(["book_grid"], ["KRAKEN:BTC/USD"]), fed, account=account, feed=PATIENT
        )

    async def through_an_outage(playing: Playing) -> None:
        await playing.until(lambda: playing.fills > 5, 20, "trading")
        async with outage(server):
            await playing.until(lambda: not playing.books_are_whole(), 5, "gap")
            await asyncio.sleep(3.0)
        await playing.until(playing.books_are_whole, 20, "whole books")
        before = playing.fills
        await playing.until(lambda: playing.fills > before, 20, "trading")
        server.pause()
        await playing.until(playing.trades_are_told, 20, "all trades")

    played = play(server, tmp_path / "runs", config, through_an_outage)
    counts = played.summary["feeds"]["counts"]
    assert counts["lost"] < 40  # it is redialled with a back-off
    played.assert_trades_are_true()
    played.assert_identical()
