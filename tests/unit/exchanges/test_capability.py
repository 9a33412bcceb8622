"""What is subscribed to of an exchange's markets, and what is refused before anything is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tradectl.errors import FeedError
from tradectl.exchanges.capability import channels_on, check_plan
from tradectl.exchanges.model import Channel, ExchangePlan

SPOT, SWAP, DATED = "BTC/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT-261225"
MARKETS: dict[str, Any] = {SPOT: {"quote": "USDT"}, SWAP: {"swap": True}, DATED: {"future": True, "quote": "USDT"}}
EXCHANGE = SimpleNamespace(
    id="binance", timeframes={"1m": "1m"}, has={"watchTrades": True, "watchOHLCV": True, "watchMarkPrice": True}
)
MINUTE = 60_000_000_000
BOTH = (Channel.OHLCV, Channel.FUNDING)


def plan(symbols: tuple[str, ...], *channels: Channel) -> ExchangePlan:
    return ExchangePlan("binance", symbols, frozenset(channels), MINUTE)


def test_funding_is_subscribed_to_for_perpetuals_alone() -> None:
    wanted = plan((SPOT, SWAP, DATED), *BOTH)
    check_plan(EXCHANGE, wanted, MARKETS)
    assert channels_on(wanted, MARKETS[SWAP]) == {*BOTH}
    assert channels_on(wanted, MARKETS[SPOT]) == channels_on(wanted, MARKETS[DATED]) == {Channel.OHLCV}


@pytest.mark.parametrize(
    ("symbols", "channels", "named"),
    [
        ((DATED, SPOT), BOTH, DATED),  # none pays any
        ((SWAP, SPOT), (Channel.FUNDING,), SPOT),  # nothing is left of it
    ],
)
def test_funding_of_what_pays_none_is_refused(
    symbols: tuple[str, ...], channels: tuple[Channel, ...], named: str
) -> None:
    with pytest.raises(FeedError, match=f"{named} pays no funding") as raised:
        check_plan(EXCHANGE, plan(symbols, *channels), MARKETS)
    assert SWAP in str(raised.value)
