"""Sessions in the fold: derived bars over both changes of the clocks, what is left out, when DAY orders end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.engine.bar_logger import seen_bars
from tradectl.core.codes import OrderStatus, Reason
from tradectl.engine.state import State
from tradectl.errors import ConfigError

SECOND = 1_000_000_000
DAY = timedelta(days=1)
NEW_YORK, CHICAGO = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")
WALL_STREET = {"timezone": "America/New_York", "open": "09:30", "close": "16:00",
               "holidays": ["2024-03-12"], "early_closes": {"2024-11-05": "13:00"}}  # fmt: skip
FUTURES = {"timezone": "America/Chicago", "open": "17:00", "close": "16:00"}
Row = tuple[int, int]  # end of a bar of 30 minutes, ns; its price in ticks and its lots


def ns(at: datetime) -> int:
    """Return a moment in ns."""
    return int(at.timestamp()) * SECOND


def half_hours(first: date, days: int) -> list[Row]:
    """Return bars of 30 minutes around the clock; each has a price of its own."""
    start = datetime.combine(first, time(), UTC)
    return [(ns(start + timedelta(minutes=30 * (k + 1))), 1_000 + k) for k in range(48 * days)]


def fold(
    folder: Path, rows: list[Row], bars: list[str], calendar: dict[str, Any], **blocks: Any
) -> tuple[Any, State]:
    """Return what the strategy saw, one row a bar, and the state at the end."""
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{end // 10**6 - 1_800_000},{p},{p},{p},{p},{p}" for end, p in rows]
    (folder / "XUSD.csv").write_text("\n".join(lines) + "\n")
    config = {
        "bars": bars, "calendar": calendar, "data": {"source": "XUSD.csv", "timeframe": "30m"},
        "instruments": {"X/USD": {"tick_size": 1, "lot_size": 1}},
        "account": {"balance": 10**8}, **blocks,
    }  # fmt: skip
    return seen_bars(folder, config)


def wall_street(day: date) -> tuple[int, int] | None:
    """Return when New York's session of a date opens and closes, ns; None without one."""
    if day.weekday() > 4 or day.isoformat() in WALL_STREET["holidays"]:
        return None
    close = time(13) if day.isoformat() == "2024-11-05" else time(16)
    return ns(datetime.combine(day, time(9, 30), NEW_YORK)), ns(datetime.combine(day, close, NEW_YORK))


def futures(day: date) -> tuple[int, int] | None:
    """Return when a session of futures opens, on the evening before, and closes."""
    if day.weekday() > 4:
        return None
    opens = datetime.combine(day - DAY, time(17), CHICAGO)
    return ns(opens), ns(datetime.combine(day, time(16), CHICAGO))


Hours = Callable[[date], tuple[int, int] | None]


