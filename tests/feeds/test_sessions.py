"""Paper sessions with real ccxt against the sandbox: every shipped strategy trades, and the replay is the session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.feeds.played import BARS, TICKS, Played, Playing, play, strategies, write_config
from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("paper sandbox")

RATE = 600.0
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
