"""Calendars of exchanges by their codes, from the package exchange_calendars (the extra `calendars`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tradectl.errors import ConfigError, nearest
from tradectl.history.calendars import Sessions, table_of

__all__ = ["exchange_sessions"]

FIRST, LAST = "1990-01-01", "2049-12-31"  # what is asked for; some exchanges are known for less


def exchange_sessions(code: str) -> Sessions:
    """Return the sessions of an exchange; ConfigError for an unknown code, or where the package is not installed."""
    try:
        import exchange_calendars
    except ModuleNotFoundError:
        raise ConfigError(
            f"calendar: {code}: exchanges' calendars need the package exchange_calendars, which is not installed",
            hint="pip install 'tradectl[calendars]', or give hours of your own: {timezone: …, open: …, close: …}",
        ) from None
    known = exchange_calendars.get_calendar_names(include_aliases=True)
    if code not in known:
        raise ConfigError(f"calendar: no exchange has the code {code!r}", hint=nearest(code, known))
    kind = type(exchange_calendars.get_calendar(code))
    first = max(FIRST, str(kind.bound_min() or FIRST)[:10])
    last = min(LAST, str(kind.bound_max() or LAST)[:10])
    calendar = exchange_calendars.get_calendar(code, start=first, end=last)
    schedule = calendar.schedule
    days = schedule.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    opens, closes, begins, ends = (_ns(schedule[name]) for name in ("open", "close", "break_start", "break_end"))
    return Sessions(code, str(calendar.tz), table_of(opens, closes, days, (begins, ends)))


def _ns(column: Any) -> Any:
    """Return stamps as ns UTC, 0 where there is none."""
    stamps = column.dt.tz_convert(None).to_numpy().astype("datetime64[ns]")
    return np.where(np.isnat(stamps), 0, stamps.astype(np.int64))
