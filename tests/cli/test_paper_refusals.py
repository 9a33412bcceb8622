"""What a paper session refuses before it listens to anything, as a user sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.tools import ROOT, Program
from tradectl.cli.paper_resume import warm_up
from tradectl.errors import ConfigError
from tradectl.exchanges.model import Channel

SANDBOX = ROOT / "configs" / "paper_sandbox.yaml"
ONE = "feed.exchanges.binance"
NAMED = "strategies=[{path: ../strategies/imbalance_taker.py}]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("feed.exchanges={binanc: {symbols: [BTC/USDT, ETH/USDT]}}", NAMED), "did you mean 'binance'?"),
        ((f"{ONE}.endpoint=127.0.0.1:9001",), "expected http://HOST:PORT"),
        ((f"{ONE}.options={{timeuot: 1000}}",), "did you mean 'timeout'?"),
        (("feed.stale=0s",), "feed.stale: expected a duration above 0"),
        (("feed.timer=0",), "feed.timer: expected a duration above 0"),
    ],
)
def test_a_feed_that_cannot_be(program: Program, words: tuple[str, ...], told: str) -> None:
    sets = [part for word in words for part in ("--set", word)]
    done = program("paper", SANDBOX, *sets, "--headless")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert not Path("runs").exists()


async def _bars(*_args: Any) -> Any:
    raise AssertionError("nothing is fetched")


def test_a_warm_up_of_no_bars() -> None:
    market: Any = SimpleNamespace(channels=frozenset({Channel.TRADES}))
    hub: Any = SimpleNamespace(markets=[market], warmup=_bars)
    wired: Any = SimpleNamespace(
        config=SimpleNamespace(feed=SimpleNamespace(warmup=20)), spec=SimpleNamespace(frames_ns=())
    )
    with pytest.raises(ConfigError, match=r"feed\.warmup: 20 bars of which length"):
        asyncio.run(warm_up(hub, wired, lambda *_: None))
