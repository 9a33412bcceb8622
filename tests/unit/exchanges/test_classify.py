"""What is market data and what is ccxt's: answers, errors, pongs, other channels."""

from __future__ import annotations

import pytest

from tests.unit.exchanges.decoding import Driver, market
from tradectl.errors import FeedError
from tradectl.exchanges.decoders import DECODERS, decoder_of
from tradectl.exchanges.model import Channel, FeedSettings

RAW = {
    "binance": "BTCUSDT", "binanceusdm": "BTCUSDT", "kraken": "BTC/USD", "bybit": "BTCUSDT", "okx": "BTC-USDT",
    "coinbase": "BTC-USD", "coinbaseexchange": "BTC-USD",
}  # fmt: skip
TABLE = [
    ("binance", '{"e":"trade","E":1,"s":"BTCUSDT","t":1}', Channel.TRADES),
    ("binance", '{"e": "aggTrade", "E": 1, "s": "BTCUSDT", "a": 1}', Channel.TRADES),
    ("binance", '{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":1,"b":[],"a":[]}', Channel.DEPTH),
    ("binance", '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}', Channel.QUOTES),
    ("binance", '{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}', Channel.QUOTES),
    ("binance", '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}', Channel.QUOTES),
    ("binance", '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1}}', Channel.DEPTH),
    ("binance", '{"e":"kline","E":1,"s":"BTCUSDT","k":{}}', Channel.OHLCV),
    ("binanceusdm", '{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"1"}', Channel.FUNDING),
    ("binance", '{"e":"24hrTicker","E":1,"s":"BTCUSDT"}', None),
    ("binance", '{"e":"executionReport","E":1,"s":"BTCUSDT"}', None),
    ("binance", '{"result":null,"id":1}', None),
    ("binance", '{"id":1,"result":null}', None),
    ("binance", '{"error":{"code":2,"msg":"Invalid request: unknown \\"trade\\""},"id":1}', None),
    ("binance", '{"code":-1121,"msg":"Invalid symbol."}', None),
    ("kraken", '{"channel":"book","type":"update","data":[]}', Channel.DEPTH),
    ("kraken", '{"channel": "trade", "type": "update", "data": []}', Channel.TRADES),
    ("kraken", '{"channel":"ticker","type":"update","data":[]}', Channel.QUOTES),
    ("kraken", '{"channel":"ohlc","type":"update","data":[]}', Channel.OHLCV),
    ("kraken", '{"channel":"heartbeat"}', None),
    ("kraken", '{"channel":"status","type":"update","data":[{"system":"online"}]}', None),
    ("kraken", '{"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD"},"success":true}', None),
    ("kraken", '{"method":"subscribe","result":{"channel":"book","depth":"much"},"success":true}', None),
    ("kraken", '{"error":"Currency pair not supported book","method":"subscribe","success":false}', None),
    ("kraken", '{"method":"pong","req_id":1}', None),
    ("bybit", '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1}', Channel.DEPTH),
    ("bybit", '{"topic":"orderbook.1.BTCUSDT","type":"delta","ts":1}', Channel.QUOTES),
    ("bybit", '{"topic":"orderbook.1000.BTCUSDT","type":"delta","ts":1}', Channel.DEPTH),
    ("bybit", '{"type":"snapshot","topic":"kline.1.BTCUSDT","data":[]}', Channel.OHLCV),
    ("bybit", '{"topic": "publicTrade.BTCUSDT", "type": "snapshot"}', Channel.TRADES),
    ("bybit", '{"topic":"tickers.BTCUSDT","type":"delta"}', Channel.FUNDING),
    ("bybit", '{"topic":"allLiquidation.BTCUSDT","type":"delta"}', None),
    ("bybit", '{"success":true,"ret_msg":"","conn_id":"x","req_id":"1","op":"subscribe"}', None),
    ("bybit", '{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}', None),
    ("okx", '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[]}', Channel.DEPTH),
    ("okx", '{"arg": {"channel": "books5", "instId": "BTC-USDT"}, "data": []}', Channel.DEPTH),
    ("okx", '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}', Channel.TRADES),
    ("okx", '{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[]}', Channel.QUOTES),
    ("okx", '{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[]}', Channel.OHLCV),
    ("okx", '{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[]}', Channel.FUNDING),
    ("okx", '{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[]}', Channel.FUNDING),
    ("okx", '{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"x"}', None),
    ("okx", '{"arg":{"channel":"books"},"event":"unsubscribe"}', None),
    ("okx", '{"event":"error","msg":"channel:books doesn\'t exist","code":"60018"}', None),
    ("okx", "pong", None),
    ("coinbase", '{"channel":"l2_data","client_id":"","sequence_num":1,"events":[]}', Channel.DEPTH),
    ("coinbase", '{"channel":"market_trades","client_id":"","sequence_num":1}', Channel.TRADES),
    ("coinbase", '{"channel":"ticker","client_id":"","sequence_num":1}', Channel.QUOTES),
    ("coinbase", '{"channel":"subscriptions","client_id":"","sequence_num":1,"events":[]}', None),
    ("coinbase", '{"channel":"heartbeats","sequence_num":3,"events":[]}', None),
    ("coinbase", '{"type":"error","message":"no l2_data"}', None),
    ("coinbaseexchange", '{"type":"l2update","product_id":"BTC-USD","changes":[]}', Channel.DEPTH),
    ("coinbaseexchange", '{"type":"snapshot","product_id":"BTC-USD"}', Channel.DEPTH),
    ("coinbaseexchange", '{"type": "match", "product_id": "BTC-USD"}', Channel.TRADES),
    ("coinbaseexchange", '{"type":"last_match","product_id":"BTC-USD"}', Channel.TRADES),
    ("coinbaseexchange", '{"type":"ticker","product_id":"BTC-USD"}', Channel.QUOTES),
    ("coinbaseexchange", '{"type":"subscriptions","channels":[{"name":"ticker"}]}', None),
    ("coinbaseexchange", '{"type":"error","message":"Authentication Failed","reason":""}', None),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "text", "channel"), TABLE)
def test_messages_go_where_they_belong(exchange: str, text: str, channel: Channel | None) -> None:
    assert Driver(market(exchange, RAW[exchange])).decoder.classify(text) == channel


@pytest.mark.parametrize("exchange", sorted(DECODERS))
@pytest.mark.parametrize(
    "text", ["", "pong", "ping", "[]", "{}", "<html><body>We are down</body></html>", '{"id":3}']
)
def test_what_is_no_market_data_is_never_taken(exchange: str, text: str) -> None:
    assert Driver(market(exchange, RAW[exchange])).decoder.classify(text) is None


def test_other_exchanges_have_no_own_decoder() -> None:
    assert decoder_of("kucoin", [market("kucoin", "BTC-USDT")], FeedSettings()) is None


def test_two_markets_of_one_name_are_refused_where_messages_do_not_tell_them_apart() -> None:
    both = [market("bybit", "BTCUSDT"), market("bybit", "BTCUSDT", "BTC/USDT:USDT", 1)]
    with pytest.raises(FeedError, match=r"BTC/USDT and BTC/USDT:USDT the same"):
        decoder_of("bybit", both, FeedSettings())
    with pytest.raises(FeedError, match=r"klines call BTC/USDT and BTC/USDT:USDT"):
        decoder_of("binance", [market("binance", m.raw_id, m.symbol, m.index) for m in both], FeedSettings())
