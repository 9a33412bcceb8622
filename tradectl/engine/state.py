"""The state of a run as arrays: built from a RunSpec, addressed by WORLD, copied, hashed, restored by its bytes."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core import layout as L
from tradectl.core.calendars import DROP, KEEP
from tradectl.core.codes import BarBy, BookLevel, FoldCode, Hook, MarketStatus, ReportKind, TradingState
from tradectl.core.instrument import ATOMS_PER_UNIT, Instrument
from tradectl.core.l3_layout import init_l3, size_of_l3
from tradectl.core.ladder_layout import NO_ASK, NO_BID, init_ladder, size_of
from tradectl.core.records import struct_of
from tradectl.engine.paths import scratch_words
from tradectl.engine.spec import InstrumentLimits, RunSpec
from tradectl.errors import ConfigError

__all__ = ["State", "hash_of", "layout_hash"]

PICO = 1_000_000_000_000
FLOAT_EXACT = 2**53
MOST_MARKOUTS = 65_535  # that a link of 16 bits can name
MARKOUTS_PER_ORDER = 2  # fills whose mark-outs are pending at once, for each place of the order table
PLOTS_PER_EVENT = 16_384  # values of plotted series that one event may give at least
CONSUMED_LEVELS = 1024  # levels of one book that own orders have taken from
FOLD_CODES = {int(code): code for code in FoldCode}
OUTPUTS = ("fills", "orders", "equity", "markouts", "fundings", "plots")  # their cursors in WORLD: n_*
LADDERS = (BookLevel.QUOTES, BookLevel.DEPTH)
Array = npt.NDArray[Any]


def aligned(n: int, dtype: Any) -> Array:
    """Return `n` zeroed records on a 64-byte boundary."""
    size = max(n, 1) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype)


def layout_hash() -> str:
    """Hash the layout of all records: a snapshot of another layout is refused."""
    records = [getattr(L, name) for name in sorted(L.__all__)]
    parts = [str(record.descr) for record in records if isinstance(record, np.dtype)]
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()


def hash_of(parts: Mapping[str, Any]) -> str:
    """Return the hash of a state's parts, as `State.snapshot` gives them, and of their layout."""
    digest = hashlib.blake2b(layout_hash().encode(), digest_size=16)
    for part in parts.values():
        digest.update(part)
    return digest.hexdigest()


