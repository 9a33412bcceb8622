"""Recorded traffic of five venues through the live decoders: books equal what the venues say of them."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.real.ladder_fold import read_rows
from tests.real.recorded import DATA, Recorded, lines_of, listed
from tradectl.core.codes import EventKind
from tradectl.exchanges.model import Channel, GapReason, NeedKind
from tradectl.history.importers.checksum import kraken_checksum
from tradectl.history.importers.lines import seconds_to_ns
from tradectl.history.importers.textbook import TextBook

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")

RECORDINGS = DATA / "exchange_recordings"
DECIMALS = ("price", "qty", "price2", "qty2")
BINANCE = {
    # recording: (files, exchange, symbol, raw id, tick, lot, equal update ids of bookTicker and depth)
    "spot": (("spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"), "binance", "BTC/USDT", "BTCUSDT", "0.01",
             "0.00000001", 1_072),
    "usdm": (("usdm/btcusdt_20240808.gz",), "binanceusdm", "BTC/USDT:USDT", "BTCUSDT", "0.1", "0.001", 629),
    "coinm": (("cm/btcusd_perp_20240808.gz",), "binance", "BTC/USD:BTC", "BTCUSD_PERP", "0.1", "1", 1_124),
}  # fmt: skip


def binance(lines: list[tuple[int, str]], driver: Recorded) -> None:
    """Play a recording whose REST snapshot stands in a line of its own."""
    for recv_ns, text in lines:
        if not driver.hear(recv_ns, text) and '"lastUpdateId"' in text[:60]:
            driver.now, message = max(driver.now, recv_ns), json.loads(text)
            driver.snapshot(message.get("data", message))


@pytest.mark.parametrize("name", ["spot", *(pytest.param(one, marks=pytest.mark.proof) for one in ("usdm", "coinm"))])
def test_binance_books_equal_book_ticker_and_the_importer(name: str) -> None:
    files, exchange, symbol, raw_id, tick, lot, want = BINANCE[name]
    paths = [DATA / "binance_ws" / file for file in files]
    driver = Recorded(listed(exchange, raw_id, 0, tick, lot, symbol))
    lines = list(lines_of(*paths))
    driver.wanted = {(0, int(u)) for _, text in lines if "@bookTicker" in text[:40]
                     for u in re.findall(r'"u":(\d+)', text)}  # fmt: skip
    binance(lines, driver)
    assert not driver.gaps
    assert [need.kind for need in driver.needs] == [NeedKind.SNAPSHOT]  # trades have no hole
    compared = [(driver.touches[key], quote) for key, quote in driver.quotes if key in driver.touches]
    assert len(compared) == want
    assert all(touch == quote for touch, quote in compared)
    equals_importer(driver, paths, float(tick), float(lot))


def equals_importer(driver: Recorded, paths: list[Path], tick: float, lot: float) -> None:
    """Compare every event with the rows of history's importer."""
    rows = next(iter(read_rows("binance_ws", paths, quotes="yes").values()))
    events = np.concatenate(driver.taken)
    assert len(events) == len(rows)
    is_quote = rows["kind"].to_numpy() == EventKind.QUOTE
    price, qty, price2, qty2 = (rows[name].fill_null(0.0).to_numpy() for name in DECIMALS)
    ticks, lots = np.rint(price / tick), np.rint(qty / lot)
    ids = rows["id"].to_numpy()
    for name in ("kind", "side", "flags", "ts_event", "ts_recv"):
        assert (events[name] == rows[name].to_numpy()).all(), name
    assert (events["w0"] == ticks).all()
    assert (events["w1"] == lots).all()
    assert (events["w2"] == np.where(is_quote, np.rint(price2 / tick), ids)).all()
    assert (events["w3"] == np.where(is_quote, np.rint(qty2 / lot), 0)).all()
    assert (events["w4"] == np.where(is_quote, ids, 0)).all()


