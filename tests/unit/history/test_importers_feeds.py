"""Decoders of recorded messages: sequences, snapshots, checksums, gaps, and lines that cannot be read."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers import IMPORTERS, Options
from tradectl.history.importers.binance_chain import DiffChain, Verdict
from tradectl.history.importers.checksum import kraken_checksum, okx_checksum
from tradectl.history.importers.lines import seconds_to_ns, stamp_to_ns
from tradectl.history.importers.textbook import TextBook

END, BEGIN_SNAPSHOT, END_SNAPSHOT = (
    int(EventFlag.MESSAGE_END),
    int(EventFlag.SNAPSHOT_BEGIN),
    int(EventFlag.SNAPSHOT_END),
)
MS = 1_000_000
NS = 1_723_161_255_000_000_000


def read(name: str, paths: list[Path], kind: str = "book", **extra: Any) -> dict[str, pl.DataFrame]:
    found: dict[str, list[pl.DataFrame]] = {}
    options = Options(kind=kind, extra=extra)
    for symbol, frame in IMPORTERS[name].read([Place(path) for path in paths], options):
        found.setdefault(symbol, []).append(frame)
    return {symbol: pl.concat(frames) for symbol, frames in found.items()}


def brief(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return (kind, side, price, qty, flags) of each row."""
    columns = frame.select("kind", "side", "price", "qty", "flags").rows()
    return [(EventKind(kind).name, *rest) for kind, *rest in columns]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def diff(first: int, last: int, previous: int | None, bids: Any, asks: Any = ()) -> dict[str, Any]:
    made = {"e": "depthUpdate", "E": last, "s": "X", "U": first, "u": last, "b": list(bids), "a": list(asks)}
    return made if previous is None else made | {"pu": previous, "T": last}


def binance(*messages: dict[str, Any]) -> list[str]:
    return [
        f"{NS + k} " + json.dumps(m if "lastUpdateId" in m else {"stream": f"x@{m.get('e')}", "data": m})
        for k, m in enumerate(messages)
    ]


