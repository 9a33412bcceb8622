"""The terminal view of a running paper session, and the keys that steer it."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import err
from tradectl.cli.paper_keys import keys_of
from tradectl.cli.paper_outlet import Outlet
from tradectl.cli.paper_panels import LEVELS, Feed, Fill, Scene, clock_text, limit_text
from tradectl.cli.paper_reading import Reader, feed_of
from tradectl.cli.paper_tail import NoteTail, RowTail, iso
from tradectl.core.codes import Command
from tradectl.core.layout import NANO, NO_LIMIT

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session
    from tradectl.exchanges.model import ChannelHealth

__all__ = ["View", "live_view"]

REFRESH_S = 0.25
RATE_S = 1.0  # rates and quantiles are made anew so often
MOST_ORDERS, MOST_FILLS, MOST_NOTES = 40, 40, 40
POINTS = 60  # of the sparkline: the whole session, in ever longer steps
KEYS = {"h": Command.HALT, "r": Command.RESUME, "c": Command.CANCEL_ALL}
NEXT, PREVIOUS = ("n", "right", "down"), ("p", "left", "up")


async def live_view(session: Session) -> None:
    """Show the session on the whole screen until cancelled; where that fails the session goes on unseen."""
    from rich.console import Console
    from rich.live import Live

    view, outlet = View(session), Outlet(sys.stdout)
    console = Console(file=outlet, highlight=False)  # type: ignore[arg-type]
    live = Live(console=console, auto_refresh=False, screen=True, redirect_stdout=False, redirect_stderr=False)
    failed: Exception | None = None
    try:
        with keys_of(view.press) as view.keyboard, live:
            while True:
                if not outlet.busy:
                    live.update(view.scene(), refresh=True)
                await view.pause(REFRESH_S)
    except Exception as error:
        failed = error
    finally:
        outlet.close()
    err().print(f"the view ended ({failed!r}); the session goes on", markup=False, soft_wrap=True)


class Steps:
    """The course of a value: at most 2 × POINTS samples at equal distances, which double when there are more."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.every = 1
        self._seen = 0

    def add(self, value: float) -> None:
        """Take the next sample."""
        if self._seen % self.every == 0:
            self.values.append(value)
            if len(self.values) > POINTS:
                self.values = self.values[::2]
                self.every *= 2
        self._seen += 1