SESSIONS = {
    # file: (exchange, REST snapshots, ((raw id, tick, lot), …), trades, equal update ids)
    "BINANCE.ws.1.0": (
        "binance", "BINANCE.http.0.0.gz",
        (("NKNUSDT", "0.0001", "1"), ("BLZETH", "0.00000001", "1"), ("LRCBTC", "0.00000001", "1"),
         ("RUNEEUR", "0.001", "0.1")), 2, 26,
    ),
    "BINANCE_FUTURES.ws.1.0.gz": (
        "binanceusdm", "BINANCE_FUTURES.http.0.0",
        (("SUSHIUSDT", "0.001", "1"), ("AKROUSDT", "0.00001", "1"), ("KEEPUSDT", "0.0001", "1"),
         ("CTKUSDT", "0.001", "1")), 91, 50,
    ),
}  # fmt: skip


def answers(path: Path) -> list[tuple[int, str, Any]]:
    """Return (time ns, symbol, answer) of recorded REST snapshots."""
    found = []
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as stream:
        for line in stream:
            match = re.match(r"\S*[?&]symbol=(\w+)\S* -> ([\d.]+): (.*)", line)
            if match is not None:
                found.append((seconds_to_ns(match[2]), match[1], json.loads(match[3])))
    return found


@pytest.mark.parametrize("file", SESSIONS)
def test_binance_sessions_of_four_markets_join_their_rest_snapshots(file: str) -> None:
    exchange, http, markets, trades, want = SESSIONS[file]
    driver = Recorded(
        *(listed(exchange, raw, k, tick, lot, f"{raw}:") for k, (raw, tick, lot) in enumerate(markets))
    )
    by_name = {market.raw_id: market for market in driver.markets}
    snapshots = answers(RECORDINGS / http)
    for recv_ns, text in lines_of(RECORDINGS / file):
        while snapshots and snapshots[0][0] <= recv_ns:
            driver.now, name, payload = snapshots.pop(0)
            driver.snapshot(payload, by_name[name])
        assert driver.hear(recv_ns, text)
    assert not driver.gaps
    assert [need.kind for need in driver.needs] == [NeedKind.SNAPSHOT] * 4  # each once; trades have no hole
    assert len(driver.trades) == trades
    assert len(driver.books) == 4
    compared = [(driver.touches[key], quote) for key, quote in driver.quotes if key in driver.touches]
    assert len(compared) == want
    assert all(touch == quote for touch, quote in compared)


def test_okx_checksums_agree() -> None:
    names = (
        ("BTC-USDT", "0.1", "0.00000001"),
        ("UNI-USD-SWAP", "0.001", "1"),
        ("BTC-USD-220527", "0.1", "1"),
    )
    driver = Recorded(*(listed("okx", raw, k, tick, lot) for k, (raw, tick, lot) in enumerate(names)))
    lines = list(lines_of(RECORDINGS / "OKX.ws.1.0.gz"))
    checked = sum('"checksum"' in text for _, text in lines)
    driver.play(lines)
    assert checked == 290
    assert not driver.gaps  # every one of them agreed
    assert not driver.needs
    assert len(driver.trades) == sum(text.count('"tradeId"') for _, text in lines)
    assert all(bid < ask for bid, _, ask, _ in driver.touches.values())