def sessions(hours: Hours, first: date, days: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, open, close) of the sessions of some days."""
    for day in (first + DAY * k for k in range(days)):
        if (found := hours(day)) is not None:
            yield ((day - date(1970, 1, 1)).days, *found)


def expected(rows: list[Row], hours: Hours, first: date, days: int, length: int) -> list[list[int]]:
    """Return [end, open, close, volume, number, open, close of the session] of the bars that have ended."""
    made = []
    for number, opens, closes in sessions(hours, first, days):
        begin = opens
        while begin < closes:
            end = min(begin + length, closes)
            inside = [row for row in rows if begin < row[0] <= end]
            if inside and rows[-1][0] >= end:
                prices = [price for _, price in inside]
                made.append([end, prices[0], prices[-1], sum(prices), number, opens, closes])
            begin = end
    return made


@pytest.mark.parametrize("first", [date(2024, 3, 6), date(2024, 10, 30)])
@pytest.mark.parametrize(("calendar", "hours"), [(WALL_STREET, wall_street), (FUTURES, futures)])
def test_bars_follow_the_sessions_over_a_change_of_the_clocks(
    first: date, calendar: dict[str, Any], hours: Hours, tmp_path: Path
) -> None:
    rows = half_hours(first, 9)
    seen, state = fold(tmp_path, rows, ["2h", "1d"], calendar)
    for frame, length in ((0, 7200), (1, 10**6)):
        mine = [list(map(int, row[1:8])) for row in seen if row[0] == frame]
        wanted = expected(rows, hours, first, 10, length * SECOND)
        assert mine == wanted
    left_out = sum(not any(o < end <= c for _, o, c in sessions(hours, first, 10)) for end, _ in rows)
    assert state.engine[0]["n_outside"] == left_out > 0
    assert not seen[seen[:, 0] == 1][:, 8].any()  # at its close a session is over


def test_weeks_begin_on_monday_and_end_with_their_last_session(tmp_path: Path) -> None:
    first = date(2024, 3, 4)  # a Monday
    seen, _ = fold(tmp_path, half_hours(first, 15), ["1w"], WALL_STREET)
    ends = [wall_street(date(2024, 3, 8)), wall_street(date(2024, 3, 15))]
    assert [int(row[1]) for row in seen] == [end[1] for end in ends if end]


def test_bars_by_the_clock_are_cut_at_the_close(tmp_path: Path) -> None:
    rows = half_hours(date(2024, 3, 7), 1)
    seen, _ = fold(tmp_path, rows, ["2h"], WALL_STREET | {"align": "clock"})
    hours = [datetime.fromtimestamp(int(row[1]) // SECOND, NEW_YORK).strftime("%H:%M") for row in seen]
    assert hours == ["11:00", "13:00", "15:00", "16:00"]  # even hours of UTC, which is 5 hours ahead


@pytest.mark.parametrize(
    ("close", "bars", "ends"),
    [
        ("15:45", ["2h"], ["11:00", "13:00", "15:00", "16:00"]),
        ("15:15", ["2h"], ["11:00", "13:00", "15:00", "15:30"]),  # it begins with the bar over the close
        ("15:45", ["1d"], ["16:00"]),
        ("15:45", ["30m"], [f"{h:02}:{m:02}" for h in range(10, 16) for m in (0, 30)] + ["16:00"]),
    ],
)
@pytest.mark.parametrize("outside", ["drop", "keep"])
def test_a_bar_over_the_close_belongs_to_the_session_that_closes(
    close: str, bars: list[str], ends: list[str], outside: str, tmp_path: Path
) -> None:
    hours = WALL_STREET | {"close": close, "align": "clock"}
    rows = half_hours(date(2024, 3, 7), 2)
    seen, _ = fold(tmp_path, rows, bars, hours, execution={"outside_session": outside})
    number = (date(2024, 3, 7) - date(1970, 1, 1)).days
    mine = [row for row in seen if int(row[5]) == number]
    told = [datetime.fromtimestamp(int(row[1]) // SECOND, NEW_YORK).strftime("%d %H:%M") for row in mine]
    assert told[-len(ends) :] == [f"07 {end}" for end in ends]
    if outside == "drop":
        assert len(told) == len(ends)
        assert int(mine[0][2]) == dict(rows)[ns(datetime(2024, 3, 7, 10, tzinfo=NEW_YORK))]
    else:  # what comes before the open is the session's too
        assert int(mine[0][2]) == 1_000


def test_what_lies_outside_is_kept_where_asked(tmp_path: Path) -> None:
    rows = half_hours(date(2024, 3, 7), 2)
    seen, state = fold(tmp_path, rows, ["4h", "1d"], WALL_STREET, execution={"outside_session": "keep"})
    assert state.engine[0]["n_outside"] == 0
    days = seen[seen[:, 0] == 1]
    assert [int(row[1]) for row in days] == [wall_street(date(2024, 3, d))[1] for d in (7, 8)]  # type: ignore[index]
    assert int(days[0][2]) == 1_000  # what came before the open is part of the session's day
    assert int(days[1][2]) == int(days[0][3]) + 1
    hours = [
        datetime.fromtimestamp(int(row[1]) // SECOND, UTC).strftime("%H:%M") for row in seen if row[0] == 0
    ]
    assert hours[:7] == ["04:00", "08:00", "12:00", "14:30", "18:30", "21:00", "00:00"]


def test_day_orders_end_with_their_session(tmp_path: Path) -> None:
    rows = half_hours(date(2024, 11, 1), 6)  # Friday to Wednesday; the clocks go back on Sunday
    seen, state = fold(tmp_path, rows, ["30m"], WALL_STREET)
    ended = state.drain()["orders"]
    closes = [close for _, _, close in sessions(wall_street, date(2024, 11, 1), 7)]
    assert len(ended) > 30
    assert set(ended["status"]) == {OrderStatus.EXPIRED}
    assert set(ended["reason"]) == {Reason.SESSION_ENDED}
    for row in ended:  # at the close itself an order is for the next session
        assert row["ts_last"] == next(close for close in closes if close > row["ts_submitted"])
    assert set(ended["ts_last"]) == set(closes[:-1])
    assert seen[0][0] == -1


def test_24_7_has_days_of_utc(tmp_path: Path) -> None:
    rows = half_hours(date(2024, 3, 9), 2)
    seen, state = fold(tmp_path, rows, ["30m", "1d"], {"name": "24/7"})
    midnight = ns(datetime(2024, 3, 10, tzinfo=UTC))
    day = 24 * 3600 * SECOND
    mine = [list(map(int, row[:9])) for row in seen if row[0] == 0]
    assert mine == [
        [
            0,
            midnight,
            1_000,
            1_047,
            sum(range(1_000, 1_048)),
            midnight // day - 1,
            midnight - day,
            midnight,
            1,
        ],
        [
            0,
            midnight + day,
            1_048,
            1_095,
            sum(range(1_048, 1_096)),
            midnight // day,
            midnight,
            midnight + day,
            1,
        ],
    ]
    assert set(state.drain()["orders"]["ts_last"]) == {midnight, midnight + day}


def test_data_beyond_the_calendar_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="CALENDAR_ENDS"):
        fold(tmp_path, half_hours(date(2070, 1, 5), 2), ["30m"], WALL_STREET)


def test_bars_that_do_not_begin_with_the_sessions_are_refused(tmp_path: Path) -> None:
    odd = WALL_STREET | {"open": "09:45"}
    with pytest.raises(ConfigError, match="do not begin when its sessions open"):
        fold(tmp_path, half_hours(date(2024, 3, 7), 1), ["1h"], odd)
    seen, _ = fold(tmp_path, half_hours(date(2024, 3, 7), 1), ["1h"], odd | {"align": "clock"})
    assert len(seen) == 7
