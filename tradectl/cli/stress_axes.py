"""The axes of a stress test: what may vary, how it is written, and which points of the product are folded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import NamedTuple, TypeVar

from tradectl.cli.options import comma_list
from tradectl.config.units import format_ns, nearest_unit, parse_duration_ns
from tradectl.core.codes import BookLevel, FillAt, QueueModel
from tradectl.engine.spec import InstrumentLimits, RunSpec
from tradectl.errors import ConfigError, nearest

__all__ = ["AXES", "Axes", "FeeLevel", "Latency", "Point", "Wanted", "axes_of", "base_of", "plan", "spec_at"]

AXES = ("queue", "latency", "fee_level", "slippage")
MOST_POINTS = 20_000
MOST_FACTOR = Decimal(1000)
MOST_TICKS = 1_000_000
MOST_LATENCY_NS = 86_400 * 10**9
NANO = 10**9
LOWEST_FEE, HIGHEST_FEE = -10_000_000, 50_000_000  # 1e-9 of notional, as in the config
T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Latency:
    """Latencies of orders and of answers, ns; `recorded`: those of the config's table."""

    entry_ns: int
    response_ns: int
    recorded: bool = False

    @property
    def label(self) -> str:
        """Return it as it is written in `--latency`."""
        if self.recorded:
            return "recorded"
        entry, response = (format_ns(ns) if ns else "0" for ns in (self.entry_ns, self.response_ns))
        return entry if entry == response else f"{entry}/{response}"


@dataclass(frozen=True)
class FeeLevel:
    """A multiple of the config's fees, or (factor None) rates of makers and takers for all, 1e-9 of notional."""

    factor: Decimal | None = Decimal(1)
    maker_nano: int = 0
    taker_nano: int = 0

    @property
    def label(self) -> str:
        """Return it as it is written in `--fees`."""
        if self.factor is not None:
            return f"{self.factor.normalize():f}x"
        return "/".join(f"{Decimal(nano).scaleb(-9).normalize():f}" for nano in (self.maker_nano, self.taker_nano))

    def rates(self, limits: InstrumentLimits) -> tuple[int, int]:
        """Return (maker, taker) of an instrument; ConfigError beyond what the engine is proven for."""
        if self.factor is None:
            return self.maker_nano, self.taker_nano
        made = round(limits.maker_nano * self.factor), round(limits.taker_nano * self.factor)
        if not LOWEST_FEE <= min(made) <= max(made) <= HIGHEST_FEE:
            raise ConfigError(f"--fees: {self.label} makes fees of {made[0] / NANO:g}/{made[1] / NANO:g}; "
                              f"expected {LOWEST_FEE / NANO:g} to {HIGHEST_FEE / NANO:g}")  # fmt: skip
        return made


class Point(NamedTuple):
    """One variant of a run; None is what the config says: no depth to queue in, slippage not in ticks."""

    queue: str | None
    latency: Latency
    fee_level: FeeLevel
    slippage: int | None

    @property
    def labels(self) -> dict[str, str]:
        """Return the axes' values as text."""
        ticks = "config" if self.slippage is None else str(self.slippage)
        return dict(zip(AXES, (self.queue or "–", self.latency.label, self.fee_level.label, ticks), strict=True))


class Axes(NamedTuple):
    """The values of each axis, that of the config among them."""

    queue: tuple[str | None, ...]
    latency: tuple[Latency, ...]
    fee_level: tuple[FeeLevel, ...]
    slippage: tuple[int | None, ...]


@dataclass(frozen=True)
class Wanted:
    """The options as they were given; None: the default list."""

    queue: str | None = None
    latency: str | None = None
    fees: str | None = None
    slippage: str | None = None


DEFAULT = Wanted("power3,power2,power,log2,log,risk_averse", "0,1ms,5ms,20ms,100ms", "0,1,2x", "0,1,2")


def base_of(spec: RunSpec) -> Point:
    """Return the point that is the config itself."""
    execution = spec.execution
    depth = [one for one in spec.limits if one.level == BookLevel.DEPTH]
    queue = depth[0].queue_model.name.lower() if depth else None
    latency = Latency(execution.latency_entry_ns, execution.latency_response_ns, bool(spec.latencies))
    in_ticks = execution.slip_nano == execution.slip_share_nano == 0
    return Point(queue, latency, FeeLevel(), execution.slip_ticks if in_ticks else None)


def axes_of(wanted: Wanted, spec: RunSpec) -> Axes:
    """Return the axes that were asked for; ConfigError at a value that is none, or that this run cannot have."""
    base = base_of(spec)
    queues: Iterable[str] = ()
    if base.queue is not None:
        queues = _values("queue", wanted.queue or DEFAULT.queue, _queue)
    elif wanted.queue is not None:
        raise ConfigError(
            "--queue: queue models place orders in depth, and this run has none",
            hint="leave it out; `data.kind: depth` or `book` brings depth",
        )
    delays = _values("latency", wanted.latency or DEFAULT.latency, _latency)
    if spec.execution.fill_at == FillAt.CLOSE:
        if wanted.latency is not None and any(one.entry_ns or one.response_ns for one in delays):
            raise ConfigError("--latency: `execution.fill_at: close` fills on the bar just seen; use next_open")
        delays = [base.latency]
    fees = _values("fees", wanted.fees or DEFAULT.fees, _fees)
    ticks = _values("slippage", wanted.slippage or DEFAULT.slippage, _ticks)
    latency = tuple(sorted({*delays, base.latency}, key=lambda one: (not one.recorded, one)))
    fee_level = tuple(sorted({*fees, base.fee_level}, key=_fee_order))
    slippage = tuple(sorted({*ticks, base.slippage}, key=lambda one: -1 if one is None else one))
    return Axes(tuple(dict.fromkeys((base.queue, *queues))), latency, fee_level, slippage)


