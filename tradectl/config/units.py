"""Text with units: durations, timeframes and moments, each a string that knows its nanoseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

__all__ = [
    "BarLength", "Duration", "Moment", "Timeframe", "format_ns", "nearest_unit", "parse_duration_ns", "parse_moment_ns",
    "parse_timeframe_ns", "zone_of",
]  # fmt: skip

UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
# What people write elsewhere; only used to say what they should write here.
_OTHER_UNITS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "t": "m", "min": "m", "mins": "m", "minute": "m",
    "minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w",
    "weeks": "w", "msec": "ms", "millis": "ms", "µs": "us", "μs": "us", "usec": "us",
}  # fmt: skip
_NUMBER_UNIT = re.compile(r"\s*([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([^\W\d_]*)\s*")
EXPECTED_SIZE = "expected a bar of more than nothing, of whole trades: e.g. 500tick, 2.5volume, 1000000notional"
_BAR_BY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,12})?) ?(tick|volume|notional)s?")
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"\s*(Z|UTC|[+-]\d\d:?\d\d|[A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)+)?"
)
MAX_NS = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _number_unit_ns(text: str, example: str) -> int:
    """Return `text` (number + unit) in ns, or raise ValueError that says what was expected."""
    match = _NUMBER_UNIT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number with a unit, e.g. {example}")
    number, unit = match[1], match[2]
    if unit not in UNIT_NS:
        raise ValueError(_wrong_unit(unit, example))
    whole, _, digits = number.partition(".")
    ns, rest = divmod(int(whole + digits) * UNIT_NS[unit], int("1" + "0" * len(digits)))
    if rest:
        raise ValueError(f"expected a whole number of nanoseconds, e.g. {example}")
    if ns > MAX_NS:
        raise ValueError(f"expected at most 292 years, e.g. {example}")
    return ns


def _wrong_unit(unit: str, example: str) -> str:
    units = ", ".join(UNIT_NS)
    if not unit:
        return f"expected a number with a unit ({units}), e.g. {example}"
    if unit == "M" or unit.lower() in {"mo", "mon", "month", "months", "q", "y", "year", "years"}:
        return f"a month, quarter or year has no fixed length; use one of {units}, e.g. {example}"
    return f"expected a number with one of the units {units}, e.g. {example}"


def nearest_unit(text: str) -> str:
    """Return the text with the unit that its unit most likely means (`5min` → `5m`), or nothing."""
    match = _NUMBER_UNIT.fullmatch(text)
    if match is None or not match[2] or match[2] == "M":
        return ""
    near = _OTHER_UNITS.get(match[2].lower(), match[2].lower())
    return f"{match[1]}{near}" if near in UNIT_NS and near != match[2] else ""


def parse_duration_ns(text: str | int) -> int:
    """Return a duration such as `5s`, `100ms`, `1.5h` or `0` in nanoseconds."""
    if str(text).strip() == "0":
        return 0
    return _number_unit_ns(str(text), "100ms or 5s")


def parse_timeframe_ns(text: str | int) -> int:
    """Return a bar length such as `1m`, `4h` or `1d` in nanoseconds; it must divide or be made of days."""
    ns = _number_unit_ns(str(text), "1m, 1h or 1d")
    day = UNIT_NS["d"]
    if ns <= 0:
        raise ValueError("expected a bar length above zero, e.g. 1m, 1h or 1d")
    if day % ns and ns % day:
        raise ValueError(
            "expected a bar length that divides a day or is made of whole days, e.g. 1m, 1h or 1d"
        )
    return ns


def format_ns(ns: int) -> str:
    """Return nanoseconds in the largest unit (weeks excepted) that keeps them whole: 3600e9 is `1h`."""
    if ns == 0:
        return "0s"
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if ns % UNIT_NS[unit] == 0:
            return f"{ns // UNIT_NS[unit]}{unit}"
    return f"{ns}ns"


def zone_of(name: str) -> tzinfo:
    """Return the time zone of an IANA name (`America/New_York`), `UTC`, `Z` or an offset (`+02:00`)."""
    if name in {"UTC", "Z"}:
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):?([0-5]\d)", name)
    if offset is not None and int(offset[2]) < 24:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-span if offset[1] == "-" else span)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # costs 3 ms and is rarely needed

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"expected a time zone such as UTC, America/New_York or +02:00; {name!r} is none"
        ) from None


def parse_moment_ns(text: str) -> int:
    """Return a date or ISO time in ns since 1970 UTC; a date is its 00:00, UTC unless a zone is given."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a date or ISO time, e.g. 2017-01-31 or 2017-01-31T14:30:00Z")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone = zone_of(match[8] or "UTC")
    try:
        seconds = (datetime(year, month, day, hour, minute, second, tzinfo=zone) - _EPOCH).total_seconds()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected a date that exists, e.g. 2017-01-31 ({error})") from None
    ns = int(seconds) * UNIT_NS["s"] + int((match[7] or "0").ljust(9, "0"))
    if abs(ns) > MAX_NS:
        raise ValueError("expected a date from 1678 to 2261, e.g. 2017-01-31")
    return ns


