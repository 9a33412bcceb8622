"""Time stamps: units, formats, zones, timeframes and session closes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.errors import ConfigError, DataError

__all__ = [
    "DAY_NS",
    "MONTH_NS",
    "StampFormat",
    "detect",
    "format_timeframe",
    "parse_timeframe",
    "session_close",
    "to_ns",
    "zone",
]

DAY_NS = 86_400_000_000_000
MONTH_NS = 30 * DAY_NS  # the nominal length of a calendar month
UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
TIMEFRAME_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": DAY_NS, "w": 7 * DAY_NS, "M": MONTH_NS}
LONG_UNITS = {"sec": "s", "min": "m", "t": "m", "hour": "h", "day": "d", "week": "w", "mo": "M", "month": "M"}
FIRST_NS, LAST_NS = -2_208_988_800 * 10**9, 4_102_444_800 * 10**9  # 1900-01-01 and 2100-01-01

DATE = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})(.*)", re.DOTALL)
CLOCK = re.compile(r"([T ])(\d{2}:\d{2})(:\d{2})?([.,]\d+)? ?(Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?")


def parse_timeframe(text: str) -> int:
    """Return the nanoseconds of `1m`, `240m`, `1h`, `1d`, `1w`, `1M` (a month: nominally 30 days)."""
    match = re.fullmatch(r"(\d+)\s*([A-Za-z]+)", text.strip())
    if match:
        unit = match[2] if match[2] in TIMEFRAME_NS else match[2].lower()
        unit = LONG_UNITS.get(unit, unit)
        if unit in TIMEFRAME_NS and int(match[1]) > 0:
            return int(match[1]) * TIMEFRAME_NS[unit]
    raise ConfigError(
        f"timeframe {text!r} is not understood", hint="expected such as 30s, 1m, 4h, 1d, 1w, 1M"
    )


def format_timeframe(timeframe_ns: int) -> str:
    """Write nanoseconds as the shortest timeframe text."""
    for unit in ("M", "w", "d", "h", "m", "s"):
        if timeframe_ns % TIMEFRAME_NS[unit] == 0:
            return f"{timeframe_ns // TIMEFRAME_NS[unit]}{unit}"
    return f"{timeframe_ns}ns"


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "expected an IANA name such as UTC or America/New_York"
        raise ConfigError(f"unknown time zone {name!r}", hint=hint) from error


@dataclass(frozen=True)
class StampFormat:
    """How a column's stamps are read: an integer unit, or a text format, in a zone for naive ones."""

    unit_ns: int = 0  # integer or float stamps: nanoseconds of one
    text: str = ""  # strptime format of text stamps
    aware: bool = False  # the text names its offset
    date_only: bool = False
    tz: str = "UTC"
    day_ns: int = 0  # integer stamps count from this local midnight


def detect(sample: Sequence[Any], unit: str | None, text: str | None, tz: str) -> StampFormat:
    """Find the format of stamps from the first values (text or numbers); raise DataError if none fits."""
    zone(tz)
    values = [str(v).strip() for v in sample if v is not None and str(v).strip()]
    if not values:
        raise DataError("no time stamp in the first rows")
    first = values[0]
    if text:
        return StampFormat(text=text, aware="%z" in text or "%:z" in text, date_only="%H" not in text, tz=tz)
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", first):
        return _numeric(first, unit, tz)
    if unit:
        raise DataError(f"time stamp {first!r} is not a number of {unit}")
    match = DATE.fullmatch(first)
    if not match:
        hint = "give mapping: {timestamp_format: '%d/%m/%Y %H:%M'} with the format of this column"
        raise DataError(f"time stamp {first!r} is neither a number nor an ISO date", hint=hint)
    day = "%Y-%m-%d" if match[2] else "%Y%m%d"
    if not match[5]:
        return StampFormat(text=day, date_only=True, tz=tz)
    clock = CLOCK.fullmatch(match[5])
    if not clock:
        raise DataError(f"time stamp {first!r} is not an ISO date and time")
    form = f"{day}{clock[1]}%H:%M" + (":%S" if clock[3] else "")
    gap = " " if " " in match[5][1:] else ""
    if clock[5] in ("Z", "UTC"):
        return StampFormat(text=f"{form}{gap}{clock[5]}", tz="UTC")
    if clock[5]:
        return StampFormat(text=f"{form}{gap}%#z", aware=True, tz="UTC")
    return StampFormat(text=form, tz=tz)


