"""Own decoders of venues' messages; any other exchange is served by ccxt's unified methods."""

from __future__ import annotations

from collections.abc import Sequence

from tradectl.exchanges.decoders.base import VenueDecoder
from tradectl.exchanges.decoders.binance import BinanceDecoder
from tradectl.exchanges.decoders.bybit import BybitDecoder
from tradectl.exchanges.decoders.coinbase import CoinbaseDecoder
from tradectl.exchanges.decoders.coinbaseexchange import CoinbaseExchangeDecoder
from tradectl.exchanges.decoders.kraken import KrakenDecoder
from tradectl.exchanges.decoders.okx import OkxDecoder
from tradectl.exchanges.model import Decoder, FeedMarket, FeedSettings

__all__ = ["DECODERS", "decoder_of"]

DECODERS: dict[str, type[VenueDecoder]] = {
    "binance": BinanceDecoder,
    "binanceusdm": BinanceDecoder,
    "bybit": BybitDecoder,
    "coinbase": CoinbaseDecoder,
    "coinbaseexchange": CoinbaseExchangeDecoder,
    "kraken": KrakenDecoder,
    "okx": OkxDecoder,
}


def decoder_of(name: str, markets: Sequence[FeedMarket], settings: FeedSettings) -> Decoder | None:
    """Return the own decoder of an exchange (ccxt's id) for these markets; None: ccxt's unified path serves it."""
    decoder = DECODERS.get(name)
    return None if decoder is None else decoder(markets, settings)