class Duration(str):
    """A span of time in its canonical text; `ns` is its length in nanoseconds."""

    __slots__ = ("ns",)
    ns: int

    def __new__(cls, text: str | int) -> Duration:
        """Parse the text; ValueError says what was expected."""
        ns = parse_duration_ns(text)
        made = super().__new__(cls, format_ns(ns))
        made.ns = ns
        return made


class Timeframe(str):
    """The length of a bar in its canonical text (60m is 1h); `ns` is that length in nanoseconds."""

    __slots__ = ("ns",)
    ns: int

    def __new__(cls, text: str | int) -> Timeframe:
        """Parse the text; ValueError says what was expected."""
        ns = parse_timeframe_ns(text)
        made = super().__new__(cls, format_ns(ns))
        made.ns = ns
        return made


class BarLength(str):
    """The length of a bar: of time (`1h`), or `500tick`, `10volume` (base), `1000000notional` (quote).

    `by` is time, tick, volume or notional; `ns` its length in ns (0 unless by time), `size` its size otherwise.
    """

    __slots__ = ("by", "ns", "size")
    by: str
    ns: int
    size: Decimal

    def __new__(cls, text: str | int) -> BarLength:
        """Parse the text; ValueError says what was expected."""
        match = _BAR_BY.fullmatch(str(text).strip())
        if match is None:
            try:
                frame = Timeframe(text)
            except ValueError as error:
                if any(unit in str(text) for unit in ("tick", "volume", "notional")):
                    raise ValueError(EXPECTED_SIZE) from None
                raise error
            made = super().__new__(cls, frame)
            made.by, made.ns, made.size = "time", frame.ns, Decimal(0)
            return made
        size = Decimal(match[1])
        if not size or (match[2] == "tick" and size != size.to_integral_value()):
            raise ValueError(EXPECTED_SIZE)
        made = super().__new__(cls, f"{size.normalize():f}{match[2]}")
        made.by, made.ns, made.size = match[2], 0, size
        return made

    def is_made_of(self, source_ns: int) -> bool:
        """Tell whether bars of this length can be made of bars of another, ns."""
        return self.by == "time" and self.ns >= source_ns and self.ns % source_ns == 0


class Moment(str):
    """A point in time as ISO text in UTC; `ns` is nanoseconds since 1970 UTC."""

    __slots__ = ("ns",)
    ns: int

    def __new__(cls, text: str) -> Moment:
        """Parse the text; ValueError says what was expected."""
        ns = parse_moment_ns(text)
        seconds, fraction = divmod(ns, UNIT_NS["s"])
        stamp = datetime.fromtimestamp(seconds, UTC)
        tail = f".{fraction:09d}".rstrip("0") if fraction else ""
        made = super().__new__(cls, f"{stamp:%Y-%m-%dT%H:%M:%S}{tail}Z")
        made.ns = ns
        return made
