"""Kinds of single values that speak of time: durations, bar lengths, moments, clocks and zones."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from tradectl.config.scalars import Scalar
from tradectl.config.units import (
    BarLength,
    Duration,
    Moment,
    Timeframe,
    nearest_unit,
    parse_timeframe_ns,
    zone_of,
)

__all__ = ["BarKind", "ClockTime", "DurationKind", "MomentKind", "TimeframeKind", "Zone"]


class _Unit(Scalar):
    """A text with a unit; the value type's own message says what was expected."""

    kind: Callable[[Any], Any]
    pattern = ""

    def convert(self, value: Any) -> Any:
        """Return the value type made from the text."""
        if isinstance(value, (bool, float)) or not isinstance(value, (str, int, Decimal)):
            raise ValueError
        return type(self).kind(str(value))

    def hint(self, value: Any) -> str:
        """Translate the units of other libraries."""
        near = nearest_unit(str(value))
        return f" (did you mean {near!r}?)" if near else ""

    def schema(self) -> dict[str, Any]:
        """Return a text, or the bare number zero for durations."""
        return {"type": "string", "pattern": self.pattern}


class DurationKind(_Unit):
    """`5s`, `100ms`, `0`."""

    words, example, kind = "a duration", "100ms or 5s", Duration
    pattern = r"^[0-9.]+ ?(ns|us|ms|s|m|h|d|w)$"

    def schema(self) -> dict[str, Any]:
        """Return a text with a unit, or zero."""
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, {"const": 0}]}


class TimeframeKind(_Unit):
    """`1m`, `4h`, `1d`."""

    words, example, kind = "a bar length", "1m, 1h or 1d", Timeframe
    pattern = r"^[0-9]+ ?(ms|s|m|h|d|w)$"

    def hint(self, value: Any) -> str:
        """Translate other libraries' units, read a bare number as minutes, turn `h1` around."""
        for guess in (nearest_unit(str(value)), f"{value}m", f"{str(value)[1:]}{str(value)[:1].lower()}"):
            try:
                parse_timeframe_ns(guess)
            except ValueError:
                continue
            return f" (did you mean {guess!r}?)"
        return ""


class BarKind(_Unit):
    """`1m`, `500tick`, `10volume`, `1000000notional`."""

    words, example, kind = "a bar length", "1m, 1h, 500tick, 10volume or 1000000notional", BarLength
    pattern = r"^([0-9]+ ?(ms|s|m|h|d|w)|[0-9.]+ ?(tick|volume|notional)s?)$"

    def hint(self, value: Any) -> str:
        """Translate as for bars of time."""
        return TimeframeKind().hint(value)


class MomentKind(_Unit):
    """`2017-01-31`, `2017-01-31T14:30:00Z`."""

    words, example, kind = "a date or ISO time", "2017-01-31 or 2017-01-31T14:30:00Z", Moment
    pattern = r"^\d{4}-\d\d-\d\d"

    def convert(self, value: Any) -> Any:
        """Return the moment; a `date` or `datetime` of Python's counts as its ISO text."""
        return super().convert(value.isoformat() if isinstance(value, date) else value)


class Zone(Scalar):
    """The name of a time zone."""

    words, example = "a time zone", "UTC or America/New_York"

    def convert(self, value: Any) -> str:
        """Return the name of a zone that exists."""
        if not isinstance(value, str) or not value:
            raise ValueError
        try:
            zone_of(value)
        except ValueError:
            raise ValueError(self.expected()) from None
        return value

    def hint(self, value: Any) -> str:
        """Name the nearest zone."""
        from zoneinfo import available_timezones  # reads a folder; only for a message

        close = difflib.get_close_matches(str(value), sorted(available_timezones()), n=1, cutoff=0.7)
        return f" (did you mean {close[0]!r}?)" if close else ""


class ClockTime(Scalar):
    """A time of day, `HH:MM`."""

    words, example = "a time of day in quotes", '"16:00"'

    def convert(self, value: Any) -> str:
        """Return `HH:MM`."""
        hour, _, minute = value.partition(":") if isinstance(value, str) else ("", "", "")
        if not (
            hour.isdecimal()
            and minute.isdecimal()
            and len(minute) == 2
            and int(hour) < 24
            and int(minute) < 60
        ):
            raise ValueError
        return f"{int(hour):02d}:{minute}"

    def schema(self) -> dict[str, Any]:
        """Return a text."""
        return {"type": "string", "pattern": r"^[0-9]{1,2}:[0-9]{2}$"}