def plan(axes: Axes, base: Point, full: bool) -> list[Point]:
    """Return the points to fold, without repetition and the base first.

    They are the whole product if `full`; else each axis alone, and the product of the two of the heat map.
    """
    if full:
        points = [Point(*values) for values in itertools.product(*axes)]
    else:
        points = [base._replace(**{name: value}) for name in AXES for value in getattr(axes, name)]
        rows = grid_rows(base)
        points += [
            base._replace(latency=column, **{rows: row})
            for row in getattr(axes, rows)
            for column in axes.latency
        ]
    made = list(dict.fromkeys((base, *points)))
    if len(made) > MOST_POINTS:
        raise ConfigError(f"{len(made):,} variants are more than {MOST_POINTS:,}", hint="shorten the lists")
    return made


def grid_rows(base: Point) -> str:
    """Return the axis that the heat map shows beside latency: queue models, without depth fees."""
    return "fee_level" if base.queue is None else "queue"


def spec_at(spec: RunSpec, point: Point) -> RunSpec:
    """Return the run at a point; at the base it is the same run."""
    base, execution, latencies = base_of(spec), spec.execution, spec.latencies
    if point.latency != base.latency:
        entry_ns, response_ns = point.latency.entry_ns, point.latency.response_ns
        execution = replace(execution, latency_entry_ns=entry_ns, latency_response_ns=response_ns)
        latencies = ()
    if point.slippage is not None and point.slippage != base.slippage:
        execution = replace(execution, slip_ticks=point.slippage, slip_nano=0, slip_share_nano=0)
    limits = tuple(_limits_at(one, point) for one in spec.limits)
    return replace(spec, limits=limits, execution=execution, latencies=latencies)


def _limits_at(limits: InstrumentLimits, point: Point) -> InstrumentLimits:
    maker, taker = point.fee_level.rates(limits)
    model = limits.queue_model if point.queue is None else QueueModel[point.queue.upper()]
    return replace(limits, maker_nano=maker, taker_nano=taker, queue_model=model)


# --- what is written


def _values(name: str, text: str | None, read: Callable[[str], T]) -> list[T]:
    """Return the values of an option's list; `read` raises ValueError with what it expected."""
    words = comma_list(text or "")
    if not words:
        raise ConfigError(f"--{name}: the list is empty", hint=f"e.g. --{name} {getattr(DEFAULT, name)}")
    made = []
    for word in words:
        try:
            made.append(read(word))
        except ValueError as error:
            raise ConfigError(f"--{name}: {word!r}: {error}") from None
    return made


def _queue(word: str) -> str:
    models = [model.name.lower() for model in QueueModel]
    if word.lower() not in models:
        raise ValueError(f"no queue model; {nearest(word.lower(), models)}")
    return word.lower()


def _latency(word: str) -> Latency:
    entry, slash, response = word.partition("/")
    return Latency(_delay(entry), _delay(response if slash else entry))


def _delay(word: str) -> int:
    try:
        made = parse_duration_ns(word)
    except ValueError as error:
        near = nearest_unit(word)
        raise ValueError(f"{error}" + (f"; did you mean {near!r}?" if near else "")) from None
    if made > MOST_LATENCY_NS:
        raise ValueError("expected at most 1d")
    return made


def _fees(word: str) -> FeeLevel:
    maker, slash, taker = word.partition("/")
    if slash:
        return FeeLevel(None, _rate(maker), _rate(taker))
    factor = _number(word.lower().removesuffix("x"), "a factor (0, 1, 2x) or MAKER/TAKER (0.0002/0.0005)")
    if not 0 <= factor <= MOST_FACTOR:
        raise ValueError(f"expected a factor from 0 to {MOST_FACTOR:f}; rates are written MAKER/TAKER")
    return FeeLevel(factor.normalize())


def _rate(word: str) -> int:
    """Return a fee, `0.0002` or `0.02%`, in 1e-9 of notional."""
    value = _number(word.strip().removesuffix("%"), "a fee such as 0.0002 or 0.02%")
    nano = value * NANO / (100 if word.strip().endswith("%") else 1)
    if nano != nano.to_integral_value() or not LOWEST_FEE <= nano <= HIGHEST_FEE:
        raise ValueError(f"expected a fee from {LOWEST_FEE / NANO:g} to {HIGHEST_FEE / NANO:g}, in steps of 1e-9")
    return int(nano)


def _ticks(word: str) -> int:
    value = _number(word, "a whole number of ticks")
    if value != value.to_integral_value() or not 0 <= value <= MOST_TICKS:
        raise ValueError(f"expected a whole number of ticks, 0 to {MOST_TICKS:,}")
    return int(value)


def _number(word: str, expected: str) -> Decimal:
    try:
        value = Decimal(word.strip())
    except InvalidOperation:
        raise ValueError(f"expected {expected}") from None
    if not value.is_finite():
        raise ValueError(f"expected {expected}")
    return value


def _fee_order(level: FeeLevel) -> tuple[Decimal | int, Decimal | int, Decimal | int]:
    if level.factor is not None:
        return 0, level.factor, 0
    return 1, level.maker_nano + level.taker_nano, level.taker_nano
