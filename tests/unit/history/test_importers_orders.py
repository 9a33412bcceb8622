"""Order-by-order sources: LOBSTER, Bitstamp and Databento, told so that each quantity traded is told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.history.test_importers_feeds import BEGIN_SNAPSHOT, END, END_SNAPSHOT, brief, read, written
from tradectl.core.codes import EventKind, MarketStatus
from tradectl.errors import DataError
from tradectl.history.importers.databento import MBO
from tradectl.history.importers.databento_mbo import MboOrders, complete

NAME = "XYZ_2012-06-21_34200000_57600000_{}_2.csv"


def lobster(
    folder: Path, messages: list[str], shown: list[str] | None = None, **options: Any
) -> pl.DataFrame:
    path = written(folder / NAME.format("message"), messages)
    if shown is not None:
        written(folder / NAME.format("orderbook"), shown)
    return read("lobster", [path], **options)["XYZ"]


def ids(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return (kind, id, price, qty) of each row."""
    return [(EventKind(k).name, *rest) for k, *rest in frame.select("kind", "id", "price", "qty").rows()]


MESSAGES = [
    "34200.000000001,1,11,5,1000000,1",  # the first: row 1 of the book is after it
    "34200.5,4,77,3,1010000,-1",  # an order older than the file
    "34201,2,11,2,1000000,1",
    "34202,3,11,3,1000000,1",
    "34203,5,0,4,1005000,1",
    "34204,7,0,0,-1,-1",
    "34205,7,0,0,1,-1",
]
SHOWN = [
    "1010000,8,1000000,15,1020000,1,990000,7",
    "1010000,5,1000000,15,1020000,1,990000,7",
    "1010000,5,1000000,13,1020000,1,990000,7",
    "1010000,5,1000000,10,1020000,1,990000,7",
    "1010000,5,1000000,10,1020000,1,990000,7",
    "1010000,5,1000000,10,1020000,1,990000,7",
    "1010000,5,1000000,10,1020000,1,990000,7",
]


def test_lobster_orders_from_a_seeded_book(tmp_path: Path) -> None:
    rows = lobster(tmp_path, MESSAGES, SHOWN)
    assert ids(rows) == [
        ("ORDER_ADD", -1, 100.0, 10.0), ("ORDER_ADD", -2, 99.0, 7.0),
        ("ORDER_ADD", -3, 101.0, 8.0), ("ORDER_ADD", -4, 102.0, 1.0),
        ("ORDER_ADD", 11, 100.0, 5.0),
        ("ORDER_EXEC", -3, 101.0, 3.0),
        ("ORDER_CANCEL", 11, 100.0, 2.0),
        ("ORDER_CANCEL", 11, 100.0, 0.0),
        ("TRADE", 0, 100.5, 4.0),
        ("STATUS", MarketStatus.HALTED, 0.0, 0.0), ("STATUS", MarketStatus.LISTED, 0.0, 0.0),
    ]  # fmt: skip
    assert rows["flags"].to_list() == [BEGIN_SNAPSHOT, 0, 0, END_SNAPSHOT | END, *[END] * 7]
    assert rows["side"].to_list()[4:9] == [1, -1, 1, 1, -1]  # the aggressor of a hidden bid sells
    assert rows["ts_event"].to_list()[4] == 1_340_285_400_000_000_001  # 09:30 in New York is 13:30 UTC
    assert rows["row"].to_list() == [1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7]


