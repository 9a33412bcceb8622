"""The block `calendar`: when instruments trade, by the code of an exchange or as hours of one's own."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from tradectl.config.block import Block, key
from tradectl.config.scalars import OneOf, Rows, Scalar, Text
from tradectl.config.timescalars import ClockTime, Zone
from tradectl.errors import nearest_of

__all__ = ["Calendar", "minutes_of", "week_days"]

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWN = ("timezone", "open", "close", "days", "break_", "holidays", "early_closes")
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"


class Date(Scalar):
    """A date, `YYYY-MM-DD`."""

    words, example = "a date", "2025-12-25"

    def convert(self, value: Any) -> str:
        """Return the date as text."""
        text = value.isoformat() if isinstance(value, date) else value
        if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValueError(self.expected()) from None


class WeekDays(Scalar):
    """Days of the week, `mon-fri` or `sun-thu` or `mon,wed`."""

    words, example = "days of the week", "mon-fri or mon,wed,fri"

    def convert(self, value: Any) -> str:
        """Return the text in lower case."""
        if not isinstance(value, str):
            raise ValueError
        text = value.lower().replace(" ", "")
        week_days(text)
        return text

    def hint(self, value: Any) -> str:
        """Name the day that a word for one is nearest to, else all of them."""
        parts = re.split(r"[,-]", value.lower().replace(" ", "")) if isinstance(value, str) else []
        for part in parts:
            if part and part not in WEEK:
                close = part[:3] if part[:3] in WEEK else nearest_of(part, WEEK)
                return f"; {part!r} is none of {', '.join(WEEK)}" + (f"; did you mean {close!r}?" if close else "")
        return ""


class Span(Scalar):
    """A part of the day, `HH:MM-HH:MM`."""

    words, example = "two times of day in quotes", '"11:30-12:30"'

    def convert(self, value: Any) -> str:
        """Return the text as it is."""
        if not isinstance(value, str) or not re.fullmatch(rf"{_CLOCK}-{_CLOCK}", value):
            raise ValueError
        return value


def week_days(text: str) -> frozenset[int]:
    """Return the days that `mon-fri`, `sun-thu` or `mon,wed` names; 0 is Monday. ValueError for any other text."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in WEEK or (dash and last not in WEEK):
            raise ValueError
        low = WEEK.index(first)
        count = (WEEK.index(last) - low) % 7 if dash else 0
        found |= {(low + k) % 7 for k in range(count + 1)}
    return frozenset(found)


def minutes_of(clock: str) -> int:
    """Return a time of day `HH:MM` in minutes."""
    return int(clock[:2]) * 60 + int(clock[3:])


class Calendar(Block):
    """When an instrument trades: `24/7`, the code of an exchange, or hours of one's own; a bare text is the name."""

    short_key: ClassVar[str] = "name"

    name: Annotated[str, Text("24/7, or the code of an exchange", "XNYS")] | None = key(
        None, "`24/7`, or the code of an exchange (extra `calendars`); left out: the hours below", example="XNYS"
    )
    timezone: Annotated[str, Zone()] = key("UTC", "time zone of the hours", example="America/New_York")
    open: Annotated[str, ClockTime()] | None = key(
        None, "when a session opens; not before `close`: on the day before its date", unit="HH:MM", example="09:30"
    )
    close: Annotated[str, ClockTime()] | None = key(None, "when it closes", unit="HH:MM", example="16:00")
    days: Annotated[str, WeekDays()] = key("mon-fri", "days of the week whose dates have a session")
    break_: Annotated[str, Span()] | None = key(
        None, "when it stands still in between", unit="HH:MM-HH:MM", name="break", example="11:30-12:30"
    )
    holidays: Annotated[tuple[Annotated[str, Date()], ...], Rows()] = key(
        (), "dates without a session", example=["2025-12-25"]
    )
    early_closes: dict[Annotated[str, Date()], Annotated[str, ClockTime()]] = key(
        dict, "dates on which it closes earlier", unit="HH:MM", example={"2025-11-28": "13:00"}
    )
    align: Annotated[Literal["open", "clock"], OneOf()] = key(
        "open", "whether derived bars of less than a day are counted from the open or by the clock"
    )

    @property
    def is_always(self) -> bool:
        """Return whether this is 24/7."""
        return self.name == "24/7"

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield (key, what is wrong with it) of hours that contradict each other."""
        if self.name is not None:
            for name in OWN:
                if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                    yield name.rstrip("_"), f"the calendar {self.name!r} has hours of its own; leave one of the two out"
            return
        if self.open is None or self.close is None:
            missing = "open" if self.open is None else "close"
            yield missing, "expected a `name`, or both `open` and `close`; e.g. open: \"09:30\", close: \"16:00\""
            return
        yield from self._hours_faults(minutes_of(self.open), minutes_of(self.close))

    def _hours_faults(self, opens: int, closes: int) -> Iterator[tuple[str, str]]:
        if self.break_ is not None:
            first, last = (minutes_of(clock) for clock in self.break_.split("-"))
            if not opens < first < last < closes:
                yield "break", f"expected a span inside {self.open} to {self.close}; got {self.break_}"
        days = week_days(self.days)
        for day, clock in self.early_closes.items():
            if day in self.holidays or date.fromisoformat(day).weekday() not in days:
                yield "early_closes", f"{day} has no session that could close early"
            elif minutes_of(clock) > closes or (opens < closes and minutes_of(clock) <= opens):
                yield "early_closes", f"{day}: {clock} is not between the open {self.open} and the close {self.close}"
