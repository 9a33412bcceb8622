"""What stands on the screen of a paper session: a scene of plain values, drawn as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.segment import Segment

from tradectl.cli.output import count, decimals, percent
from tradectl.cli.paper_frame import Cell, Column, Line, Table, beside, flow, share, spark, table_lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from tradectl.cli.paper_reading import Account, Held, Level, Working

__all__ = ["Scene", "age"]

LEVELS = 5  # of the book, a side
LEAST_FEEDS = 12  # lines of the table of feeds that go before notes
TWO_COLUMNS = 78  # cells from which tables stand side by side
RIGHT, RIGHT_SHARE = 36, 0.48  # the right one's least width, and its share of a wide terminal
STATES = {"ACTIVE": "calm", "REDUCING": "careful", "HALTED": "alarm"}
FEED_STATES = {"live": "good", "syncing": "warn", "connecting": "warn", "stale": "bad", "down": "bad"}
NOTE_STATES = {"connected": "good", "backfilled": "good", "limited": "warn"}
KEYS = (
    ("h", "halt"), ("r", "resume"), ("c", "cancel all"), ("f", "flatten"), ("n/p", "instrument"), ("q", "quit"),
)  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """One channel: `rate` in messages a second, `silent_s` since its last one."""

    instrument: str
    channel: str
    state: str
    rate: float
    lag_ms: float
    connections: int
    gaps: int
    dropped: int
    silent_s: float | None


@dataclass(frozen=True)
class Fill:
    """One fill; `time` is HH:MM:SS UTC."""

    time: str
    instrument: str
    side: str
    qty: float
    price: float
    liquidity: str
    realised: float


@dataclass(frozen=True)
class Scene:
    """Everything that a frame shows; it draws itself as wide and high as the terminal is."""

    name: str
    running_s: float
    account: Account
    counts: dict[str, int]
    rate: float  # events a second
    lag_ms: float
    waiting: int
    step: str  # what a fold takes
    equity: Sequence[float]  # since the start
    limits: dict[str, str]  # of the risk unit: what, how it stands
    held: Sequence[Held]
    working: Sequence[Working]
    n_working: int
    fills: Sequence[Fill]
    focus: str
    bids: Sequence[Level]
    asks: Sequence[Level]
    own: frozenset[tuple[int, float]]  # side (0 bids, 1 asks) and price of own orders in the book shown
    book_note: str
    feeds: Sequence[Feed]
    notes: Sequence[tuple[str, str, str]]  # time, what, text; the newest first
    asked: str = ""  # a question that waits for y
    keyboard: bool = True
    price_places: dict[str, int] = field(default_factory=dict)  # digits behind the point, by instrument
    qty_places: dict[str, int] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        height = options.height or console.height
        for number, line in enumerate(self.lines(options.max_width, height)):
            if number:
                yield Segment.line()
            yield from line

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the frame as `height` lines of `width` cells."""
        head = self._head(width)
        room = max(height - len(head) - 1, 0)
        left = [self._positions(), self._orders(), self._fills()]
        right = [self._book(), self._feeds(), self._notes()]
        if width >= TWO_COLUMNS:
            narrow = max(int((width - 2) * RIGHT_SHARE), RIGHT)
            body = beside(stack(left, width - 2 - narrow, room), stack(right, narrow, room))
        else:
            body = stack([left[0], left[1], right[0], right[1], left[2], right[2]], width, room)
        return [*head, *body, self._foot(width)][:height]

    # --- head and foot

    def _head(self, width: int) -> list[Line]:
        account = self.account
        digits = decimals(account.currency)
        gain = f"{account.pnl:+,.{digits}f}"
        start = account.equity - account.pnl
        part = f" ({account.pnl / start * 100:+,.2f} %)" if start > 0 else ""
        first: list[Cell] = [
            (self.name, "bold"), ("paper", "dim"), (f" {account.trading_state} ", STATES[account.trading_state]),
            (age(self.running_s), ""), (f"{self.rate:,.0f} events/s", ""), (f"lag {self.lag_ms:,.1f} ms", ""),
            *([(f"{self.waiting:,} waiting", "warn")] if self.waiting else []), (self.step, "dim"),
        ]  # fmt: skip
        second: list[Cell] = [
            (f"equity {account.equity:,.{digits}f} {account.currency}", "bold"),
            (f"P&L {gain}{part}", colour(account.pnl)),
            (f"fees {account.fees:,.{digits}f}", "dim"),
        ]  # fmt: skip
        left = width - sum(len(text) + 2 for text, _ in second)
        second.append((spark(self.equity, min(left, 60)), colour(account.pnl)))
        third: list[Cell] = [(f"{what} {how}", "dim") for what, how in self.limits.items()]
        if account.breached:
            third.insert(0, ("DRAWDOWN BREACHED", "alarm"))
        return [flow(cells, width) for cells in (first, second, third)]

    def _foot(self, width: int) -> Line:
        if self.asked:
            return flow([(f" {self.asked}  y: yes, any other key: no ", "alarm")], width)
        if not self.keyboard:
            return flow([("tradectl control steers this session; Ctrl-C ends it", "dim")], width)
        return flow([(f"{key} {what}", "dim") for key, what in KEYS], width)

    # --- tables; the one instrument or strategy of a run is named only where there is room

    @property
    def _alone(self) -> int:
        return 9 if len(self.price_places) == 1 else 2

    def _positions(self) -> Table:
        columns = (
            Column("instrument", rank=self._alone), Column("strategy", rank=10), Column("qty", True),
            Column("avg price", True, 2), Column("mark", True, 3), Column("open P&L", True),
            Column("realised", True, 4),
        )  # fmt: skip
        title = numbered("positions", len(self.held))
        return Table(title, columns, [self._position(one) for one in self.held], "flat")

    def _position(self, one: Held) -> list[Cell]:
        unrealised = "–" if one.unrealised is None else f"{one.unrealised:+,.2f}"
        return [
            (one.instrument, ""), (one.strategy, "dim"), (self._qty(one.qty, one.instrument), colour(one.qty)),
            (self._price(one.avg_price, one.instrument), ""), (self._price(one.mark, one.instrument), ""),
            (unrealised, colour(one.unrealised or 0.0)), (f"{one.realised:+,.2f}", "dim"),
        ]  # fmt: skip

    def _orders(self) -> Table:
        columns = (
            Column("order", True, 5), Column("instrument", rank=self._alone), Column("side"), Column("qty", True),
            Column("price", True), Column("ahead", True), Column("status", rank=3), Column("age", True, 4),
        )  # fmt: skip
        title = numbered("working orders", self.n_working)
        return Table(title, columns, [self._order(one) for one in self.working])

    def _order(self, one: Working) -> list[Cell]:
        price = one.price if one.price is not None else one.stop
        text = self._price(price, one.instrument) if price is not None else "market"
        if one.stop is not None:
            text = f"stop {self._price(one.stop, one.instrument)}"
        ahead = "–" if one.queue_ahead is None else self._qty(one.queue_ahead, one.instrument)
        return [
            (str(one.order_id), "dim"), (one.instrument, ""), (one.side, side_colour(one.side)),
            (self._qty(one.leaves, one.instrument), ""), (text, ""), (ahead, ""),
            (one.status.replace("_", " "), "dim"), (age(one.age_s), "dim"),
        ]  # fmt: skip

    def _fills(self) -> Table:
        columns = (
            Column("time", rank=3), Column("instrument", rank=self._alone), Column("side"), Column("qty", True),
            Column("price", True), Column("as", rank=4), Column("realised", True, 5),
        )  # fmt: skip
        counts = self.counts
        refused = counts["denied"] + counts["rejected"]
        title = f"fills {count(counts['fills'])}, orders sent {count(counts['orders'])}, refused {count(refused)}"
        return Table(title, columns, [self._fill(one) for one in self.fills], "")

    def _fill(self, one: Fill) -> list[Cell]:
        realised = f"{one.realised:+,.2f}" if one.realised else ""
        return [
            (one.time, "dim"), (one.instrument, ""), (one.side, side_colour(one.side)),
            (self._qty(one.qty, one.instrument), ""), (self._price(one.price, one.instrument), ""),
            (one.liquidity, "dim"), (realised, colour(one.realised)),
        ]  # fmt: skip

    def _book(self) -> Table:
        columns = (Column("bid qty", True), Column("bid", True), Column("ask"), Column("ask qty", True))
        rows = []
        for k in range(max(len(self.bids), len(self.asks))):
            bid, ask = (side[k] if k < len(side) else None for side in (self.bids, self.asks))
            rows.append([*self._level(0, bid), *self._level(1, ask)[::-1]])
        title = f"book {self.focus}" + (f" {self.book_note}" if self.book_note and rows else "")
        return Table(title, columns, rows, self.book_note or "empty", least=LEVELS + 2)

    def _level(self, side: int, level: Level | None) -> list[Cell]:
        """Return quantity and price of a level; ● where an own order stands."""
        if level is None:
            return [("", ""), ("", "")]
        own = (side, level[0]) in self.own
        price = f"{level[0]:.{self.price_places.get(self.focus, 2)}f}"
        mark, qty = "● " if own else "", self._qty(level[1], self.focus)
        return [(mark + qty, "bold" if own else ""), (price, ("good", "bad")[side])]

    def _feeds(self) -> Table:
        columns = (
            Column("instrument", rank=0 if self._alone == 2 else 8), Column("channel"), Column("state"),
            Column("msg/s", True, 2), Column("lag ms", True, 3), Column("conn", True, 5), Column("gaps", True, 4),
            Column("left out", True, 9), Column("silent", True, 10),
        )  # fmt: skip
        feeds = sorted(self.feeds, key=lambda one: one.state == "live")  # those that are not live come first
        return Table("feeds", columns, [self._feed(one) for one in feeds], least=LEAST_FEEDS)

    def _feed(self, one: Feed) -> list[Cell]:
        return [
            (one.instrument, ""), (one.channel, ""), (one.state, FEED_STATES.get(one.state, "warn")),
            (f"{one.rate:,.0f}", ""), (f"{one.lag_ms:,.1f}", ""), (str(one.connections), "dim"),
            (str(one.gaps), "warn" if one.gaps else "dim"), (str(one.dropped), "warn" if one.dropped else "dim"),
            ("–" if one.silent_s is None else age(one.silent_s), "dim"),
        ]  # fmt: skip

    def _notes(self) -> Table:
        columns = (Column("time", rank=1), Column("what"), Column("text", long=True))
        rows = [[(time, "dim"), (what, NOTE_STATES.get(what, "bad")), (text, "")] for time, what, text in self.notes]
        return Table("notes", columns, rows)

    # --- numbers

    def _price(self, value: float | None, instrument: str) -> str:
        return "–" if value is None else f"{value:,.{self.price_places.get(instrument, 2)}f}"

    def _qty(self, value: float, instrument: str) -> str:
        text = f"{value:,.{self.qty_places.get(instrument, 8)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


def stack(tables: Sequence[Table], width: int, height: int) -> list[Line]:
    """Return tables below each other in exactly `height` lines; the last one is filled up."""
    given = share(height, [table.height for table in tables], [table.least for table in tables])
    given[-1] += height - sum(given)
    return [line for table, lines in zip(tables, given, strict=True) for line in table_lines(table, width, lines)]


def numbered(what: str, number: int) -> str:
    """Return a title with the number of what there is."""
    return f"{what} {number}" if number else what


def age(seconds: float) -> str:
    """Write a duration in as few cells as tell it."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d} h" if whole < 172_800 else f"{whole // 86_400} d"


def colour(value: float) -> str:
    """Return the style of a gain or loss."""
    return "good" if value > 0 else "bad" if value < 0 else ""


def side_colour(side: str) -> str:
    """Return the style of a side."""
    return "good" if side == "BUY" else "bad"


def limit_text(value: float, limit: float | None) -> str:
    """Write a figure, and its limit where there is one."""
    return percent(value) + (f" of {percent(limit)}" if limit is not None else "")


def clock_text(iso: Any) -> str:
    """Return the time of day in an ISO stamp."""
    return str(iso)[11:19]