def test_lobster_levels_that_come_into_sight_are_made_what_is_shown(tmp_path: Path) -> None:
    messages = [
        "34200,1,1,5,1000000,1",
        "34201,1,2,5,1010000,1",  # 98 leaves the two levels in sight
        "34202,3,2,5,1010000,1",  # 98 is back, smaller: an order was canceled out of sight
        "34203,3,1,5,1000000,1",  # 97 comes into sight, never seen; 98 is gone altogether
    ]
    ask = "1020000,1,{},1030000,1,{}"
    shown = [
        ask.format("1000000,5", "980000,7"),
        ask.format("1010000,5", "1000000,5"),
        ask.format("1000000,5", "980000,4"),
        ask.format("970000,9", "960000,1"),
    ]
    rows = lobster(tmp_path, messages, shown)
    assert ids(rows)[4:] == [
        ("ORDER_ADD", 2, 101.0, 5.0),
        ("ORDER_CANCEL", 2, 101.0, 0.0), ("ORDER_CANCEL", -1, 98.0, 3.0),
        ("ORDER_CANCEL", 1, 100.0, 0.0), ("ORDER_ADD", -4, 97.0, 9.0), ("ORDER_ADD", -5, 96.0, 1.0),
        ("ORDER_CANCEL", -1, 98.0, 0.0),
    ]  # fmt: skip
    assert rows["flags"].to_list()[4:] == [END, 0, END, 0, 0, 0, END]


def test_lobster_executions_of_orders_that_came_out_of_sight_are_told_whole(tmp_path: Path) -> None:
    """Beyond two levels order 1 is canceled and order 9 placed, first as large as it, then larger."""
    messages = [
        "34200,1,1,5,1000000,1", "34201,1,2,5,1010000,1", "34202,1,3,5,1020000,1", "34203,3,3,5,1020000,1",
        "34204,3,2,5,1010000,1", "34205,4,9,2,1000000,1", "34206,1,4,5,1010000,1", "34207,1,5,5,1020000,1",
        "34208,3,5,5,1020000,1", "34209,3,4,5,1010000,1", "34210,4,9,6,1000000,1",
    ]  # fmt: skip
    bids = [
        "1000000,5,{},980000,7", "1010000,5,{},1000000,5", "1020000,5,{},1010000,5", "1010000,5,{},1000000,5",
        "1000000,5,{},980000,7", "1000000,3,{},980000,7", "1010000,5,{},1000000,3", "1020000,5,{},1010000,5",
        "1010000,5,{},1000000,8", "1000000,8,{},980000,7", "1000000,2,{},980000,7",
    ]  # fmt: skip
    rows = lobster(tmp_path, messages, ["1030000,1," + bid.format("1040000,1") for bid in bids])
    told = rows.filter((pl.col("row") == 6) | (pl.col("row") == 11))
    assert ids(told) == [
        ("ORDER_EXEC", 9, 100.0, 2.0), ("ORDER_CANCEL", 1, 100.0, 2.0),
        ("ORDER_EXEC", -4, 100.0, 6.0), ("ORDER_CANCEL", 1, 100.0, 1.0),
    ]  # fmt: skip
    assert told["side"].to_list() == [1] * 4
    assert told["flags"].to_list() == [0, END, 0, END]


def test_lobster_messages_alone(tmp_path: Path) -> None:
    rows = lobster(tmp_path, MESSAGES)
    assert ids(rows)[:3] == [
        ("ORDER_ADD", 11, 100.0, 5.0), ("ORDER_EXEC", 77, 101.0, 3.0), ("ORDER_CANCEL", 11, 100.0, 2.0),
    ]  # fmt: skip
    assert rows["side"].to_list()[1] == -1
    with pytest.raises(DataError, match="no orderbook file beside it, which depth"):
        lobster(tmp_path, MESSAGES, **{"as": "depth"})


