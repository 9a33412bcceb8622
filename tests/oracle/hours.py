"""Sessions for the oracles: what docs/calendars.md says, looked up in a plain list."""

from __future__ import annotations

from tests.golden.protocol import Config, Submit
from tradectl.core.codes import BookLevel, EventKind, Reason, TimeInForce

__all__ = ["begin_of_bar", "expiry_fault", "expiry_of", "left_out", "session_at"]

DAY_NS = 86_400 * 10**9


def session_at(config: Config, ts: int) -> tuple[int, int]:
    """Return (open, close) of the first session that closes after a time; without sessions the UTC day."""
    if config.sessions is None:
        return ts - ts % DAY_NS, ts - ts % DAY_NS + DAY_NS
    return next(one for one in config.sessions if one[1] > ts)


def left_out(config: Config, level: BookLevel, kind: EventKind, ts: int) -> bool:
    """Say whether a trade or quote outside the sessions is left out; of a book nothing is."""
    if config.sessions is None or config.keeps_outside or level not in (BookLevel.PRINTS, BookLevel.QUOTES):
        return False
    return kind in (EventKind.TRADE, EventKind.QUOTE) and ts < session_at(config, ts)[0]


def begin_of_bar(config: Config, start: int, end: int) -> int | None:
    """Return when a bar began, not before its session did; None where it is left out."""
    if config.sessions is None:
        return start
    over = [opened for opened, closed in config.sessions if opened < end and closed > start]
    if not over:
        return start if config.keeps_outside else None
    return max(start, over[-1])


def expiry_fault(s: Submit, now: int) -> Reason:
    """Say whether an order's time of expiry is missing, past, or of an order that has none."""
    wrong = s.expires <= now if s.time_in_force == TimeInForce.GTD else s.expires != 0
    return Reason.EXPIRY_INVALID if wrong else Reason.NONE


def expiry_of(config: Config, tif: int, expires: int, arrival: int) -> int | None:
    """Return when an order that arrives at a time ends by itself, or None."""
    if tif == TimeInForce.DAY:
        return session_at(config, arrival)[1]
    return expires if tif == TimeInForce.GTD else None