def _numeric(first: str, unit: str | None, tz: str) -> StampFormat:
    value = float(first)
    if unit:
        if unit not in UNITS_NS:
            raise ConfigError(f"unknown unit of time {unit!r}", hint=f"valid: {', '.join(UNITS_NS)}")
        if not FIRST_NS < value * UNITS_NS[unit] < LAST_NS:
            raise DataError(f"time stamp {first} in {unit} is no year between 1900 and 2100")
        return StampFormat(unit_ns=UNITS_NS[unit])
    if re.fullmatch(r"(19|20|21)\d{6}", first) and 1 <= int(first[4:6]) <= 12 and 1 <= int(first[6:]) <= 31:
        return StampFormat(text="%Y%m%d", date_only=True, tz=tz)
    for limit, name in ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (1e20, "ns")):
        if 1e8 <= value < limit:
            return StampFormat(unit_ns=UNITS_NS[name])
    raise DataError(
        f"time stamp {first} fits no unit", hint="give its unit: mapping: {unit: s | ms | us | ns}"
    )


def to_ns(column: pl.Series, form: StampFormat) -> pl.Series:
    """Return a column of stamps as int64 ns UTC, null where they cannot be read or leave the years 1900 to 2100."""
    made = _read(column, form)
    known = made.is_between(FIRST_NS, LAST_NS)
    return made if known.all() else made.to_frame("n").select(pl.when(known).then(pl.col("n"))).to_series()


def _read(column: pl.Series, form: StampFormat) -> pl.Series:
    """Return the stamps as int64 ns UTC, null where they cannot be read."""
    kind = column.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return _from_datetime(column.cast(pl.Datetime("ns")) if kind == pl.Date else column, form.tz)
    if form.unit_ns:
        made = _from_number(column, form.unit_ns)
        if form.day_ns:
            return _from_datetime((made + form.day_ns).cast(pl.Datetime("ns")), form.tz)
        return made
    words = column.cast(pl.String).str.strip_chars()
    if form.aware:
        return _parsed(words, form.text).dt.timestamp("ns")
    if form.date_only:
        return words.str.to_date(form.text, strict=False).cast(pl.Datetime("ns")).dt.timestamp("ns")
    return _from_datetime(_parsed(words, form.text), form.tz)


def _parsed(words: pl.Series, text: str) -> pl.Series:
    """Read text stamps; where some fail, allow fractions of a second (which Polars reads more slowly)."""
    made = words.str.to_datetime(text, time_unit="ns", strict=False, cache=False)
    if made.null_count() > words.null_count() and text.count("%S") == 1:
        made = words.str.to_datetime(text.replace("%S", "%S%.f"), time_unit="ns", strict=False, cache=False)
    return made


def _from_number(column: pl.Series, unit_ns: int) -> pl.Series:
    """Scale numbers to ns; null where they are none or far from the years 1900 to 2100."""
    whole = column.str.strip_chars() if column.dtype == pl.String else column
    if not column.dtype.is_float():
        whole = whole.cast(pl.Int64, strict=False)
    if column.dtype.is_float() or whole.null_count() > column.null_count():  # 1483228800.25
        micros = column.cast(pl.Float64, strict=False) * (unit_ns / 1_000)
        return micros.round(0).cast(pl.Int64, strict=False) * 1_000
    known = whole.is_between(-(LAST_NS // unit_ns), LAST_NS // unit_ns)
    if not known.all():
        whole = whole.to_frame("n").select(pl.when(known).then(pl.col("n"))).to_series()
    return whole * unit_ns


def _from_datetime(column: pl.Series, tz: str) -> pl.Series:
    """Naive stamps are local to `tz`: the earlier of two where clocks go back, null where they skip."""
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None and tz != "UTC":
        column = column.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
    return column.dt.timestamp("ns")


def with_day(form: StampFormat, day: str) -> StampFormat:
    """Return the format for stamps that count from the midnight of `day` (YYYYMMDD)."""
    midnight = pl.Series([day]).str.to_date("%Y%m%d").cast(pl.Datetime("ns")).dt.timestamp("ns")[0]
    return replace(form, day_ns=int(midnight))


def session_close(days_ns: npt.NDArray[np.int64], session: tuple[str, str]) -> npt.NDArray[np.int64]:
    """Return the session's close, ns UTC, on each local day (given as that day's midnight, ns)."""
    text, name = session
    try:
        clock = time.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"session close {text!r} is no time of day", hint="expected such as 16:00"
        ) from error
    zone(name)
    offset = (clock.hour * 3600 + clock.minute * 60 + clock.second) * 10**9
    local = pl.Series(days_ns // DAY_NS * DAY_NS + offset).cast(pl.Datetime("ns"))
    return _from_datetime(local, name).to_numpy()
