"""How each venue gives its trades of the past over REST: the routes of a local server over one list of trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.unit.exchanges.rest_fake import Answer

Made = tuple[int, int, str, str, int]  # time ms, id, price, qty, side
Query = Mapping[str, str]
NAMES = {"binance": "BTCUSDT", "kraken": "XBTUSDT", "okx": "BTC-USDT", "bybit": "BTCUSDT"}


def binance(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        first = int(query.get("fromId", 0))
        start = int(query.get("startTime", 0))
        found = [t for t in trades if t[1] >= first and t[0] >= start][: int(query["limit"])]
        return [{"a": t[1], "p": t[2], "q": t[3], "f": 1, "l": 1, "T": t[0], "m": t[4] < 0} for t in found]

    return {"aggTrades": page, "api/v3/time": lambda _: {"serverTime": now}}


def kraken(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        found = [t for t in trades if t[0] * 10**6 > int(query["since"])][: int(query["count"])]
        rows = [[t[2], t[3], t[0] / 1000, "b" if t[4] > 0 else "s", "l", "", t[1]] for t in found]
        last = found[-1][0] * 10**6 if found else query["since"]
        return {"error": [], "result": {"XXBTZUSDT": rows, "last": str(last)}}

    return {"Trades": page, "public/Time": lambda _: {"error": [], "result": {"unixtime": now // 1000}}}


def okx(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        key, after = (0 if query["type"] == "2" else 1), int(query["after"])
        found = [t for t in trades if t[key] < after][-int(query["limit"]) :]
        words = {1: "buy", -1: "sell"}
        rows = [
            {"tradeId": str(t[1]), "px": t[2], "sz": t[3], "ts": str(t[0]), "side": words[t[4]]}
            for t in found
        ]
        return {"code": "0", "data": rows[::-1]}

    return {"history-trades": page, "public/time": lambda _: {"code": "0", "data": [{"ts": str(now)}]}}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def coinbase(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        start, end = int(query["start"]) * 1000, int(query["end"]) * 1000
        found = [t for t in trades if start <= t[0] < end][-int(query["limit"]) :]
        words = {1: "SELL", -1: "BUY"}  # of the resting order
        rows = [
            {"trade_id": str(t[1]), "price": t[2], "size": t[3], "time": _iso(t[0]), "side": words[t[4]]}
            for t in found
        ]
        return {"trades": rows[::-1], "best_bid": "1", "best_ask": "2"}

    return {"ticker": page, "v2/time": lambda _: {"data": {"epoch": now // 1000, "iso": _iso(now)}}}


def coinbaseexchange(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        found = [t for t in trades if t[1] < int(query.get("after", 1 << 60))][-int(query["limit"]) :]
        words = {1: "sell", -1: "buy"}  # of the resting order
        rows = [
            {"trade_id": t[1], "price": t[2], "size": t[3], "time": _iso(t[0]), "side": words[t[4]]}
            for t in found
        ]
        return rows[::-1]

    return {"trades": page, "/time": lambda _: {"epoch": now / 1000, "iso": _iso(now)}}


def bybit(trades: Sequence[Made], now: int) -> dict[str, Answer]:
    def page(query: Query) -> Any:
        words = {1: "Buy", -1: "Sell"}
        rows = [
            {"execId": str(t[1]), "price": t[2], "size": t[3], "time": str(t[0]), "side": words[t[4]]}
            for t in trades[-60:]
        ]
        return {"retCode": 0, "result": {"category": query["category"], "list": rows[::-1]}}

    return {"recent-trade": page, "market/time": lambda _: {"retCode": 0, "time": now, "result": {}}}


VENUES = {
    "binance": binance, "kraken": kraken, "okx": okx, "coinbase": coinbase, "coinbaseexchange": coinbaseexchange,
    "bybit": bybit,
}  # fmt: skip
