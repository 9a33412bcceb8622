"""What of a block `feed` is refused without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tradectl.config.load import load_text
from tradectl.errors import ConfigError

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"


def load(symbols: list[str], channels: list[str]) -> None:
    one = {"symbols": symbols, "channels": channels, "timeframe": "1m"}
    load_text(yaml.safe_dump({"strategy": "a.py", "feed": {"exchanges": {"binance": one}}}), Path("c.yaml"))


@pytest.mark.parametrize(
    ("symbols", "channels"),
    [([SPOT, "ETH/USDT"], ["ohlcv", "funding"]), ([SWAP, SPOT], ["funding"])],
)
def test_funding_of_spot_is_refused(symbols: list[str], channels: list[str]) -> None:
    told = rf"feed\.exchanges\.binance\.channels: {SPOT} is spot and pays no funding; perpetuals do, .*: {SWAP}"
    with pytest.raises(ConfigError, match=told):
        load(symbols, channels)


def test_spot_beside_a_perpetual_needs_another_channel() -> None:
    load([SPOT, SWAP], ["ohlcv", "funding"])
    load([SWAP], ["funding"])
