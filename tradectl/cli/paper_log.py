"""A paper session told in lines: one JSON object each, on standard error."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import json_text
from tradectl.cli.paper_reading import NoteTail, Reader, RowTail, iso, note_of
from tradectl.core.codes import OrderStatus

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["log_lines"]

POLL_S = 0.25
HEARTBEAT_S = 10.0
REFUSED = (int(OrderStatus.DENIED), int(OrderStatus.REJECTED))


async def log_lines(session: Session) -> None:
    """Tell start, fills, refused orders, notes of the feeds, a heartbeat and the end."""
    log = Log(session)
    log.start()
    try:
        while True:
            await asyncio.sleep(POLL_S)
            log.look()
    finally:
        log.look()
        log.end()


class Log:
    """What has been told of a session."""

    def __init__(self, session: Session) -> None:
        self.session, self.reader = session, Reader(session)
        spool = session.folded.spool
        self.fills, self.orders, self.notes = RowTail(spool, "fills"), RowTail(spool, "orders"), NoteTail(session)
        self.beat_ns = session.clock.now_ns()
        self.beat_events = session.live.events

    def say(self, what: str, told: dict[str, Any]) -> None:
        """Write one line."""
        line = {"ts": iso(self.session.clock.now_ns()), "event": what, **told}
        sys.stderr.write(json_text(line) + "\n")
        sys.stderr.flush()

    def start(self) -> None:
        """Tell what begins."""
        account = self.reader.account()
        self.say("start", {
            "run": self.session.folder.path.name, "name": self.session.folded.wired.config.name,
            "instruments": list(self.reader.names.symbols), "strategies": list(self.reader.names.strategies),
            "equity": account.equity, "currency": account.currency,
        })  # fmt: skip

    def look(self) -> None:
        """Tell what is new."""
        for row in self.fills.new():
            self.say("fill", {"at": (told := self.reader.fill(row)).pop("ts"), **told})
        for row in self.orders.new():
            if row["status"] in REFUSED:
                self.say("refused", {"at": (told := self.reader.ended(row)).pop("ts"), **told})
        for note in self.notes.new():
            self.say("feed", {"at": (told := note_of(note)).pop("ts"), **told})
        if self.session.clock.now_ns() - self.beat_ns >= HEARTBEAT_S * 1e9:
            self.heartbeat()

    def heartbeat(self) -> None:
        """Tell how it goes."""
        now, events = self.session.clock.now_ns(), self.session.live.events
        rate = (events - self.beat_events) / max((now - self.beat_ns) / 1e9, 1e-9)
        self.beat_ns, self.beat_events = now, events
        account, health = self.reader.account(), self.session.hub.health()
        self.say("heartbeat", {
            "events": events, "events_per_s": round(rate, 1), "waiting": self.session.hub.waiting,
            "lag_ms": max((one.lag_ns for one in health), default=0) / 1e6,
            "feeds_not_live": sum(one.state != "live" for one in health),
            "equity": account.equity, "pnl": account.pnl, "trading_state": account.trading_state,
            "positions": len(self.reader.held()), "orders": len(self.reader.working()),
        })  # fmt: skip

    def end(self) -> None:
        """Tell how it ended."""
        failure = self.session.failure
        account = self.reader.account()
        self.say("end", {
            "reason": self.session.reason or ("failed" if failure is not None else ""),
            **({"error": str(failure)} if failure is not None else {}),
            "equity": account.equity, "pnl": account.pnl, **self.reader.counts(),
        })  # fmt: skip
