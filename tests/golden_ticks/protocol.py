"""What tick scripts and random tick runs say to a simulator, and what it must answer: integers only.

Units as in `tests.golden.protocol`, whose configuration, requests and rows are used here too. A run is
`configure(config)`, then `step(step)` once per message with the requests that follow it, then `result()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from tests.golden.protocol import Config, FillRow, Request
from tradectl.core.codes import BookLevel, EventFlag, EventKind, QueueModel, TriggerSource

__all__ = [
    "Event", "OrderBook", "OrderState", "Result", "Standing", "Step", "StepReport", "TickBackend", "TickConfig", "Told",
]  # fmt: skip

END = int(EventFlag.MESSAGE_END)


@dataclass(frozen=True)
class TickConfig:
    """`base` (its `latency_entry_ns` counts, its bars do not) and what only tick data has."""

    base: Config = field(default_factory=Config)
    levels: tuple[BookLevel, ...] = (BookLevel.DEPTH,)  # one for each instrument
    queue_model: QueueModel = QueueModel.POWER3
    queue_power: float = 3.0
    trigger: TriggerSource = TriggerSource.LAST
    l1_leftover_ticks: int = 1
    response_ns: int = 0
    compute_ns: int = 0
    triples: tuple[tuple[int, int, int], ...] = ()  # (request, exchange, response), in place of constants
    frames_ns: tuple[int, ...] = ()  # derived bars, finest first


@dataclass(frozen=True)
class Event:
    """One event record; the words by kind: TRADE price, lots; QUOTE bid, lots, ask, lots; DEPTH price, lots.

    ORDER_*: price, lots, id. A BAR of warm-up: open, high, low, close, lots; `aux` its timeframe. A GAP's `aux` is a
    `GapScope`.
    """

    kind: EventKind
    ts_event: int
    ts_recv: int
    words: tuple[int, ...] = ()
    side: int = 0
    flags: int = END
    instrument: int = 0
    aux: int = 0


@dataclass
class Step:
    """Events, what is asked for after the last of them (each at its receive time), and a timer to be set."""

    events: list[Event] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    timer: int | None = None  # when `on_timer` is to be called, ns; set before the requests


@dataclass(frozen=True)
class Told:
    """What a strategy was told and when: a report (`order_id` > 0), or that its timer fired (0)."""

    now: int
    order_id: int = 0
    status: int = 0
    reason: int = 0
    ts_event: int = 0  # the venue's time of it
    lots: int = 0  # of a fill
    price_ticks: int = 0


@dataclass(frozen=True)
class OrderState:
    """One order as it stands; `front` is the quantity ahead of it, None where it rests in no queue."""

    order_id: int
    status: int
    reason: int
    filled_lots: int
    leaves_lots: int
    ts_arrival: int
    ts_last: int
    seen: int  # the status that the strategy has been told
    front: float | None


@dataclass
class StepReport:
    """What one step did: fills, a reason per request (0: taken), what was told; all orders and equity after it."""

    fills: list[FillRow]
    outcomes: list[int]
    told: list[Told]
    orders: dict[int, OrderState]
    equity_atoms: int


@dataclass(frozen=True)
class Standing:
    """One order in an order-by-order book: what is left of it here, and what the recording shows of it (own: 0)."""

    key: int  # the id of a recorded order, or of an own one
    own: bool
    price_ticks: int
    left_lots: int
    shown_lots: int = 0


@dataclass(frozen=True)
class OrderBook:
    """An order-by-order book: bids and asks by price, then time; the touch at the last message's end or (None, 0)."""

    sides: tuple[list[Standing], list[Standing]]
    touch: tuple[tuple[int | None, int], tuple[int | None, int]]


@dataclass
class Result:
    """The account and the counters at the end; positions, what was seen of them, and books by instrument."""

    positions: list[int]
    seen: list[int]
    costs: list[int]
    balance_atoms: int
    fees_atoms: int
    equity_atoms: int
    late: int
    crossed: int
    gaps: int
    audit_ok: bool
    acks: tuple[int, int, int]  # answers, late ones, by how much in all, ns
    funding_atoms: int = 0  # paid
    unknown: int = 0  # of order-by-order data: messages to orders that are not known,
    spent: int = 0  # to orders of which nothing is left,
    remainders: int = 0  # orders executed whole of which something is left,
    strayed: int = 0  # messages that ended with another touch than the recording's
    books: dict[int, OrderBook] = field(default_factory=dict)


class TickBackend(Protocol):
    """A simulator of tick data."""

    name: str

    def configure(self, config: TickConfig) -> None:
        """Begin a new run."""

    def step(self, step: Step) -> StepReport:
        """Apply the events of a step, then its requests."""

    def result(self) -> Result:
        """Return what stands at the end."""
