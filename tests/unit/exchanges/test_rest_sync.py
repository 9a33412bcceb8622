"""A fetch that was cut off anywhere goes on where it stopped: the catalogue has the bytes of one that was not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.exchanges.rest_fake import MINUTE, T0, Fake, Klines, made_trades
from tests.unit.exchanges.rest_venues import VENUES
from tests.unit.exchanges.test_rest import NS, STEP, over, quick  # noqa: F401
from tradectl.core.codes import EventKind
from tradectl.errors import FeedError
from tradectl.exchanges import rest_sync
from tradectl.exchanges.markets import instrument_of
from tradectl.exchanges.rest_store import Series, gaps_between, united
from tradectl.history.catalogue import read_index
from tradectl.history.model import DataBlock
from tradectl.history.open import open_history

NOW = T0 + 5 * 10**8
AT = T0 * NS
DAY = 86_400_000  # ms


def fetch(
    root: Path, server: Fake, kind: str, span: tuple[int, int], venue: str = "binance", **more: Any
) -> Any:
    """Sync one series; return what it reports, the FeedError that ended it, and what was told."""
    report, said = rest_sync.Fetched(), list[str]()

    async def work(exchange: Any) -> Any:
        spec = instrument_of(venue, exchange.market("BTC/USDT"))
        series = Series(root, spec, kind, STEP if kind == "bars" else 0)
        failed = None
        try:
            await rest_sync.sync(
                exchange, series, span, report, more.get("progress", lambda *_: None), said.append
            )
        except FeedError as error:
            failed = error
        return report, failed, said

    return over(server, work, venue)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def bars(**more: Any) -> Fake:
    return Fake(
        {"klines": Klines(list(range(4_000)), now=NOW), "time": lambda _: {"serverTime": NOW}}, **more
    )


def trades(venue: str = "binance", **more: Any) -> Fake:
    made = [(DAY - 60_000 + at, *rest) for at, *rest in made_trades(4_321, apart=1_000)]  # over midnight
    return Fake(VENUES[venue](made, NOW), **more)  # type: ignore[arg-type]


BARS, TRADES = (AT, AT + 4_000 * STEP), (AT, AT + 2 * DAY * NS)


def test_spans() -> None:
    assert united([(5, 7), (1, 3), (3, 4), (6, 9), (2, 2)]) == [(1, 4), (5, 9)]
    assert gaps_between([(1, 4), (5, 9)], 0, 10) == [(0, 1), (4, 5), (9, 10)]
    assert gaps_between([(1, 4), (5, 9)], 2, 6) == [(4, 5)]
    assert gaps_between([(0, 10)], 2, 6) == []
    assert gaps_between([(20, 30)], 2, 6) == [(2, 6)]


@pytest.mark.parametrize("step_rows", [700, pytest.param(10**9, marks=pytest.mark.proof)])
@pytest.mark.parametrize(
    ("kind", "make", "span"), [("bars", bars, BARS), ("trades", trades, TRADES)], ids=["bars", "trades"]
)
def test_a_fetch_that_fails_anywhere_goes_on_where_it_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    make: Callable[..., Fake],
    span: Any,
    step_rows: int,
) -> None:
    monkeypatch.setattr(rest_sync, "STEP_ROWS", step_rows)
    whole, failed, _ = fetch(tmp_path / "whole", make(), kind, span)
    assert (failed, whole.whole, whole.new) == (None, True, 4_000 if kind == "bars" else 4_321)
    wanted = contents(tmp_path / "whole")
    for after in range(1, 7):
        refused = deque([(400, '{"code": -1, "msg": "no"}', {})])
        _, failed, _ = fetch(tmp_path / str(after), make(failures=refused, after=after), kind, span)
        assert (failed is not None) == (not refused)
        report, failed, _ = fetch(tmp_path / str(after), make(), kind, span)
        assert failed is None
        assert report.rows < whole.rows or after == 1
        assert contents(tmp_path / str(after)) == wanted, after


@pytest.mark.parametrize("venue", ["kraken", "okx", "coinbaseexchange"])
def test_trades_of_other_venues_too(tmp_path: Path, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_sync, "STEP_ROWS", 900)
    assert fetch(tmp_path / "a", trades(venue), "trades", TRADES, venue)[0].new == 4_321
    refused = deque([(500, "{}", {})] * 5)
    server = trades(venue, failures=refused, after={"kraken": 3, "okx": 27}.get(venue, 16))
    assert fetch(tmp_path / "b", server, "trades", TRADES, venue)[1] is not None
    fetch(tmp_path / "b", trades(venue), "trades", TRADES, venue)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_second_fetch_asks_for_nothing_and_a_longer_one_for_the_rest(tmp_path: Path) -> None:
    first = fetch(tmp_path / "a", bars(), "bars", (AT + 1_000 * STEP, AT + 2_000 * STEP))[0]
    assert (first.rows, first.first_ns, first.last_ns) == (1_000, AT + 1_001 * STEP, AT + 2_000 * STEP)
    again = bars()
    assert fetch(tmp_path / "a", again, "bars", (AT + 1_000 * STEP, AT + 2_000 * STEP))[0].rows == 0
    assert again.calls == []
    assert fetch(tmp_path / "a", bars(), "bars", BARS)[0].rows == 3_000
    fetch(tmp_path / "b", bars(), "bars", BARS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_trades_fetched_in_two_goes_stand_in_one_file_a_day(tmp_path: Path) -> None:
    middle = (T0 + DAY - 20_000) * NS
    for span in ((AT, middle), (middle, TRADES[1])):
        assert fetch(tmp_path / "a", trades(), "trades", span)[1] is None
    fetch(tmp_path / "b", trades(), "trades", TRADES)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(list((tmp_path / "a").rglob("*.parquet"))) == 2


def test_holes_are_told(tmp_path: Path) -> None:
    present = [n for n in range(3_000) if n not in range(700, 710) and n != 1_500]
    server = Fake({"klines": Klines(present, now=NOW), "time": lambda _: {"serverTime": NOW}})
    report = fetch(tmp_path, server, "bars", (AT, AT + 3_000 * STEP))[0]
    assert (report.holes, report.missing) == (2, 11)
    assert report.longest[0] == (AT + 700 * STEP, AT + 711 * STEP)
    (entry,) = read_index(tmp_path)["series"].values()
    assert (entry["gap_count"], entry["missing_bars"]) == (2, 11)


def test_the_candle_that_was_not_over_comes_the_next_time(tmp_path: Path) -> None:
    def served(now: int) -> Fake:
        return Fake({"klines": Klines(list(range(50)), now=now), "time": lambda _: {"serverTime": now}})

    early = fetch(tmp_path, served(T0 + 10 * MINUTE + 1), "bars", (AT, 1 << 62))[0]
    assert (early.rows, early.unfinished) == (10, 1)
    assert fetch(tmp_path, served(T0 + 12 * MINUTE), "bars", (AT, 1 << 62))[0].rows == 2


def test_a_backtest_needs_no_grid_of_its_own(tmp_path: Path) -> None:
    fetch(tmp_path, bars(), "bars", BARS)
    fetch(tmp_path, trades(), "trades", TRADES)
    for kind, frame in (("bars", "1m"), ("trades", None)):
        history = open_history([DataBlock(str(tmp_path), kind=kind, timeframe=frame)], {})
        (one,) = history.instruments
        assert (one.id, one.base, one.quote) == ("BINANCE:BTC/USDT", "BTC", "USDT")
        assert (one.tick_size, one.lot_size) == (Decimal("0.01"), Decimal("0.1"))
        assert history.report.failing() == []
    events = [
        event for chunk in history.chunks(65_536) for event in chunk if event["kind"] == EventKind.TRADE
    ]
    made = made_trades(4_321)
    assert [int(event["w2"]) for event in events] == [number for _, number, *_ in made]
    assert [int(event["w0"]) for event in events] == [round(float(price) * 100) for _, _, price, *_ in made]
    (entry,) = read_index(tmp_path)["series"].values()
    assert (entry["min_qty"], entry["min_notional"], entry["fees"]) == (
        "0.1",
        "5",
        {"maker": "0.001", "taker": "0.002"},
    )


def test_funding_stands_beside_the_trades(tmp_path: Path) -> None:
    async def work(exchange: Any) -> None:
        exchange.markets["BTC/USDT"] |= {
            "swap": True,
            "spot": False,
            "type": "swap",
            "linear": True,
            "contract": True,
        }
        spec = instrument_of("binance", exchange.market("BTC/USDT"))
        series = Series(tmp_path, spec, "funding")
        await rest_sync.sync(
            exchange, series, (AT, AT + 30 * DAY * NS), rest_sync.Fetched(), lambda *_: None, print
        )

    stamps = [T0 + n * DAY // 3 for n in range(90)]

    def rates(query: Any) -> Any:
        found = [at for at in stamps if int(query["startTime"]) <= at <= int(query["endTime"])]
        return [{"symbol": "BTCUSDT", "fundingTime": at, "fundingRate": "0.00010000"} for at in found]

    over(Fake({"fundingRate": rates, "time": lambda _: {"serverTime": T0 + 40 * DAY}}), work)
    fetch(tmp_path, trades(), "trades", TRADES)
    (entry,) = read_index(tmp_path)["ticks"].values()
    assert entry["kinds"] == {"trade": 4_321, "funding": 90}
    assert set(entry["fetched"]) == {"trades", "funding"}
    history = open_history([DataBlock(str(tmp_path), kind="trades")], {})
    events = np.concatenate([chunk.copy() for chunk in history.chunks(65_536)])
    traded = events[events["kind"] == EventKind.TRADE]["ts_event"]
    funding = events[events["kind"] == EventKind.FUNDING]
    end_of_day = (int(traded.max()) // (DAY * NS) + 1) * DAY * NS  # a catalogue's day of trades counts whole
    within = [at for at in stamps if traded.min() <= at * NS < end_of_day]  # others have no price
    assert 0 < len(within) < len(stamps)
    assert [(int(e["ts_event"]), int(e["w0"]), int(e["w1"])) for e in funding] == [
        (at * NS, 100_000_000, 0) for at in within
    ]


def test_ctrl_c_keeps_what_is_whole(tmp_path: Path) -> None:
    reached: list[int] = []

    def progress(rows: int, stamp: int) -> None:
        reached.append(stamp)
        if rows >= 2_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, bars(), "bars", BARS, progress=progress)
    (entry,) = read_index(tmp_path)["series"].values()
    assert entry["fetched"]["bars"] == [[AT, reached[-1]]]
    assert sum(part["rows"] for part in entry["parts"].values()) == 2_000
