"""Raw traffic of Binance and of Coinbase's exchange feed, as it was recorded, as a sandbox's source.

A line is `<receive stamp>: <json>`, or `<url> -> <receive stamp>: <json>` of a REST answer. The answers to Binance's
stand in a file beside the messages (`NAME.http.0` for `NAME.ws.1`). All is held in memory: it is meant for minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.errors import DataError
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Change, Listing
from tradectl.exchanges.sandbox.sources import Source, Stream
from tradectl.history.files import Place
from tradectl.history.importers.lines import numbered, stamp_to_ns, stamped
from tradectl.history.profiles import split_pair

__all__ = ["read_traffic"]

ANSWER = re.compile(rb"\S+[?&]symbol=(\w+)\S* -> ([\d.]+): (\{.*)", re.DOTALL)
FIRST = re.compile(rb"wss://(stream\.binance|fstream\.binance|ws-feed)")
TRADES = ("trade", "aggTrade")
DEPTH, TRADE = EventKind.DEPTH, EventKind.TRADE
Text = tuple[int, str, str]  # side or index, price, quantity as the venue wrote them
Told = tuple[
    int, str, EventKind, list[Text], bool
]  # receive stamp, symbol, kind, rows, whether it is the whole book


def read_traffic(path: Path) -> Source | None:
    """Return the source of a recording of one of these venues; None for any other file."""
    if not path.is_file():
        return None
    place = Place(path)
    lines = numbered(place)
    try:
        match = FIRST.match(next((line for _, line, _ in lines), b""))
    except (UnicodeDecodeError, DataError):
        return None
    if match is None:
        return None
    coinbase = match[1] == b"ws-feed"
    messages = [
        (parts[0], json.loads(parts[1])) for _, line, _ in lines if (parts := stamped(line)) is not None
    ]
    told = list(_coinbase(messages) if coinbase else _binance(messages, _answers(path)))
    if not told:
        raise DataError(f"{path} holds no trades and no depth")
    return _source(str(path), told, is_perpetual=match[1] == b"fstream.binance")


def _answers(path: Path) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return the books over REST that were recorded beside the messages: symbol -> receive stamp, answer."""
    found = {}
    for beside in sorted(path.parent.glob(f"{path.name.partition('.ws.')[0]}.http.*")):
        for _, line, _ in numbered(Place(beside)):
            match = ANSWER.match(line)
            if match is not None and b"lastUpdateId" in match[3]:
                found[match[1].decode()] = stamp_to_ns(match[2].decode()), json.loads(match[3])
    return found


def _levels(bids: Sequence[Any], asks: Sequence[Any]) -> list[Text]:
    return [(side, level[0], level[1]) for side, levels in ((BIDS, bids), (ASKS, asks)) for level in levels]


def _binance(
    messages: Sequence[tuple[int, Any]], answers: dict[str, tuple[int, dict[str, Any]]]
) -> Iterator[Told]:
    """Yield what Binance's combined streams tell; a book begins with its answer over REST, else empty."""
    waiting: dict[str, list[dict[str, Any]]] = {symbol: [] for symbol in answers}
    kinds: dict[str, str] = {}
    for at, message in messages:
        data = message.get("data", message)
        symbol, event = data.get("s", ""), data.get("e")
        for due in [name for name in waiting if answers[name][0] <= at]:
            answer = answers[due][1]
            yield at, due, DEPTH, _levels(answer["bids"], answer["asks"]), True
            for one in waiting.pop(due):
                if one["u"] > answer["lastUpdateId"]:
                    yield at, due, DEPTH, _levels(one["b"], one["a"]), False
        if event == "depthUpdate" and symbol in waiting:
            waiting[symbol].append(data)
        elif event == "depthUpdate" and (
            symbol not in answers or data["u"] > answers[symbol][1]["lastUpdateId"]
        ):
            yield at, symbol, DEPTH, _levels(data["b"], data["a"]), False
        elif event in TRADES and kinds.setdefault(symbol, event) == event:
            yield at, symbol, TRADE, [(-1 if data["m"] else 1, data["p"], data["q"])], False


def _coinbase(messages: Sequence[tuple[int, Any]]) -> Iterator[Told]:
    """Yield what the exchange feed tells; a match names the maker's side."""
    for at, message in messages:
        kind, symbol = message.get("type"), message.get("product_id", "")
        if kind == "snapshot":
            yield at, symbol, DEPTH, _levels(message["bids"], message["asks"]), True
        elif kind == "l2update":
            rows = [(BIDS if side == "buy" else ASKS, price, qty) for side, price, qty in message["changes"]]
            yield at, symbol, DEPTH, rows, False
        elif kind == "match":
            yield (
                at,
                symbol,
                TRADE,
                [(1 if message["side"] == "sell" else -1, message["price"], message["size"])],
                False,
            )


def _source(name: str, told: Sequence[Told], *, is_perpetual: bool) -> Source:
    """Return the source on the coarsest powers of ten that hold all prices and quantities of each symbol."""
    names = [symbol for symbol in dict.fromkeys(one[1] for one in told) if split_pair(symbol, None)[2]]
    steps = {symbol: [Decimal(1), Decimal(1)] for symbol in names}
    first: dict[str, Decimal] = {}
    for _, symbol, _, rows, _ in told:
        for _, *numbers in rows if symbol in steps else ():
            first.setdefault(symbol, Decimal(numbers[0]))
            for place, number in enumerate(numbers):
                digits = len(number.partition(".")[2].rstrip("0"))
                steps[symbol][place] = min(steps[symbol][place], Decimal(1).scaleb(-digits))
    listings = []
    for symbol in names:
        _, base, quote = split_pair(symbol, None)
        tick, lot = steps[symbol]
        listings.append(Listing(base, quote, quote if is_perpetual else "", first[symbol], tick, lot))
    index = {symbol: place for place, symbol in enumerate(names)}

    def stream() -> Stream:
        for at, symbol, kind, rows, whole in told:
            if symbol in index:
                tick, lot = steps[symbol]
                made = [
                    (side, int(Decimal(price) / tick), int(Decimal(qty) / lot)) for side, price, qty in rows
                ]
                yield index[symbol], Change(at, kind, made, whole)

    return Source(name, tuple(listings), lambda: [stream()])