def test_lobster_as_depth_and_as_quotes(tmp_path: Path) -> None:
    depth = lobster(tmp_path, MESSAGES, SHOWN, **{"as": "depth"})
    assert brief(depth) == [
        ("DEPTH", 1, 100.0, 15.0, BEGIN_SNAPSHOT), ("DEPTH", 1, 99.0, 7.0, 0),
        ("DEPTH", -1, 101.0, 8.0, 0), ("DEPTH", -1, 102.0, 1.0, END_SNAPSHOT | END),
        ("TRADE", 1, 101.0, 3.0, 0), ("DEPTH", -1, 101.0, 5.0, END),
        ("DEPTH", 1, 100.0, 13.0, END), ("DEPTH", 1, 100.0, 10.0, END),
        ("TRADE", -1, 100.5, 4.0, END), ("STATUS", 0, 0.0, 0.0, END), ("STATUS", 0, 0.0, 0.0, END),
    ]  # fmt: skip
    quotes = lobster(tmp_path, MESSAGES, SHOWN, **{"as": "quotes"}).filter(pl.col("kind") == EventKind.QUOTE)
    assert quotes.select("price", "qty", "price2", "qty2").rows() == [
        (100.0, 15.0, 101.0, 8.0), (100.0, 15.0, 101.0, 5.0), (100.0, 13.0, 101.0, 5.0), (100.0, 10.0, 101.0, 5.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "shown", "part"),
    [
        ([*MESSAGES, "34206,1,x,5,1000000,1"], None, "line 8, column order_id: 'x' is not a whole number"),
        ([*MESSAGES, "34206,1,5"], None, "line 8, column size: '' is not a whole number"),
        ([*MESSAGES, "34206,9,1,5,1000000,1"], None, "line 8, column type: '9' is not a message type"),
        (MESSAGES, SHOWN[:5], "5 rows, fewer than the message file"),
        (MESSAGES, [row[:-2] for row in SHOWN], "7 columns are no whole number of levels"),
        (
            MESSAGES,
            [*SHOWN[:3], "1010000,5,1000000,abc,1020000,1,990000,7", *SHOWN[4:]],
            "line 4, column column_4",
        ),
    ],
)
def test_damaged_lobster_files(
    tmp_path: Path, messages: list[str], shown: list[str] | None, part: str
) -> None:
    with pytest.raises(DataError) as caught:
        lobster(tmp_path, messages, shown)
    assert part in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_lobster_names_tell_symbol_and_day(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the name tells neither symbol nor day"):
        read("lobster", [written(tmp_path / "messages.csv", MESSAGES)])


BITSTAMP = "id,timestamp,exchange.timestamp,price,volume,action,direction"


def bitstamp(folder: Path, *lines: str) -> pl.DataFrame:
    stamped = [
        f"{line.split(',')[0]},{1430438404000 + k},0,{line.split(',', 1)[1]}" for k, line in enumerate(lines)
    ]
    return read("bitstamp_orders", [written(folder / "orders.csv", [BITSTAMP, *stamped])])["BTCUSD"]


def test_bitstamp_takers_are_held_back_while_they_cross(tmp_path: Path) -> None:
    rows = bitstamp(
        tmp_path,
        "1,100.00,300000000,created,ask",
        "2,99.00,100000000,created,bid",
        "3,100.50,500000000,created,bid",  # crosses: not in the book yet
        "3,100.50,200000000,changed,bid",
        "1,100.00,0,deleted,ask",  # filled whole: the execution; what is left of the taker rests now
        "3,100.50,50000000,changed,bid",
        "3,100.50,50000000,deleted,bid",
        "2,99.00,100000000,changed,bid",  # nothing changed
        "9,98.00,100000000,deleted,bid",  # older than the file
        "8,98.00,70000000,changed,bid",  # older, but now it is known
    )
    assert ids(rows) == [
        ("ORDER_ADD", 1, 100.0, 3.0), ("ORDER_ADD", 2, 99.0, 1.0),
        ("ORDER_EXEC", 1, 100.0, 3.0), ("ORDER_ADD", 3, 100.5, 2.0),
        ("ORDER_EXEC", 3, 100.5, 1.5), ("ORDER_CANCEL", 3, 100.5, 0.0), ("ORDER_ADD", 8, 98.0, 0.7),
    ]  # fmt: skip
    assert rows["flags"].to_list() == [END, END, 0, END, END, END, END]


def test_bitstamp_log_lines_say_the_same(tmp_path: Path) -> None:
    log = [
        '1430438404000 order_created {"price": "100.00", "amount": "3.00000000", "id": 1, "order_type": 1}',
        '1430438404001 trade {"price": 100.0, "amount": 1.0, "id": 7}',
        '1430438404002 order_changed {"price": "100.00", "amount": "2.00000000", "id": 1, "order_type": 1}',
        '1430438404003 order_book {"bids": [], "asks": []}',
    ]
    rows = read("bitstamp_orders", [written(tmp_path / "a.log", log)])["BTCUSD"]
    assert ids(rows) == [("ORDER_ADD", 1, 100.0, 3.0), ("ORDER_EXEC", 1, 100.0, 1.0)]
    with pytest.raises(DataError, match="line 2 cannot be read: action 'moved'"):
        bitstamp(tmp_path, "1,100.00,1,moved,ask")


F_LAST, F_SNAPSHOT, F_BAD = 128, 32, 4


def mbo(*lines: tuple[str, str, int, int, float, int]) -> np.ndarray[Any, Any]:
    """Make records of (action, side, order, size, price, flags)."""
    made = np.zeros(len(lines), MBO)
    for k, (action, side, order, size, price, flags) in enumerate(lines):
        made[k]["action"], made[k]["side"], made[k]["flags"] = action.encode(), side.encode(), flags
        made[k]["order_id"], made[k]["size"], made[k]["price"] = order, size, round(price * 1e9)
        made[k]["ts_event"], made[k]["ts_recv"] = 10 + k, 20 + k
    return made


def mbo_rows(*lines: tuple[str, str, int, int, float, int]) -> pl.DataFrame:
    return MboOrders().rows(mbo(*lines), np.arange(1, len(lines) + 1))


BOOK = (("A", "B", 1, 5, 99.0, F_LAST), ("A", "A", 2, 5, 101.0, F_LAST))

DATABENTO = {
    "whole fill": (
        [("T", "B", 0, 5, 101.0, 0), ("F", "A", 2, 5, 101.0, 0), ("C", "A", 2, 5, 101.0, F_LAST)],
        [("ORDER_EXEC", 2, 101.0, 5.0)],
    ),
    "part of an order": (
        [("T", "B", 0, 2, 101.0, 0), ("F", "A", 2, 2, 101.0, 0), ("M", "A", 2, 3, 101.0, F_LAST)],
        [("ORDER_EXEC", 2, 101.0, 2.0), ("ORDER_MODIFY", 2, 101.0, 3.0)],
    ),
    "a fill, then the rest is canceled": (
        [("T", "B", 0, 2, 101.0, 0), ("F", "A", 2, 2, 101.0, 0), ("C", "A", 2, 5, 101.0, F_LAST)],
        [("ORDER_EXEC", 2, 101.0, 2.0), ("ORDER_CANCEL", 2, 101.0, 3.0)],
    ),
    "an iceberg shows its next part": (
        [("T", "B", 0, 7, 101.0, 0), ("F", "A", 2, 7, 101.0, 0), ("M", "A", 2, 3, 101.0, F_LAST)],
        [("TRADE", 0, 101.0, 2.0), ("ORDER_EXEC", 2, 101.0, 5.0), ("ORDER_ADD", 2, 101.0, 3.0)],
    ),
    "an implied match": (
        [("T", "B", 0, 5, 101.0, 0), ("F", "A", 2, 3, 101.0, 0), ("M", "A", 2, 2, 101.0, F_LAST)],
        [("TRADE", 0, 101.0, 2.0), ("ORDER_EXEC", 2, 101.0, 3.0), ("ORDER_MODIFY", 2, 101.0, 2.0)],
    ),
    "an aggressor that rested": (
        [("T", "B", 1, 5, 101.0, 0), ("F", "B", 1, 5, 101.0, 0), ("F", "A", 2, 5, 101.0, 0),
         ("C", "B", 1, 5, 99.0, 0), ("C", "A", 2, 5, 101.0, F_LAST)],
        [("ORDER_EXEC", 2, 101.0, 5.0), ("ORDER_CANCEL", 1, 99.0, 5.0)],
    ),
    "an auction": (
        [("T", "N", 0, 5, 100.0, 0), ("F", "N", 1, 5, 100.0, 0), ("F", "N", 2, 5, 100.0, 0),
         ("C", "B", 1, 5, 99.0, 0), ("C", "A", 2, 5, 101.0, F_LAST)],
        [("TRADE", 0, 100.0, 5.0), ("ORDER_CANCEL", 1, 99.0, 5.0), ("ORDER_CANCEL", 2, 101.0, 5.0)],
    ),
    "unknown orders": (
        [("C", "B", 8, 1, 99.0, F_LAST), ("M", "B", 9, 4, 98.0, F_LAST), ("N", "N", 0, 0, 0.0, F_LAST)],
        [("ORDER_ADD", 9, 98.0, 4.0)],
    ),
    "a fill of an unknown order": (
        [("T", "B", 0, 9, 101.0, 0), ("F", "A", 9, 3, 101.0, 0), ("F", "A", 2, 5, 101.0, 0), ("F", "A", 9, 1, 101.0, 0),
         ("M", "A", 9, 2, 101.0, 0), ("C", "A", 2, 5, 101.0, F_LAST)],
        [("ORDER_EXEC", 9, 101.0, 3.0), ("ORDER_EXEC", 2, 101.0, 5.0), ("ORDER_EXEC", 9, 101.0, 1.0),
         ("ORDER_ADD", 9, 101.0, 2.0)],
    ),
    "part of an order canceled": (
        [("C", "B", 1, 2, 99.0, F_LAST), ("C", "B", 1, 3, 99.0, F_LAST), ("C", "B", 1, 3, 99.0, F_LAST)],
        [("ORDER_CANCEL", 1, 99.0, 2.0), ("ORDER_CANCEL", 1, 99.0, 3.0)],
    ),
    "a clear": ([("R", "N", 0, 0, 0.0, F_LAST), ("C", "B", 1, 5, 99.0, F_LAST)], [("CLEAR", 0, 0.0, 0.0)]),
}  # fmt: skip


@pytest.mark.parametrize("name", DATABENTO)
def test_databento_messages(name: str) -> None:
    lines, want = DATABENTO[name]
    rows = mbo_rows(*BOOK, *lines)
    assert ids(rows)[2:] == want
    ends = rows["flags"].to_list()[2:]
    assert ends[-1] == END
    if all(not flags for *_, flags in lines[:-1]):
        assert ends[:-1] == [0] * (len(want) - 1)


def test_databento_snapshot_doubt_and_whole_messages() -> None:
    lines = (
        ("R", "N", 0, 0, 0.0, F_SNAPSHOT), ("A", "B", 1, 5, 99.0, F_SNAPSHOT), ("A", "A", 2, 5, 101.0, F_SNAPSHOT),
        ("A", "B", 3, 5, 98.0, F_LAST), ("A", "B", 4, 5, 97.0, F_LAST | F_BAD), ("A", "B", 5, 5, 97.0, 0),
    )  # fmt: skip
    assert [complete(mbo(*lines[:n])) for n in range(7)] == [0, 0, 0, 0, 4, 5, 5]
    rows = mbo_rows(*lines[:5])
    assert [(r[0], r[4]) for r in brief(rows)] == [
        ("ORDER_ADD", BEGIN_SNAPSHOT), ("ORDER_ADD", END_SNAPSHOT | END), ("ORDER_ADD", END),
        ("GAP", END), ("ORDER_ADD", END),
    ]  # fmt: skip
    assert rows["ts_event"].to_list() == [21, 22, 13, 14, 14]  # a snapshot is of its receipt
    assert rows["ts_recv"].to_list() == [21, 22, 23, 24, 24]


def test_databento_files_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    path = tmp_path / "a.dbn"
    path.write_bytes(b"no such thing" * 100)
    with pytest.raises(DataError, match="no DBN file"):
        read("databento", [path])
    path.write_bytes(b"DBN")
    with pytest.raises(DataError, match="ends within its header"):
        read("databento", [path])