class State:
    """All arrays of one run; `world` holds their addresses and the outputs' cursors and is not hashed."""

    STATE = (
        "engine", "currencies", "markets", "positions", "orders", "requests", "reports", "frames", "details",
        "strategies", "blob", "venues", "books", "timers", "markouts", "dues",
    )  # fmt: skip

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        n, s = len(spec.instruments), len(spec.strategies)
        if not 0 < n <= 65_535:
            raise ConfigError(f"a run needs 1 to 65,535 instruments, this one has {n}")
        self.currency_names = self._currency_names()
        self.engine = aligned(1, L.ENGINE)
        self.currencies = aligned(len(self.currency_names), L.CURRENCY)
        self.markets = aligned(n, L.MARKET)
        self.positions = aligned(n * s, L.POSITION)
        self.orders = aligned(spec.order_capacity + 1, L.ORDER)
        self.requests = aligned(spec.request_capacity + n * max(s, 1), L.REQUEST)
        self.reports = aligned(spec.report_capacity, L.REPORT)
        self.frames = aligned(n * (len(spec.frames_ns) + len(spec.frames_by)), L.FRAME)
        self.details = aligned(n * spec.detail_capacity, L.DETAIL)
        self.strategies = aligned(s, L.STRATEGY)
        self.blob = self._build_blob(n)
        self.venues = aligned(n, L.VENUE)
        self.timers = aligned(n * s, L.TIMER)
        self.timers["at"] = L.NEVER
        self.books = self._build_books()
        self.latencies = aligned(len(spec.latencies), L.LATENCY)
        answers = sorted((exchange, response) for _, exchange, response in spec.latencies)  # one may overtake another
        for k, ((request, exchange, _), answer) in enumerate(zip(spec.latencies, answers, strict=True)):
            self.latencies[k] = request, exchange, *answer
        self._build_calendars()
        self.hooks = np.zeros(max(s, 1) * len(Hook), np.int64)
        self.used = np.zeros(max(s * n, 1), np.int64)
        self.scratch = np.zeros(scratch_words(len(self.currency_names), s, spec.order_capacity), np.int64)
        ticks = any(limits.level != BookLevel.BARS for limits in spec.limits)
        pending = min(MARKOUTS_PER_ORDER * spec.order_capacity, MOST_MARKOUTS) if ticks else 0
        self.markouts = aligned(pending, L.MARKOUT)
        self.markouts_out = aligned((spec.output_capacity if ticks else 0) + len(self.markouts), L.MARKOUT)
        bars = any(limits.level == BookLevel.BARS for limits in spec.limits)
        self.dues = aligned(spec.funding_capacity if bars else 0, L.DUE)
        self._plots_per_event = self._plot_rows(n)
        plots = spec.output_capacity + self._plots_per_event if self._plots_per_event else 0
        self.plots = aligned(plots, L.PLOT)
        self.fundings = aligned(spec.output_capacity, L.FUNDED)
        self.fills = aligned(spec.output_capacity, L.FILL)
        self.orders_out = aligned(spec.output_capacity, L.ORDER)
        self.equity_out = aligned(spec.equity_capacity, L.EQUITY)
        self._fill_currencies()
        for i, (instrument, limits) in enumerate(zip(spec.instruments, spec.limits, strict=True)):
            self._fill_market(i, instrument, limits)
        self._fill_strategies()
        self._fill_engine()
        self.world = self._build_world()

    def _plot_rows(self, n: int) -> int:
        """Return for how many plotted values of one event there is room; 0 where no strategy plots."""
        series = sum(len(one.plots) for one in self.spec.strategies)
        return max(PLOTS_PER_EVENT, 4 * n * series) if series else 0

    def _currency_names(self) -> list[str]:
        spec = self.spec
        names = [spec.account.currency]
        quotes = sorted({i.quote for i in spec.instruments} | set(spec.account.balances))
        return names + [c for c in quotes if c not in names]

    def _build_blob(self, n: int) -> Array:
        self.offsets: list[tuple[int, int, int]] = []
        at = 0
        chunks: list[tuple[int, bytes]] = []
        for strategy in self.spec.strategies:
            copies = 1 if strategy.portfolio else n
            params, state = at, at + -(-len(strategy.params) // 64) * 64
            size = -(-len(strategy.state) // 8) * 8
            chunks.append((params, strategy.params))
            chunks += [(state + i * size, strategy.state) for i in range(copies)]
            self.offsets.append((params, state, size))
            at = -(-(state + size * copies) // 64) * 64
        blob = aligned(max(at, 64), np.uint8)
        for offset, content in chunks:
            blob[offset : offset + len(content)] = np.frombuffer(content, np.uint8)
        return blob

    def _build_books(self) -> Array:
        """Return one array with the ladders of all instruments that have a book; fill what their venues begin with."""
        notes = self.spec.order_capacity + CONSUMED_LEVELS
        sizes = [self._book_size(limits, notes) for limits in self.spec.limits]
        blob = aligned(sum(sizes), np.uint8)
        at = 0
        for row, limits, instrument, size in zip(
            self.venues, self.spec.limits, self.spec.instruments, sizes, strict=False
        ):
            row["bid"], row["ask"] = NO_BID, NO_ASK
            row["own_bid"], row["own_ask"] = -L.NEVER, L.NEVER
            row["stop_up"], row["stop_down"] = L.NEVER, -L.NEVER
            row["next_arrival"] = row["mark_due"] = L.NEVER
            row["ladder"] = at
            row["queue_model"], row["queue_power"] = limits.queue_model, limits.queue_power
            row["trigger"], row["lot_size"] = limits.trigger, float(instrument.lot_size)
            if limits.level == BookLevel.ORDERS:
                init_l3(blob[at : at + size], limits.window, limits.l3_orders, self.spec.order_capacity)
            elif size:
                init_ladder(blob[at : at + size], limits.window, notes)
            at += size
        return blob

    def _build_calendars(self) -> None:
        """Make one table of all sittings, each calendar's once, and a CALENDAR for every instrument."""
        hours = [limits.hours for limits in self.spec.limits]
        tables = {id(one.sittings): one.sittings for one in hours if one is not None}
        starts = dict(zip(tables, np.cumsum([0, *map(len, tables.values())]), strict=False))
        self.sittings = aligned(sum(map(len, tables.values())), L.SITTING)
        for key, rows in tables.items():
            table = self.sittings[starts[key] : starts[key] + len(rows)]
            for name, column in zip(("open", "close", "session_open", "session_close", "number"), rows.T, strict=True):
                table[name] = column
        self.calendars = aligned(len(hours), L.CALENDAR)
        for row, one in zip(self.calendars, hours, strict=False):
            if one is not None:
                row["first"] = row["at"] = starts[id(one.sittings)]
                row["last"] = row["first"] + len(one.sittings) - 1
                row["by_clock"] = one.by_clock

    def _book_size(self, limits: InstrumentLimits, notes: int) -> int:
        """Return the bytes of an instrument's book: a ladder, orders, or none."""
        if limits.level == BookLevel.ORDERS:
            return size_of_l3(limits.window, limits.l3_orders, self.spec.order_capacity)
        return size_of(limits.window, notes) if limits.level in LADDERS else 0

    def _fill_currencies(self) -> None:
        spec = self.spec
        priced = {i.base for i in spec.instruments if i.quote == spec.account.currency}
        for k, name in enumerate(self.currency_names):
            row = self.currencies[k]
            balance = spec.account.balances.get(name, 0)
            row["initial_atoms"] = row["balance_atoms"] = balance
            rate = PICO if k == 0 else spec.account.rates_pico.get(name, 0)
            row["rate_pico"] = rate
            if rate == 0 and name not in priced:
                raise ConfigError(
                    f"no rate from {name} to {spec.account.currency}: give account.rates: {{{name}: …}} "
                    f"or add an instrument {name}/{spec.account.currency}"
                )

    def _fill_market(self, i: int, instrument: Instrument, limits: InstrumentLimits) -> None:
        row = self.markets[i]
        account = self.spec.account
        row["tf_ns"] = limits.timeframe_ns
        row["index"], row["level"], row["mid_bars"] = i, limits.level, limits.mid_bars
        row["volume"] = -1 if limits.level == BookLevel.BARS else 0  # ticks: each match sets its own budget
        execution = self.spec.execution
        delayed = execution.latency_entry_ns + execution.latency_compute_ns > 0 or len(self.spec.latencies) > 0
        row["travels"] = delayed or limits.level != BookLevel.BARS
        row["currency"] = self.currency_names.index(instrument.quote)
        rated = instrument.quote == account.currency and instrument.base in self.currency_names[1:]
        if rated and instrument.base not in account.rates_pico:
            row["rate_of"] = 1 + self.currency_names.index(instrument.base)
        row["first_order"] = row["last_order"] = L.NONE
        row["key_up"], row["key_down"] = L.NEVER, -L.NEVER
        row["next_expiry"] = L.NEVER
        row["hours"] = self._hours_code(limits)
        for name, size in (("tick", instrument.tick_size), ("lot", instrument.lot_size)):
            num, den = size.as_integer_ratio()
            if num > FLOAT_EXACT or den > FLOAT_EXACT:
                raise ConfigError(f"{instrument.id}: {name}_size {size} is too fine or too coarse")
            row[f"{name}_num"], row[f"{name}_den"] = num, den
        row["tick_pico"] = int(instrument.tick_size * PICO)
        unit = instrument.atoms_per_tick_lot
        row["unit_num"], row["unit_den"] = unit.numerator, unit.denominator
        row["min_qty_lots"] = -(-instrument.min_qty // instrument.lot_size)
        # Bounds that keep price × quantity × unit inside int64 wherever it is formed exactly.
        row["max_price_ticks"] = FLOAT_EXACT
        row["max_qty_lots"] = min(limits.max_qty_lots, FLOAT_EXACT)
        row["max_notional_atoms"] = 2**62
        row["min_notional_atoms"] = int(instrument.min_notional * ATOMS_PER_UNIT)
        row["maker_nano"], row["taker_nano"] = limits.maker_nano, limits.taker_nano
        row["max_order_lots"] = limits.max_order_lots
        row["max_position_lots"] = limits.max_position_lots
        row["max_position_notional"] = limits.max_position_notional
        row["status"] = MarketStatus.LISTED if limits.listed else MarketStatus.UNLISTED
        self._fill_frames(i, instrument)

    @staticmethod
    def _hours_code(limits: InstrumentLimits) -> int:
        """Return 0 for 24/7, else what becomes of data outside the sessions; a book is never told in parts."""
        if limits.hours is None:
            return 0
        whole = limits.level in (BookLevel.DEPTH, BookLevel.ORDERS)
        return KEEP if whole or limits.hours.keeps_outside else DROP

    def _fill_frames(self, i: int, instrument: Instrument) -> None:
        """Fill an instrument's derived bars: by time, then by trades, lots, or price × quantity in tick-lots."""
        spec = self.spec
        n = len(spec.frames_ns) + len(spec.frames_by)
        rows = self.frames[i * n : (i + 1) * n]
        for row, frame_ns in zip(rows, spec.frames_ns, strict=False):
            row["tf_ns"], row["volume"] = frame_ns, -1
        units = {
            BarBy.TICK: Decimal(1),
            BarBy.VOLUME: instrument.lot_size,
            BarBy.NOTIONAL: instrument.lot_size * instrument.tick_size,
        }
        has_bars = spec.limits[i].level == BookLevel.BARS  # of which these are not made
        for row, (by, value) in zip(rows[len(spec.frames_ns) :], spec.frames_by, strict=True):
            size = int(-(-value // units[by]))
            if not (has_bars or 0 < size < 2**62):
                raise ConfigError(f"bars: {value:f} {by.name.lower()} is not a size that {instrument.id} can have")
            row["by"], row["size"], row["volume"] = by, 0 if has_bars else size, -1

    def _fill_strategies(self) -> None:
        n = len(self.spec.instruments)
        for k, strategy in enumerate(self.spec.strategies):
            row = self.strategies[k]
            row["params"], row["state"], row["state_size"] = self.offsets[k]
            row["sizing_value"] = strategy.sizing_value
            row["sizing_method"] = strategy.sizing_method
            row["enabled"] = 1
            row["portfolio"] = strategy.portfolio
            row["on_error"] = 2 if strategy.disable_on_error else 1
            for hook, address in strategy.addresses.items():
                self.hooks[k * len(Hook) + hook] = address
            for i in range(n) if strategy.instruments is None else strategy.instruments:
                self.used[k * n + i] = 1

    def _fill_engine(self) -> None:
        spec, row = self.spec, self.engine[0]
        row["next_order_id"] = row["next_fill_id"] = row["next_priority"] = 1
        row["next_frame_end"] = row["next_timer"] = row["next_local"] = L.NEVER
        row["next_sample"] = -L.NEVER
        row["local_view"] = any(limits.level != BookLevel.BARS for limits in spec.limits)
        row["rate_start"] = -L.NEVER
        row["has_hours"] = any(limits.hours is not None for limits in spec.limits)
        row["trading_state"] = TradingState.ACTIVE
        row["account_type"] = spec.account.account_type
        row["leverage_nano"] = spec.account.leverage_nano
        for name in spec.execution.__dataclass_fields__:
            row[name] = getattr(spec.execution, name)
        risk = spec.risk
        row["max_notional_atoms"] = risk.max_order_notional_atoms
        row["collar_nano"] = risk.price_collar_nano
        row["max_exposure_atoms"] = risk.max_exposure_atoms
        row["max_open_orders"] = risk.max_open_orders
        row["rate_orders"], row["rate_ns"] = risk.rate_orders, risk.rate_ns
        row["drawdown_limit_nano"] = risk.max_drawdown_nano
        row["on_breach"] = risk.on_breach
        row["source_hook"] = spec.call_source_bars
        for strategy in spec.strategies:
            for hook, address in strategy.addresses.items():
                row["tick_hooks"] |= (1 << hook) if address else 0
            if strategy.addresses.get(Hook.ON_ORDER):
                row["wants_reports"] |= ReportKind.ORDER
            if strategy.addresses.get(Hook.ON_FILL):
                row["wants_reports"] |= ReportKind.FILL
        row["equity_atoms"] = sum(
            int(c["balance_atoms"]) * int(c["rate_pico"]) // PICO for c in self.currencies
        )
        row["peak_atoms"] = row["trough_atoms"] = self.initial_atoms or 0

    @property
    def initial_atoms(self) -> int | None:
        """Return the equity that the run starts with, atoms; None where a balance gets its rate from a first price."""
        total = 0
        for k, name in enumerate(self.currency_names):
            balance = self.spec.account.balances.get(name, 0)
            rate = PICO if k == 0 else self.spec.account.rates_pico.get(name)
            if rate is None and balance != 0:
                return None
            total += balance * (rate or 0) // PICO
        return total

    def _build_world(self) -> Any:
        self._world_bytes = aligned(1, L.WORLD)
        world = struct_of(L.WORLD).from_address(self._world_bytes.ctypes.data)
        outputs = ("fills", "orders_out", "equity_out", "markouts_out", "fundings", "plots")
        for name in (*self.STATE, "hooks", "used", "scratch", "calendars", "sittings", *outputs):
            setattr(world, name, getattr(self, name).ctypes.data)
        world.latencies = self.latencies.ctypes.data
        world.n_latencies = len(self.spec.latencies)
        world.self_address = self._world_bytes.ctypes.data
        world.n_currencies = len(self.currency_names)
        world.n_instruments = len(self.spec.instruments)
        world.n_strategies = len(self.spec.strategies)
        world.n_portfolio = sum(s.portfolio for s in self.spec.strategies)
        world.order_mask = self.spec.order_capacity - 1
        world.request_capacity = self.spec.request_capacity
        world.report_mask = self.spec.report_capacity - 1
        world.n_frames = len(self.spec.frames_ns) + len(self.spec.frames_by)
        world.detail_capacity = self.spec.detail_capacity
        world.dues_capacity = len(self.dues)
        world.fundings_capacity = self.spec.output_capacity
        world.fills_capacity = world.orders_capacity = self.spec.output_capacity
        if self._plots_per_event:
            world.plots_capacity = len(self.plots)
            world.plots_limit = len(self.plots) - self._plots_per_event
        world.equity_capacity = self.spec.equity_capacity
        world.markout_capacity = len(self.markouts)
        return world

    @cached_property
    def address(self) -> int:
        """Return the address of WORLD: the first argument of `advance`."""
        return int(self._world_bytes.ctypes.data)

    @cached_property
    def engine_view(self) -> Any:
        """Return ENGINE with its fields as attributes, which read faster than those of an array."""
        return struct_of(L.ENGINE).from_address(self.engine.ctypes.data)

    @property
    def nbytes(self) -> int:
        """Return the size of the state in bytes (outputs and scratch not counted)."""
        return sum(getattr(self, name).nbytes for name in self.STATE)

    def snapshot(self) -> dict[str, bytes]:
        """Return a copy of the state's bytes."""
        return {name: getattr(self, name).tobytes() for name in self.STATE}

    def restore(self, snapshot: dict[str, bytes]) -> None:
        """Put a snapshot's bytes back."""
        for name in self.STATE:
            array = getattr(self, name)
            ctypes.memmove(array.ctypes.data, snapshot[name], array.nbytes)

    def hash(self) -> str:
        """Return the hash of the state's bytes and of their layout."""
        return hash_of({name: getattr(self, name).data for name in self.STATE})

    @property
    def has_outputs(self) -> bool:
        """Return whether output rows were written since the last `drain`."""
        world = self.world
        return any(getattr(world, f"n_{name}") for name in OUTPUTS)

    def drain(self) -> dict[str, Array]:
        """Return copies of the output rows written so far and reset the cursors."""
        world = self.world
        rows = {
            "fills": self.fills[: world.n_fills].copy(),
            "orders": self.orders_out[: world.n_orders].copy(),
            "equity": self.equity_out[: world.n_equity].copy(),
            "markouts": self.markouts_out[: world.n_markouts].copy(),
            "funding": self.fundings[: world.n_fundings].copy(),
            "plots": self.plots[: world.n_plots].copy(),
        }
        for name in OUTPUTS:
            setattr(world, f"n_{name}", 0)
        return rows

    def fold(self, events: Array) -> tuple[FoldCode, int]:
        """Fold events (EVENT records, contiguous); return why it stopped and the first index not applied."""
        # Short slices come one by one from a live feed, with cold caches: every Python object counts here.
        code, at = self._advance(self.address, events.ctypes.data, 0, len(events))
        return FOLD_CODES[code], at

    @cached_property
    def _advance(self) -> Callable[..., tuple[int, int]]:
        """Return the fold of this run's data, compiled."""
        from tradectl.engine.advance import advance, advance_bars

        return (advance if self.engine[0]["local_view"] else advance_bars).load()
