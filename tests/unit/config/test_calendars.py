"""The block `calendar`: short forms, what is refused and how it is told, and the tables that it becomes."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml

from tradectl.cli.paper_resume import refuse_other_hours
from tradectl.config.calendars import Calendar, week_days
from tradectl.config.load import load_config
from tradectl.config.wire_calendars import sessions_of
from tradectl.core.calendars import DAY_NS
from tradectl.engine.spec import Hours
from tradectl.errors import ConfigError
from tradectl.history.calendars import OwnHours, day_of, own_sessions
from tradectl.history.exchange_hours import exchange_sessions

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = 60_000_000_000
HOURS = {"timezone": "America/New_York", "open": "09:30", "close": "16:00"}


def loaded(folder: Path, calendar: Any, **blocks: Any) -> Calendar | None:
    """Return the calendar of a configuration as it is read from YAML."""
    path = folder / "run.yaml"
    data = {"source": "x.csv", "timeframe": "1d"}
    path.write_text(yaml.safe_dump({"strategy": "s.py", "data": data, "calendar": calendar} | blocks))
    return load_config(path, env={}).config.calendar


def test_short_and_long_forms(tmp_path: Path) -> None:
    always, exchange = loaded(tmp_path, "24/7"), loaded(tmp_path, "XNYS")
    assert always is not None
    assert always.is_always
    assert exchange is not None
    assert exchange.name == "XNYS"
    own = loaded(
        tmp_path, HOURS | {"holidays": [date(2013, 11, 28)], "early_closes": {date(2013, 11, 29): "13:00"}}
    )
    assert own is not None
    assert own.holidays == ("2013-11-28",)
    assert own.early_closes == {"2013-11-29": "13:00"}


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        ({"open": "09:30"}, "close: expected a `name`, or both `open` and `close`"),
        ({"name": "XNYS", "open": "09:30"}, "the calendar 'XNYS' has hours of its own"),
        (HOURS | {"days": "mon-fry"}, "'fry' is none of mon, tue, wed, thu, fri, sat, sun; did you mean 'fri'?"),
        (HOURS | {"days": "Monday-fri"}, "sat, sun; did you mean 'mon'?"),
        (HOURS | {"days": "daily"}, "'daily' is none of mon, tue, wed, thu, fri, sat, sun "),
        (HOURS | {"timezone": "America/NewYork"}, "did you mean 'America/New_York'"),
        (HOURS | {"holiday": []}, "holidays"),
        (HOURS | {"break": "08:00-10:00"}, "expected a span inside 09:30 to 16:00"),
        (HOURS | {"break": "noon"}, "expected two times of day"),
        (
            HOURS | {"early_closes": {"2024-11-29": "17:00"}},
            "17:00 is not between the open 09:30 and the close 16:00",
        ),
        (HOURS | {"early_closes": {"2024-11-30": "13:00"}}, "2024-11-30 has no session"),
        (HOURS | {"holidays": ["2024-13-01"]}, "expected a date"),
        (HOURS | {"align": "opne"}, "did you mean 'open'"),
    ],
)
def test_faults_are_told_with_their_key(calendar: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml:\d+") as error:
        loaded(tmp_path, calendar)
    assert message in f"{error.value} {error.value.hint}"


def test_a_session_beside_a_calendar_is_refused(tmp_path: Path) -> None:
    data = {"source": "x.csv", "timeframe": "1d", "session": {"close": "16:00"}}
    with pytest.raises(ConfigError, match="leave `session` out"):
        loaded(tmp_path, "XNYS", data=data)
    assert loaded(tmp_path, "24/7", data=data) is not None


def test_without_the_package_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ConfigError, match="is not installed") as error:
        exchange_sessions("XNYS")
    assert "tradectl[calendars]" in str(error.value.hint)


def test_an_unknown_exchange_has_a_nearest_one() -> None:
    pytest.importorskip("exchange_calendars", reason="the extra `calendars` is not installed")
    with pytest.raises(ConfigError, match="no exchange has the code 'XNYX'") as error:
        exchange_sessions("XNYX")
    assert "XNYS" in str(error.value.hint)


def test_hours_of_ones_own_equal_the_exchange_on_ordinary_days() -> None:
    pytest.importorskip("exchange_calendars", reason="the extra `calendars` is not installed")
    own = {
        row[4]: tuple(row)
        for row in own_sessions(OwnHours("America/New_York", 570, 960)).sittings[1:-1].tolist()
    }
    exchange = exchange_sessions("XNYS").sittings[1:-1].tolist()
    other = [row for row in exchange if own[row[4]] != tuple(row)]
    assert len(exchange) > 15_000
    assert 100 < len(other) < 150  # early closes, and openings after something happened


def local(ns: int, zone: ZoneInfo) -> str:
    """Write ns UTC as local time."""
    return datetime.fromtimestamp(ns // 10**9, zone).strftime("%a %Y-%m-%d %H:%M")


def test_a_session_may_open_the_day_before_and_pause() -> None:
    chicago = ZoneInfo("America/Chicago")
    futures = Calendar.model_validate({"timezone": "America/Chicago", "open": "17:00", "close": "16:00"})
    row = next(row for row in sessions_of(futures).sittings if row[4] == day_of("2024-03-11"))
    assert (local(row[0], chicago), local(row[1], chicago)) == (
        "Sun 2024-03-10 17:00",
        "Mon 2024-03-11 16:00",
    )
    tokyo = OwnHours("Asia/Tokyo", 540, 900, pause=(690, 750), early_closes={day_of("2024-12-30"): 690})
    rows = [row for row in own_sessions(tokyo).sittings.tolist() if row[4] == day_of("2024-12-27")]
    assert [(row[1] - row[0]) // (60 * 10**9) for row in rows] == [150, 150]
    assert {(row[2], row[3]) for row in rows} == {(rows[0][0], rows[1][1])}
    assert len([row for row in own_sessions(tokyo).sittings.tolist() if row[4] == day_of("2024-12-30")]) == 1


def test_a_clock_that_is_skipped_counts_an_hour_later() -> None:
    made = own_sessions(
        OwnHours("America/New_York", 150, 600, frozenset(range(7)))
    )  # 02:30 is skipped on 2024-03-10
    row = next(row for row in made.sittings.tolist() if row[4] == day_of("2024-03-10"))
    assert (local(row[0], NEW_YORK), local(row[1], NEW_YORK)) == (
        "Sun 2024-03-10 03:30",
        "Sun 2024-03-10 10:00",
    )


def test_rows_are_in_order_and_do_not_overlap() -> None:
    hours = OwnHours("Europe/Berlin", 540, 1050, pause=(720, 780), holidays=frozenset({day_of("2024-12-25")}))
    for made in (own_sessions(hours), own_sessions(OwnHours("UTC", 0, 0, frozenset(range(7))))):
        inner = made.sittings[1:-1]
        assert (inner[:, 0] < inner[:, 1]).all()
        assert (inner[1:, 0] >= inner[:-1, 1]).all()
        assert (np.diff(made.closes) > DAY_NS // 2).all()


def test_days_of_the_week() -> None:
    assert week_days("mon-fri") == {0, 1, 2, 3, 4}
    assert week_days("sun-thu") == {6, 0, 1, 2, 3}
    assert week_days("mon,wed,fri-sat") == {0, 2, 4, 5}


def ns(text: str) -> int:
    """Return a time in New York as ns UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("start", "end", "bar", "missing"),
    [
        ("2024-03-08 16:00", "2024-03-11 09:31", "1m", 0),  # Friday's close, Monday's open, clocks changed between
        ("2024-03-08 15:59", "2024-03-11 09:31", "1m", 1),
        ("2024-03-08 10:00", "2024-03-08 10:05", "1m", 4),
        ("2024-03-08 16:00", "2024-03-12 09:31", "1m", 390),  # a whole session
        ("2024-03-07 16:00", "2024-03-11 16:00", "1d", 1),
        ("2024-03-08 16:00", "2024-03-11 16:00", "1d", 0),
        ("2024-03-08 15:30", "2024-03-11 10:30", "1h", 1),  # the half hour until 16:00
        ("2024-03-08 16:00", "2024-03-11 10:00", "1h", 0),  # by the clock
    ],
)
def test_what_is_missing_between_two_bars(start: str, end: str, bar: str, missing: int) -> None:
    sessions = own_sessions(OwnHours(NEW_YORK.key, 570, 960))
    length = {"1m": 60, "1h": 3_600, "1d": 86_400}[bar] * 10**9
    assert sessions.bars_missing(np.array([ns(start)]), np.array([ns(end)]), length).tolist() == [missing]


def test_bars_of_warm_up_that_are_not_those_of_the_calendar_are_refused() -> None:
    hours = sessions_of(Calendar(timezone="UTC", open="09:30", close="16:00", days="mon-sun")).sittings
    for frame_ns, by_clock, fits in (
        (MINUTE, False, True), (60 * MINUTE, False, False), (60 * MINUTE, True, True), (1_440 * MINUTE, True, False),
    ):  # fmt: skip
        asked = ("BINANCE:BTC/USDT", Hours(hours, by_clock), (MINUTE, frame_ns))
        if fits:
            refuse_other_hours(*asked)
        else:
            with pytest.raises(ConfigError, match=r"feed\.warmup: .* BINANCE:BTC/USDT"):
                refuse_other_hours(*asked)
    refuse_other_hours("BINANCE:BTC/USDT", None, (1_440 * MINUTE,))
