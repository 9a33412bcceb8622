"""The screen of a paper session as lines: every frame has exactly the size of the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tradectl.cli.paper_frame import Column, Table, flow, share, spark, table_lines
from tradectl.cli.paper_panels import Feed, Fill, Scene, age
from tradectl.cli.paper_reading import Account, Held, Working

BTC = "BTC/USDT"


def scene(**changes: Any) -> Scene:
    made = Scene(
        name="market-maker",
        running_s=3_725.0,
        account=Account("USDT", 100_012.34, 12.34, 100_020.0, 0.001, 0.002, 769.0, 3.21, "ACTIVE", False),
        counts={"fills": 12, "orders": 40, "denied": 1, "rejected": 2},
        rate=1_234.0,
        lag_ms=12.3,
        waiting=0,
        step="fold p50 0.03 p99 0.20 ms",
        equity=[1.0, 3.0, 2.0],
        limits={"drawdown": "0.10 % of 5.00 %", "orders": "2 of 20"},
        held=[Held("mm", BTC, 0, -0.0123, 64_000.123, 64_010.5, -0.1276, 3.4, 0.1)],
        working=[
            Working(40, "mm", BTC, 0, "BUY", "LIMIT", "partially_filled", 64_000.1, None, 0.5, 1.0, 0.12, 61.0),
            Working(39, "mm", BTC, 0, "SELL", "STOP_MARKET", "accepted", None, 63_000.0, 1.0, 1.0, None, 2.0),
        ],
        n_working=2,
        fills=[Fill("10:00:00", BTC, "SELL", 0.01, 64_000.1, "maker", 0.1)] * 30,
        focus=BTC,
        bids=[(64_000.1 - k, 0.5) for k in range(5)],
        asks=[(64_000.2 + k, 1.25) for k in range(3)],
        own=frozenset({(0, 64_000.1)}),
        book_note="spread 0.1",
        feeds=[
            Feed(BTC, "trades", "live", 12.0, 1.5, 1, 0, 0, 0.1), Feed(BTC, "depth", "stale", 0.0, 9.0, 3, 2, 7, 40.0),
        ],
        notes=[("10:00:01", "gap", "BTC/USDT depth sequence")],
        price_places={BTC: 1},
        qty_places={BTC: 5},
    )  # fmt: skip
    return replace(made, **changes)


def text_of(made: Scene, width: int, height: int) -> list[str]:
    return ["".join(segment.text for segment in line) for line in made.lines(width, height)]


@given(st.integers(10, 220), st.integers(1, 70), st.sampled_from([BTC, "ÉÈ漢字/円", "x" * 90]))
def test_a_frame_is_as_large_as_the_terminal(width: int, height: int, name: str) -> None:
    made = scene(focus=name, held=[Held("mm", name, 0, 1.0, 2.0, None, None, 0.0, 0.0)])
    lines = text_of(made, width, height)
    assert [cell_len(line) for line in lines] == [width] * height


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 40)])
def test_what_must_be_seen_is_seen(width: int, height: int) -> None:
    text = "\n".join(text_of(scene(), width, height))
    for told in (
        "market-maker", " ACTIVE ", "1:02 h", "equity 100,012.34 USDT", "P&L +12.34 (+0.01 %)", "▁█▅",
        "drawdown 0.10 % of 5.00 %", "-0.0123", "64,000.1", "-0.13", "stop 63,000.0", "0.12", "● 0.5", "64000.2",
        "spread 0.1", "trades", "stale", "fills 12, orders sent 40, refused 3", "gap", "h halt",
    ):  # fmt: skip
        assert told in text, told


def test_states_and_questions() -> None:
    halted = replace(scene().account, trading_state="HALTED", breached=True, pnl=0.0)
    text = text_of(scene(account=halted, asked="flatten?", book_note="NOT SYNCHRONISED"), 80, 24)
    assert " HALTED " in text[0]
    assert "DRAWDOWN BREACHED" in text[2]
    assert text[-1].strip() == "flatten?  y: yes, any other key: no"
    assert any("NOT SYNCHRONISED" in line for line in text)
    assert text_of(scene(asked="q" * 200), 40, 10)[-1].strip().startswith("qqq")
    assert text_of(scene(keyboard=False), 80, 24)[-1].startswith("tradectl control")


def test_nothing_yet() -> None:
    empty = scene(
        held=[], working=[], n_working=0, fills=[], bids=[], asks=[], feeds=[], notes=[], equity=[], book_note=""
    )
    text = "\n".join(text_of(empty, 80, 24))
    for told in ("positions: flat", "working orders: none", "book BTC/USDT: empty", "feeds: none", "notes: none"):
        assert told in text


def drawn(width: int, height: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, height=height, force_terminal=True, color_system="truecolor").print(scene())
    return stream.getvalue()


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in drawn(80, 24)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = drawn(80, 24)
    assert "\x1b[1m" in plain
    assert not any(f"\x1b[{code}m" in plain for code in (30, 31, 32, 33, 36))


def test_columns_go_by_rank() -> None:
    table = Table("t", (Column("aa"), Column("bb", rank=2), Column("cc", True, 1)), [[("1", ""), ("2", ""), ("3", "")]])
    heads = ["".join(s.text for s in table_lines(table, width, 3)[1]) for width in (12, 8, 3)]
    assert heads == ["aa  bb  cc  ", "aa  cc  ", "aa "]


def test_long_text_has_what_is_left() -> None:
    table = Table("t", (Column("time", rank=1), Column("text", long=True)), [[("10:00", ""), ("x" * 40, "")]])
    rows = ["".join(s.text for s in table_lines(table, width, 3)[2]) for width in (30, 16)]
    assert rows == ["10:00  " + "x" * 22 + "…", "x" * 15 + "…"]


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=6))
def test_lines_are_shared_out(height: int, tables: list[tuple[int, int]]) -> None:
    wanted, least = [wish for wish, _ in tables], [need for _, need in tables]
    given_ = share(height, wanted, least)
    assert sum(given_) == min(height, sum(wanted))
    assert all(0 <= got <= wish for got, wish in zip(given_, wanted, strict=True))
    if sum(map(min, tables)) <= height:
        assert all(got >= min(pair) for got, pair in zip(given_, tables, strict=True))


def test_a_feed_that_is_down_comes_first() -> None:
    states = ["live"] * 6 + ["down"]
    feeds = [Feed(BTC, f"channel{k}", state, 0.0, 0.0, 1, 0, 0, None) for k, state in enumerate(states)]
    text = text_of(scene(feeds=feeds, notes=[("10:00", "gap", "x")] * 40), 80, 24)
    assert [line[42:].split()[:2] for line in text if "channel" in line and "state" not in line] == [
        ["channel6", "down"], *([f"channel{k}", "live"] for k in range(6)),
    ]  # fmt: skip


def test_small_things() -> None:
    assert spark([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert (spark([5, 5], 9), spark([], 9), spark([1, 2], 0)) == ("▁▁", "", "")
    assert [age(s) for s in (0, 59.9, 61, 3_725, 200_000)] == ["0 s", "59 s", "1:01 min", "1:02 h", "2 d"]
    assert "".join(s.text for s in flow([("ab", ""), ("cde", ""), ("f", "")], 6)) == "ab    "
