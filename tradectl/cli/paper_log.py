"""A paper session told in lines: one JSON object each, on standard error.

`event` is start, fill, refused, state, disabled, feed, heartbeat or end, `ts` when the line was written, `at` when it
happened.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import json_text
from tradectl.cli.paper_outlet import Outlet
from tradectl.cli.paper_reading import Reader
from tradectl.cli.paper_tail import NoteTail, RowTail, iso, note_of
from tradectl.core.codes import OrderStatus

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["log_lines"]

POLL_S = 0.25
HEARTBEAT_NS = 10_000_000_000
REFUSED = (int(OrderStatus.DENIED), int(OrderStatus.REJECTED))


async def log_lines(session: Session) -> None:
    """Tell start, fills, refused orders, changes of the trading state, what happened to feeds, a heartbeat, the end.

    A reader that takes nothing misses lines; the session does not wait for it.
    """
    outlet = Outlet(sys.stderr)
    log = Log(session, outlet)
    try:
        log.start()
        while True:
            await asyncio.sleep(POLL_S)
            log.look()
    finally:
        log.look()
        log.end()
        outlet.close()


class Log:
    """What has been told of a session."""

    def __init__(self, session: Session, outlet: Outlet) -> None:
        self.session, self.outlet, self.reader = session, outlet, Reader(session)
        self.fills, self.orders, self.notes = RowTail(session, "fills"), RowTail(session, "orders"), NoteTail(session)
        self.state = self.reader.account().trading_state
        self.disabled: set[str] = set()
        self.beat_ns = session.clock.now_ns()
        self.beat_events = session.live.events

    def say(self, event: str, told: dict[str, Any]) -> None:
        """Write one line."""
        line = {"ts": iso(self.session.clock.now_ns()), "event": event, **told}
        self.outlet.write(json_text(line) + "\n")
        self.outlet.flush()

    def start(self) -> None:
        """Tell what begins."""
        account, names = self.reader.account(), self.reader.names
        self.say("start", {
            "run": self.session.folder.path.name, "name": self.session.folded.wired.config.name,
            "instruments": names.symbols, "strategies": names.strategies, "events": self.session.live.events,
            "equity": account.equity, "currency": account.currency, "trading_state": account.trading_state,
        })  # fmt: skip

    def look(self) -> None:
        """Tell what is new; refused orders and notes of one kind share a line with their count."""
        for row in self.fills.new():
            self.say("fill", self.reader.fill(row))
        refused = [self.reader.ended(row) for row in self.orders.new() if row["status"] in REFUSED]
        self._together("refused", refused, lambda one: (one["strategy"], one["instrument"], one["reason"]))
        keys = ("exchange", "symbol", "channel", "what")
        notes = [note_of(note) for note in self.notes.new()]
        self._together("feed", notes, lambda one: tuple(one.get(key, "") for key in keys))
        state = self.reader.account().trading_state
        if state != self.state:
            self.state = state
            self.say("state", {"trading_state": state})
        for name in self.reader.disabled():
            if name not in self.disabled:
                self.disabled.add(name)
                self.say("disabled", {"strategy": name, "text": "it raised; its orders were canceled"})
        if self.session.clock.now_ns() - self.beat_ns >= HEARTBEAT_NS:
            self.heartbeat()

    def _together(
        self, event: str, told: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], tuple[str, ...]]
    ) -> None:
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for one in told:
            groups.setdefault(key(one), []).append(one)
        for group in groups.values():
            self.say(event, {**group[-1], **({"count": len(group)} if len(group) > 1 else {})})

    def heartbeat(self) -> None:
        """Tell how it goes."""
        session, now_ns = self.session, self.session.clock.now_ns()
        rate = (session.live.events - self.beat_events) * 1e9 / max(now_ns - self.beat_ns, 1)
        self.beat_ns, self.beat_events = now_ns, session.live.events
        account, health = self.reader.account(), session.hub.health()
        self.say("heartbeat", {
            "events": session.live.events, "events_per_s": round(rate, 1), "waiting": session.hub.waiting,
            "lag_ms": max((one.lag_ns for one in health), default=0) / 1e6,
            "fold_p99_us": session.latencies.messages.quantile(0.99) / 1e3,
            "channels": len(health), "channels_live": sum(one.state == "live" for one in health),
            "gaps": sum(one.gaps for one in health), "equity": account.equity, "pnl": account.pnl,
            "trading_state": account.trading_state, "positions": len(self.reader.held()),
            "orders": len(self.reader.working()), "lines_left_out": self.outlet.left_out,
        })  # fmt: skip

    def end(self) -> None:
        """Tell how it ended."""
        failure, account = self.session.failure, self.reader.account()
        self.say("end", {
            "reason": self.session.reason or ("failed" if failure is not None else ""),
            **({"error": str(failure)} if failure is not None else {}),
            "equity": account.equity, "pnl": account.pnl, **self.reader.counts(),
        })  # fmt: skip