@pytest.mark.parametrize("lost", [40, 200])
def test_okx_a_lost_message_shows_in_the_next_checksum(lost: int) -> None:
    driver = Recorded(listed("okx", "BTC-USDT", 0, "0.1", "0.00000001"))
    lines = [line for line in lines_of(RECORDINGS / "OKX.ws.1.0.gz") if '"BTC-USDT"' in line[1][:80]]
    depth = [k for k, (_, text) in enumerate(lines) if '"books"' in text[:40] and '"update"' in text[:80]]
    del lines[depth[lost // 4]]
    driver.play(lines)
    assert driver.gaps == [(0, GapReason.CHECKSUM)]
    assert [(need.kind, need.channel) for need in driver.needs][:1] == [(NeedKind.RESUBSCRIBE, Channel.DEPTH)]


def test_coinbase_books_hold_what_the_venue_says() -> None:
    """Trades count on by one in every market, and no book is crossed but while a message is on its way."""
    lines = list(lines_of(RECORDINGS / "COINBASE.ws.28.0.gz"))
    names = sorted({json.loads(text)["product_id"] for _, text in lines if '"snapshot"' in text[:30]})
    driver = Recorded(
        *(listed("coinbaseexchange", name, k, "0.00000001", "0.00000001") for k, name in enumerate(names))
    )
    shown = {name: TextBook() for name in names}
    for recv_ns, text in lines:
        if text.startswith('{"type":"ticker"'):
            continue  # of 2021: without quantities
        driver.hear(recv_ns, text)
        message = json.loads(text)
        book = shown.get(message.get("product_id"))
        if message["type"] == "snapshot":
            book.update(1, message["bids"])
            book.update(-1, message["asks"])
        elif message["type"] == "l2update":
            for side, *level in message["changes"]:
                book.update(1 if side == "buy" else -1, [level])
    assert len(names) == 10
    assert not driver.gaps
    assert not driver.needs
    assert len(driver.trades) == sum(text.startswith('{"type":"match"') for _, text in lines) > 50
    for index, name in enumerate(names):
        for side, word in ((1, "bids"), (-1, "asks")):
            levels = shown[name].levels[side].values()
            want = {round(float(p) * 1e8): round(float(q) * 1e8) for p, q in levels}
            assert driver.book(index)[word] == want
        assert driver.touch(index)[0] < driver.touch(index)[2]


class KrakenRewritten:
    """Kraken's v1 messages of 2021 as v2 writes them; v1 tells no checksum of a snapshot, so that it is made up."""

    def __init__(self) -> None:
        self.shown: dict[str, TextBook] = {}
        self.checksums = 0
        self.trade_ids: Counter[str] = Counter()
        self.decimals: Counter[str] = Counter()  # of prices, without trailing zeros

    def rewrite(self, text: str) -> str | None:
        """Return a message, or None where there is none like it."""
        message = json.loads(text)
        if not isinstance(message, list):
            return None
        channel, pair = message[-2], message[-1]
        if channel == "trade":
            return self._trades(pair, message[1])
        payload: dict[str, Any] = {}
        for part in message[1:-2]:
            payload.update(part)
        whole = "as" in payload or "bs" in payload
        sides = payload.get("bs" if whole else "b", []), payload.get("as" if whole else "a", [])
        checksum = payload.get("c")
        if checksum is None:
            book = self.shown[pair] = TextBook()
            for side, levels in zip((1, -1), sides, strict=True):
                book.update(side, levels)
            checksum = kraken_checksum(book.top(1, 10), book.top(-1, 10))
        else:
            self.checksums += 1
        prices = [price.rstrip("0").partition(".")[2] for levels in sides for price, *_ in levels]
        self.decimals[pair] = max(self.decimals[pair], *map(len, prices))
        bids, asks = (",".join(f'{{"price":{p},"qty":{q}}}' for p, q, *_ in levels) for levels in sides)
        kind = "snapshot" if whole else "update"
        data = f'"symbol":"{pair}","bids":[{bids}],"asks":[{asks}],"checksum":{checksum}'
        return f'{{"channel":"book","type":"{kind}","data":[{{{data}}}]}}'

    def _trades(self, pair: str, trades: list[Any]) -> str:
        data = []
        for price, qty, stamp, side, *_ in trades:
            self.trade_ids[pair] += 1
            when = datetime.fromtimestamp(float(stamp), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            data.append(
                f'{{"symbol":"{pair}","side":"{"buy" if side == "b" else "sell"}","price":{price},"qty":{qty},'
                f'"ord_type":"market","trade_id":{self.trade_ids[pair]},"timestamp":"{when}"}}'
            )
        return f'{{"channel":"trade","type":"update","data":[{",".join(data)}]}}'


def kraken_lines() -> tuple[list[tuple[int, str]], KrakenRewritten]:
    """Return recorded book and trade messages in the form of v2, and what rewrote them."""
    rewritten, lines = KrakenRewritten(), []
    for recv_ns, text in lines_of(RECORDINGS / "KRAKEN.ws.48.0", RECORDINGS / "KRAKEN.ws.50.0.gz"):
        if (message := rewritten.rewrite(text)) is not None:
            lines.append((recv_ns, message))
    return lines, rewritten


def kraken_driver(rewritten: KrakenRewritten) -> Recorded:
    names = sorted(rewritten.shown)
    ticks = [f"1e-{rewritten.decimals[name]}" for name in names]
    driver = Recorded(*(listed("kraken", name, k, ticks[k], "1e-8") for k, name in enumerate(names)))
    for name in names:
        result = f'{{"channel":"book","depth":1000,"snapshot":true,"symbol":"{name}"}}'
        assert driver.decoder.classify(f'{{"method":"subscribe","result":{result},"success":true}}') is None
    return driver


def test_kraken_checksums_of_v1_agree_in_v2() -> None:
    lines, rewritten = kraken_lines()
    driver = kraken_driver(rewritten)
    assert driver.play(lines) == len(lines)
    assert rewritten.checksums == 4_269
    assert not driver.gaps  # every one of them agreed
    assert not driver.needs
    assert len(driver.trades) == sum(rewritten.trade_ids.values()) == 10
    assert all(bid < ask for bid, _, ask, _ in driver.touches.values())


def test_kraken_a_lost_message_shows_and_the_book_stays_silent() -> None:
    lines, rewritten = kraken_lines()
    driver = kraken_driver(rewritten)
    name = driver.markets[0].raw_id
    changes = [k for k, (_, text) in enumerate(lines) if '"update"' in text[:40] and f'"{name}"' in text[:80]]
    book = [k for k in changes if '"checksum"' in lines[k][1]]
    del lines[book[len(book) // 2]]
    driver.play(lines)
    assert driver.gaps == [(0, GapReason.CHECKSUM)]
    assert {need.market.raw_id for need in driver.needs} == {name}


class BybitRewritten:
    """Bybit's inverse messages of 2021 (orderBookL2_25, trade) as v5 writes them, update ids counted by us."""

    def __init__(self) -> None:
        self.updates: Counter[str] = Counter()
        self.levels: dict[str, dict[str, dict[str, str]]] = {}

    def rewrite(self, recv_ns: int, text: str) -> dict[str, Any] | None:
        """Return a message, or None where there is none like it."""
        message = json.loads(text)
        topic, _, name = message.get("topic", "").partition(".")
        data = message.get("data")
        if topic == "trade":
            made = [
                {"T": one["trade_time_ms"], "s": name, "S": one["side"], "v": str(one["size"]), "p": str(one["price"]),
                 "i": one["trade_id"]} for one in data
            ]  # fmt: skip
            return {
                "topic": f"publicTrade.{name}",
                "type": "snapshot",
                "ts": recv_ns // 1_000_000,
                "data": made,
            }
        if topic != "orderBookL2_25":
            return None
        whole = message["type"] == "snapshot"
        changes = data if whole else [*data["delete"], *data["update"], *data["insert"]]
        self.updates[name] += 1
        if whole:
            self.levels[name] = {"Buy": {}, "Sell": {}}
        sides: dict[str, list[tuple[str, str]]] = {"Buy": [], "Sell": []}
        for one in changes:
            level = (str(one["price"]), str(one.get("size", 0)))
            sides[one["side"]].append(level)
            self.levels[name][one["side"]][level[0]] = level[1]
        book = {"s": name, "b": sides["Buy"], "a": sides["Sell"], "u": self.updates[name], "seq": 1}
        kind = "snapshot" if whole else "delta"
        return {"topic": f"orderbook.50.{name}", "type": kind, "ts": recv_ns // 1_000_000, "data": book}


def test_bybit_books_and_trades_of_old_messages_in_v5() -> None:
    rewritten = BybitRewritten()
    driver = Recorded(
        *(listed("bybit", name, k, "0.001", "1") for k, name in enumerate(("BTCUSD", "EOSUSD")))
    )
    trades = 0
    for recv_ns, text in lines_of(RECORDINGS / "BYBIT.ws.26.0.gz"):
        message = rewritten.rewrite(recv_ns, text)
        if message is not None:
            driver.hear(recv_ns, json.dumps(message))
            trades += len(message["data"]) if "Trade" in message["topic"] else 0
    assert not driver.gaps
    assert not driver.needs
    assert len(driver.trades) == len(set(driver.ids())) == trades > 10
    for index, market in enumerate(driver.markets):
        for word, side in (("bids", "Buy"), ("asks", "Sell")):
            levels = rewritten.levels[market.raw_id][side].items()
            want = {round(float(price) * 1_000): int(qty) for price, qty in levels if int(qty)}
            assert driver.book(index)[word] == want
