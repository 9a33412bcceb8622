"""Calendars of a configuration as the engine's tables of sessions, and as what stamps daily bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tradectl.config.calendars import Calendar, minutes_of, week_days
from tradectl.config.units import format_ns
from tradectl.config.wire_numbers import instrument_block
from tradectl.core.calendars import DAY_NS
from tradectl.core.instrument import Instrument
from tradectl.engine.spec import Hours, RunSpec
from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.config.models import Instrument as InstrumentBlock
    from tradectl.config.models import RunConfig
    from tradectl.history.calendars import Sessions

__all__ = ["calendar_names", "common_closes", "hours_of", "sessions_for", "sessions_of"]


def calendar_of(config: RunConfig, block: InstrumentBlock | None) -> Calendar | None:
    """Return the calendar of an instrument's block, its own or the run's; None is 24/7."""
    found = (block.calendar if block is not None else None) or config.calendar
    return None if found is None or found.is_always else found


def calendar_names(config: RunConfig) -> list[str | None]:
    """Return the names of all calendars of a configuration; None is hours of one's own."""
    calendars = [config.calendar, *(one.calendar for one in config.instruments.values())]
    return [one.name for one in calendars if one is not None]


def sessions_of(calendar: Calendar) -> Sessions:
    """Return the table of a calendar's sessions; ConfigError where the exchange is not known."""
    return _sessions(json.dumps(calendar.model_dump(exclude={"align"}), sort_keys=True))


@cache
def _sessions(text: str) -> Sessions:
    """Return the sessions of a calendar written as JSON: one table for all instruments that share it."""
    from tradectl.history.calendars import OwnHours, day_of, own_sessions

    told: dict[str, Any] = json.loads(text)
    if told["name"] is not None:
        from tradectl.history.exchange_hours import exchange_sessions

        return exchange_sessions(told["name"])
    pause = [minutes_of(clock) for clock in told["break_"].split("-")] if told["break_"] else None
    hours = OwnHours(
        tz=told["timezone"],
        opens=minutes_of(told["open"]),
        closes=minutes_of(told["close"]),
        days=week_days(told["days"]),
        pause=(pause[0], pause[1]) if pause else None,
        holidays=frozenset(map(day_of, told["holidays"])),
        early_closes={day_of(day): minutes_of(clock) for day, clock in told["early_closes"].items()},
    )
    return own_sessions(hours)


def hours_of(config: RunConfig, instrument: Instrument, source_ns: int, frames_ns: Sequence[int]) -> Hours | None:
    """Return when an instrument trades, None for 24/7.

    `source_ns` is the length of its bars (0: it has none), `frames_ns` are those of derived ones.
    """
    calendar = calendar_of(config, instrument_block(config, instrument))
    if calendar is None:
        return None
    sessions = sessions_of(calendar)
    if calendar.align == "open" and any(0 < frame < DAY_NS and frame != source_ns for frame in frames_ns):
        _refuse_misaligned(instrument, sessions, source_ns)
    return Hours(sessions.sittings, calendar.align == "clock", config.execution.outside_session == "keep")


def _refuse_misaligned(instrument: Instrument, sessions: Sessions, source_ns: int) -> None:
    """Raise ConfigError where the source's bars do not begin with the sessions that derived ones are counted from."""
    opens = sessions.sittings[1:-1, 0]
    if 0 < source_ns < DAY_NS and (opens % source_ns).any():
        raise ConfigError(
            f"bars: {instrument.id} has bars of {format_ns(source_ns)} that do not begin when its sessions open",
            hint="write `align: clock` in its calendar, or use finer data",
        )


def sessions_for(config: RunConfig, venue: str, symbol: str) -> Sessions | None:
    """Return the sessions that stamp daily bars of a symbol in the data; None is 24/7."""
    blocks = config.instruments
    calendar = calendar_of(config, blocks.get(f"{venue}:{symbol}") or blocks.get(symbol))
    return None if calendar is None else sessions_of(calendar)


def common_closes(spec: RunSpec) -> npt.NDArray[np.int64] | None:
    """Return the closes of the sessions that all instruments of a run share, ns UTC; None: its days are UTC days."""
    hours = [limits.hours for limits in spec.limits]
    tables = {id(one.sittings) for one in hours if one is not None}
    if len(tables) != 1 or any(one is None for one in hours):
        return None
    first = hours[0]
    assert first is not None
    return np.unique(first.sittings[1:-1, 3])