CHAINS = [
    # (spot) snapshot at 10, then (U, u, pu) -> verdict
    ("spot", [(5, 10, None, "STALE"), (9, 12, None, "NEXT"), (13, 13, None, "NEXT"), (15, 16, None, "BREAK"),
              (17, 18, None, "WAIT")]),
    ("spot starts late", [(12, 13, None, "BREAK")]),
    ("spot starts at the next id", [(11, 11, None, "NEXT"), (11, 11, None, "STALE"), (12, 14, None, "NEXT")]),
    ("futures", [(3, 9, 2, "STALE"), (8, 12, 7, "NEXT"), (20, 25, 12, "NEXT"), (20, 25, 12, "STALE"),
                 (30, 31, 26, "BREAK"), (32, 33, 31, "WAIT")]),
    ("futures starts at the snapshot", [(15, 20, 10, "NEXT"), (21, 22, 20, "NEXT")]),
    ("futures starts late", [(15, 20, 12, "BREAK")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "steps"), CHAINS, ids=[name for name, _ in CHAINS])
def test_chains_of_binance(name: str, steps: list[tuple[int, int, int | None, str]]) -> None:
    chain = DiffChain()
    assert chain.judge(1, 2, None) == Verdict.WAIT
    chain.restart(10)
    assert [chain.judge(*step[:3]).name for step in steps] == [step[3] for step in steps]


def test_binance_diffs_before_the_snapshot_come_with_it(tmp_path: Path) -> None:
    snapshot = {"lastUpdateId": 10, "bids": [["99", "1"]], "asks": [["101", "2"], ["102", "3"]]}
    lines = binance(
        diff(5, 8, None, [["98", "9"]]),
        diff(9, 12, None, [["99", "4"]]),
        snapshot,
        diff(13, 14, None, (), [["101", "0"]]),
        {"e": "trade", "E": 15, "T": 15, "s": "X", "t": 7, "p": "99.5", "q": "0.25", "m": True},
    )
    rows = read("binance_ws", [written(tmp_path / "a.txt", lines)])["X"]
    assert brief(rows) == [
        ("DEPTH", 1, 99.0, 1.0, BEGIN_SNAPSHOT),
        ("DEPTH", -1, 101.0, 2.0, 0),
        ("DEPTH", -1, 102.0, 3.0, END | END_SNAPSHOT),
        ("DEPTH", 1, 99.0, 4.0, END),
        ("DEPTH", -1, 101.0, 0.0, END),
        ("TRADE", -1, 99.5, 0.25, END),
    ]
    assert rows["ts_recv"].to_list() == [NS + 2] * 4 + [NS + 3, NS + 4]
    assert rows["ts_event"].to_list() == [12 * MS] * 3 + [12 * MS, 14 * MS, 15 * MS]
    assert rows["id"].to_list() == [10, 10, 10, 12, 14, 7]
    assert rows["row"].to_list() == [3, 3, 3, 3, 4, 5]


def test_binance_gap_waits_for_the_next_snapshot_in_the_next_file(tmp_path: Path) -> None:
    snapshot = {"lastUpdateId": 10, "T": 10, "symbol": "X", "bids": [["99", "1"]], "asks": []}
    again = {"lastUpdateId": 40, "T": 40, "symbol": "X", "bids": [["97", "1"]], "asks": []}
    first = binance(snapshot, diff(9, 12, 8, [["98", "2"]]), diff(20, 22, 15, [["98", "3"]]))
    second = binance(diff(23, 41, 22, [["96", "5"]]), again, diff(42, 43, 41, [["95", "1"]]))
    paths = [written(tmp_path / "1.txt", first), written(tmp_path / "2.txt", second)]
    rows = read("binance_ws", paths)["X"]
    assert brief(rows) == [
        ("DEPTH", 1, 99.0, 1.0, BEGIN_SNAPSHOT | END_SNAPSHOT | END),
        ("DEPTH", 1, 98.0, 2.0, END),
        ("GAP", 0, 0.0, 0.0, END),
        ("DEPTH", 1, 97.0, 1.0, BEGIN_SNAPSHOT | END_SNAPSHOT | END),
        ("DEPTH", 1, 96.0, 5.0, END),
        ("DEPTH", 1, 95.0, 1.0, END),
    ]


def test_binance_quotes_and_one_kind_of_trades(tmp_path: Path) -> None:
    base = {"E": 5, "T": 4, "s": "X", "p": "1", "q": "2", "m": False}
    lines = binance(
        base | {"e": "aggTrade", "a": 1},
        base | {"e": "trade", "t": 2},
        base | {"e": "aggTrade", "a": 3, "X": "ADL"},
        {"u": 9, "s": "X", "b": "1.0", "B": "3", "a": "1.5", "A": "4"},
        {"e": "kline", "s": "X"},
        {"e": "markPriceUpdate", "E": 6, "s": "X", "p": "1.25"},
    )
    path = written(tmp_path / "a.txt", lines)
    assert [row[0] for row in brief(read("binance_ws", [path])["X"])] == ["TRADE", "MARK"]
    rows = read("binance_ws", [path], quotes="yes")["X"]
    assert [row[0] for row in brief(rows)] == ["TRADE", "QUOTE", "MARK"]
    assert rows.row(1, named=True) == {
        "ts_event": 4 * MS, "ts_recv": NS + 3, "kind": EventKind.QUOTE, "side": 0, "flags": END, "price": 1.0,
        "qty": 3.0, "price2": 1.5, "qty2": 4.0, "id": 9, "row": 4,
    }  # fmt: skip


def test_binance_streams_of_the_best_levels(tmp_path: Path) -> None:
    def line(update: int, bids: Any, asks: Any) -> str:
        data = {"lastUpdateId": update, "bids": bids, "asks": asks}
        return f"{NS + update} " + json.dumps({"stream": "xusdt@depth5@100ms", "data": data})

    lines = [
        line(1, [["9", "1"], ["8", "1"]], [["10", "1"]]),
        line(5, [["9", "2"], ["7", "1"]], [["10", "1"]]),
        line(9, [["9", "2"], ["7", "1"]], [["10", "1"]]),
    ]
    rows = read("binance_ws", [written(tmp_path / "a.txt", lines)])["XUSDT"]
    assert [row[:4] for row in brief(rows)][3:] == [
        ("DEPTH", 1, 8.0, 0.0), ("DEPTH", 1, 9.0, 2.0), ("DEPTH", 1, 7.0, 1.0),
    ]  # fmt: skip
    assert rows["id"].to_list() == [1, 1, 1, 5, 5, 5]


def test_binance_without_snapshot_and_options_that_are_none(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", binance(diff(5, 8, None, [["98", "9"]])))
    with pytest.raises(DataError, match="X: depth messages, but no snapshot"):
        read("binance_ws", [path])
    rows = read("binance_ws", [path], start="empty")["X"]
    assert [row[0] for row in brief(rows)] == ["CLEAR", "DEPTH"]
    with pytest.raises(ConfigError, match="unknown setting 'qoutes'"):
        read("binance_ws", [path], qoutes="yes")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"no": "stamp"}', "expected '<receive stamp> <json>'"),
        (f'{NS} {{"stream":"x@trade","data":{{"e":"trade"', "Expecting"),
        (
            binance({"e": "trade", "E": 1, "T": 1, "s": "X", "t": 1, "p": "1,5", "q": "1", "m": True})[0],
            "1,5",
        ),
        (binance({"e": "trade", "E": 1, "T": 1, "s": "X", "t": 1, "q": "1", "m": True})[0], "no field 'p'"),
        (binance(diff(13, 14, None, [["x", "1"]]))[0], "could not convert string to float: 'x'"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, part: str) -> None:
    snapshot = {"lastUpdateId": 12, "bids": [["99", "1"]], "asks": []}
    good = binance({"e": "trade", "E": 1, "T": 1, "s": "X", "t": 1, "p": "1", "q": "1", "m": True}, snapshot)
    path = written(tmp_path / "a.txt", [*good, line, *good])
    with pytest.raises(DataError) as caught:
        read("binance_ws", [path])
    assert f"{path}: line 3 cannot be read: " in str(caught.value)
    assert part in str(caught.value)
    assert line[:20] in str(caught.value)


@pytest.mark.parametrize("packing", ["gz", "xz", "plain"])
def test_a_file_that_ends_early_gives_what_it_has(tmp_path: Path, packing: str) -> None:
    trade = {"e": "trade", "E": 1, "T": 1, "s": "X", "p": "1", "q": "1", "m": True}
    text = "".join(line + "\n" for line in binance(*(trade | {"t": k} for k in range(9_000)))).encode()
    path = tmp_path / "a.txt"
    if packing == "plain":
        path.write_bytes(text[:-30])
    else:
        path = tmp_path / f"a.{packing}"
        packed = gzip.compress(text) if packing == "gz" else lzma.compress(text)
        path.write_bytes(packed[: len(packed) // 2])
    got = 0
    with pytest.raises(TruncatedError):  # noqa: PT012 the rows before the error are counted
        for _, frame in IMPORTERS["binance_ws"].read([Place(path)], Options()):
            got += frame.height
    assert got == 8_999 if packing == "plain" else packing == "xz" or 0 < got < 9_000


def bybit(kind: str, update: int, bids: Any, asks: Any = ()) -> str:
    data = {"s": "X", "b": list(bids), "a": list(asks), "u": update, "seq": 1}
    return json.dumps(
        {"topic": "orderbook.500.X", "type": kind, "ts": update, "data": data}, separators=(",", ":")
    )


def test_bybit_missing_update_is_a_gap_until_the_next_snapshot(tmp_path: Path) -> None:
    lines = [
        bybit("delta", 4, [["1", "1"]]),  # before any snapshot: nothing to apply it to
        bybit("snapshot", 5, [["1", "1"]], [["2", "1"]]),
        bybit("delta", 6, [["1", "0"]]),
        bybit("delta", 8, [["1", "3"]]),
        bybit("delta", 9, [["1", "4"]]),
        bybit("snapshot", 1, [["1", "5"]]),
        bybit("delta", 2, ()),
    ]
    rows = read("bybit", [written(tmp_path / "a.data", lines)])["X"]
    assert [(row[0], row[3]) for row in brief(rows)] == [
        ("DEPTH", 1.0), ("DEPTH", 1.0), ("DEPTH", 0.0), ("GAP", 0.0), ("DEPTH", 5.0),
    ]  # fmt: skip
    assert rows["ts_recv"].to_list() == rows["ts_event"].to_list()


def hyper(channel: str, data: Any, stamp: int = NS) -> str:
    return f"{stamp} " + json.dumps({"channel": channel, "data": data}, separators=(",", ":"))


def test_hyperliquid_rows_are_what_changed(tmp_path: Path) -> None:
    def book(bids: Any, asks: Any) -> dict[str, Any]:
        sides = [[{"px": p, "sz": q, "n": 1} for p, q in side] for side in (bids, asks)]
        return {"coin": "BTC", "time": 5, "levels": sides}

    def trade(when: int, tid: int) -> dict[str, Any]:
        return {"coin": "BTC", "side": "A", "px": "9", "sz": "1", "tid": tid, "time": when}

    lines = [
        hyper("l2Book", book([("9", "1"), ("8", "2")], [("10", "1")])),
        hyper("l2Book", book([("9", "1"), ("8", "2")], [("10", "1")])),
        hyper("l2Book", book([("9.5", "3"), ("9", "1")], [("10", "4")])),
        hyper("trades", [trade(NS // MS - 60_000, 1), trade(NS // MS, 2)]),
        hyper("trades", [trade(NS // MS - 60_000, 3)]),
    ]
    rows = read("hyperliquid_ws", [written(tmp_path / "a.txt", lines)])["BTC"]
    assert [row[:4] for row in brief(rows)] == [
        ("DEPTH", 1, 9.0, 1.0), ("DEPTH", 1, 8.0, 2.0), ("DEPTH", -1, 10.0, 1.0),
        ("DEPTH", 1, 8.0, 0.0), ("DEPTH", 1, 9.5, 3.0), ("DEPTH", -1, 10.0, 4.0),
        ("TRADE", -1, 9.0, 1.0), ("TRADE", -1, 9.0, 1.0),
    ]  # fmt: skip
    assert rows["id"].to_list()[-2:] == [2, 3]  # what was traded long before the first message is history
    assert read("hyperliquid_ws", [tmp_path / "a.txt"], backlog="keep")["BTC"].height == 9


def kraken(payload: Any, stamp: str) -> str:
    return f"{stamp}: " + json.dumps([1, payload, "book-10", "A/B"])


def test_kraken_checksum_and_depth(tmp_path: Path) -> None:
    """A wrong checksum is a gap; what falls out of a book of ten levels is removed."""
    asks = [[f"{k}.50", "1.00", "1.0"] for k in range(100, 110)]
    bids = [["99.50", "2.00", "1.5"]]
    book = TextBook()
    book.update(1, bids)
    book.update(-1, [["99.75", "1.00"], *asks[:9]])
    right = kraken_checksum(book.top(1, 10), book.top(-1, 10))
    lines = [
        "wss://ws.kraken.com <-> 1.5",
        'wss://ws.kraken.com <- 1.6: {"event":"subscribe"}',
        '2.0: {"event":"systemStatus"}',
        kraken({"as": asks, "bs": bids}, "2.5"),
        kraken({"a": [["99.75", "1.00", "3.000001"]], "c": str(right)}, "3.5"),
        kraken({"a": [["99.80", "1.00", "4"]], "c": "1"}, "4.5"),
        kraken({"a": [["99.85", "1.00", "5"]], "c": "1"}, "5.5"),
        kraken({"as": asks, "bs": bids}, "6.5"),
        "wss://ws.kraken.com <-> 7.5",
    ]
    rows = read("kraken_ws", [written(tmp_path / "KRAKEN.ws.1.0", lines)])["A/B"]
    changes = rows.filter(pl.col("row").is_between(5, 7))
    assert brief(changes) == [
        ("DEPTH", -1, 99.75, 1.0, 0),
        ("DEPTH", -1, 109.5, 0.0, END),
        ("DEPTH", -1, 99.8, 1.0, 0),
        ("DEPTH", -1, 108.5, 0.0, END),
        ("GAP", 0, 0.0, 0.0, END),
    ]
    assert changes["ts_event"].to_list()[:1] == [3_000_001_000]
    assert changes["ts_recv"].to_list()[:1] == [3_500_000_000]
    assert rows["kind"].to_list()[-1] == EventKind.GAP  # a new connection: the old book is no more
    assert rows["row"].to_list()[-1] == 9


def test_okx_checksum(tmp_path: Path) -> None:
    def message(action: str, asks: Any, bids: Any, checksum: int) -> str:
        arg = {"channel": "books", "instId": "A-B"}
        data = [{"asks": asks, "bids": bids, "ts": "7", "checksum": checksum}]
        return "2.5: " + json.dumps({"arg": arg, "action": action, "data": data})

    asks, bids = [["5.5", "2", "0", "1"]], [["5", "1", "0", "1"], ["4", "1", "0", "1"]]
    right = okx_checksum([("5", "1"), ("4", "1")], [("5.5", "2")])
    lines = [message("snapshot", asks, bids, right), message("update", [["5.5", "3"]], [], right)]
    rows = read("okx_ws", [written(tmp_path / "OKX.ws.1.0", lines)])["A-B"]
    assert [row[0] for row in brief(rows)] == ["DEPTH"] * 4 + ["GAP"]


def test_checksums_of_texts_worked_out_by_hand() -> None:
    from zlib import crc32

    asks, bids = [("0.05005", "0.00000500"), ("5.10", "12.0")], [("0.05000", "0.00000340")]
    assert kraken_checksum(bids, asks) == crc32(b"50055005101205000340")
    made = okx_checksum([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")])
    unsigned = crc32(b"3366.1:7:3366.8:9:3366:6:3368:8:3372:8")
    assert made == (unsigned - 2**32 if unsigned >= 2**31 else unsigned)


def test_stamps_are_read_by_their_size() -> None:
    assert stamp_to_ns("1680652700423575") == 1_680_652_700_423_575_000
    assert stamp_to_ns("1723161256172216566") == 1_723_161_256_172_216_566
    assert stamp_to_ns("1733011200691") == 1_733_011_200_691_000_000
    assert stamp_to_ns("1618678132.9282") == seconds_to_ns("1618678132.9282") == 1_618_678_132_928_200_000
    with pytest.raises(ValueError, match="fits no unit"):
        stamp_to_ns("1" * 30)