class View:
    """What is seen of a session, and what its user pressed."""

    def __init__(self, session: Session) -> None:
        self.session, self.reader = session, Reader(session)
        self.keyboard = False
        self.focus = 0
        self.asked = ""
        self.start_ns = session.clock.now_ns()
        self.equity = Steps()
        self._fill_rows = RowTail(session, "fills", MOST_FILLS)
        self._fills: deque[Fill] = deque(maxlen=MOST_FILLS)
        self._notes = NoteTail(session)
        self._noted: deque[tuple[str, str, str]] = deque(maxlen=MOST_NOTES)
        self._pressed = asyncio.Event()
        self._rated_ns = 0
        self._before: dict[Any, int] = {}
        self._rates: dict[Any, float] = {}
        self._step = ""

    async def pause(self, seconds: float) -> None:
        """Wait for the next frame; a key brings it at once."""
        self._pressed.clear()
        try:
            await asyncio.wait_for(self._pressed.wait(), seconds)
        except TimeoutError:
            return

    # --- keys

    def press(self, key: str) -> None:
        """Do what a key says."""
        self._pressed.set()
        if self.asked:
            self.asked = ""
            if key in ("y", "Y"):
                self.session.command(Command.FLATTEN)
        elif key in KEYS:
            self.session.command(KEYS[key])
        elif key == "f":
            self.asked = "flatten all positions and halt?"
        elif key == "q":
            self.session.stop("stopped by its user")
        elif key in NEXT or key in PREVIOUS:
            self.focus = (self.focus + (1 if key in NEXT else -1)) % len(self.reader.names.symbols)

    # --- what is seen

    def scene(self) -> Scene:
        """Return what there is to see now."""
        reader, session = self.reader, self.session
        now_ns, health = session.clock.now_ns(), session.hub.health()
        self._rate(now_ns, health)
        account, working = reader.account(), reader.working()
        self.equity.add(account.equity)
        self._look()
        bids, asks = reader.book(self.focus, LEVELS)
        own = {(one.side == "SELL", one.price) for one in working if one.index == self.focus and one.price}
        name = reader.short
        return Scene(
            name=session.folded.wired.config.name,
            running_s=(now_ns - self.start_ns) / 1e9,
            account=account,
            counts=reader.counts(),
            rate=self._rates.get("events", 0.0),
            lag_ms=max((one.lag_ns for one in health), default=0) / 1e6,
            waiting=session.hub.waiting,
            step=self._step,
            equity=self.equity.values,
            limits=self._limits(len(working)),
            held=[replace(one, instrument=name[one.index]) for one in reader.held()],
            working=[replace(one, instrument=name[one.index]) for one in working[-MOST_ORDERS:][::-1]],
            n_working=len(working),
            fills=self._fills,
            focus=name[self.focus],
            bids=bids,
            asks=asks,
            own=frozenset((int(side), price) for side, price in own),
            book_note=self._book_note(bids, asks),
            feeds=[self._feed(one, now_ns) for one in health],
            notes=self._noted,
            asked=self.asked,
            keyboard=self.keyboard,
            price_places=reader.price_places,
            qty_places=reader.qty_places,
        )

    def _look(self) -> None:
        """Take what is new of fills and notes, the newest first."""
        reader = self.reader
        for row in self._fill_rows.new(MOST_FILLS):
            told = reader.fill(row)
            self._fills.appendleft(
                Fill(
                    clock_text(told["at"]), reader.short[int(row["instrument"])], told["side"], told["qty"],
                    told["price"], told["liquidity_side"].lower(), told["realised"],
                )
            )  # fmt: skip
        for note in self._notes.new():
            name = reader.name_of(note.exchange, note.symbol) or note.exchange
            where = " ".join(part for part in (name, note.channel, note.text) if part)
            self._noted.appendleft((clock_text(iso(note.ts_ns)), note.what, where))

    def _rate(self, now_ns: int, health: list[ChannelHealth]) -> None:
        """Measure the rates of events and of each channel's messages."""
        if now_ns - self._rated_ns < RATE_S * 1e9:
            return
        counts = {(one.market.index, one.channel): one.messages for one in health}
        totals: dict[Any, int] = {"events": self.session.live.events, **counts}
        if self._rated_ns:
            passed_s = (now_ns - self._rated_ns) / 1e9
            self._rates = {key: (total - self._before.get(key, 0)) / passed_s for key, total in totals.items()}
        self._before, self._rated_ns = totals, now_ns
        folds = self.session.latencies.messages
        if folds.n:
            self._step = f"fold p50 {folds.quantile(0.5) / 1e6:.2f} p99 {folds.quantile(0.99) / 1e6:.2f} ms"

    def _feed(self, one: ChannelHealth, now_ns: int) -> Feed:
        told = feed_of(one, now_ns) | {"instrument": self.reader.short[one.market.index]}
        del told["messages"]
        return Feed(rate=self._rates.get((one.market.index, one.channel), 0.0), **told)

    def _limits(self, working: int) -> dict[str, str]:
        """Return how the account stands to its limits."""
        engine, account = self.reader.state.engine[0], self.reader.account()
        drawdown, orders = int(engine["drawdown_limit_nano"]), int(engine["max_open_orders"])
        exposure = int(engine["max_exposure_atoms"])
        made = {
            "drawdown": limit_text(account.drawdown, drawdown / NANO if drawdown < NO_LIMIT else None),
            "worst": limit_text(account.max_drawdown, None),
            "exposure": f"{account.exposure:,.2f}" + (f" of {exposure / 1e8:,.2f}" if exposure < NO_LIMIT else ""),
            "orders": f"{working}" + (f" of {orders}" if orders < NO_LIMIT else ""),
        }
        disabled = self.reader.disabled()
        return made | ({"disabled": ", ".join(islice(disabled, 3))} if disabled else {})

    def _book_note(self, bids: list[Any], asks: list[Any]) -> str:
        """Say what matters of the book beside its levels."""
        if self.reader.is_broken(self.focus):
            return "NOT SYNCHRONISED"
        mark, name = self.reader.mark(self.focus), self.reader.short[self.focus]
        if bids and asks:
            places = self.reader.price_places[name]
            return f"spread {asks[0][0] - bids[0][0]:,.{places}f}"
        return "no price yet" if mark is None else f"no book; marked at {mark:,.{self.reader.price_places[name]}f}"
