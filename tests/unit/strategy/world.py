"""A hand-made world for hooks: one engine, some markets, a loop that calls hooks and fills at the close.

It stands in for the engine: market orders fill at once at the last price, all others are only logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from tradectl.core import layout as L
from tradectl.core.codes import Hook
from tradectl.core.jit import DISABLE_JIT, prepare
from tradectl.core.layout import engine_at, market_at, position_at, report_at, request_at, world_at
from tradectl.core.records import call_hook, call_report_hook
from tradectl.strategy.compile import CompiledHooks
from tradectl.strategy.ctx_read import select_instrument
from tradectl.strategy.loader import LoadedStrategy, initial_state

HOUR = 3_600_000_000_000
CAPACITY = 1024
SUBMIT, MARKET = 1, 1


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.ctypes.data)


def _mix(h: int, value: int) -> int:
    return (h ^ (value & 0xFFFFFFFF)) * 16777619 & 0xFFFFFFFFFFFFF


def _apply(world: Any, digest: int, on_fill: int, p: int, s: int) -> int:
    """Log every request into the digest; fill market orders; tell the strategy."""
    engine = engine_at(world.engine, 0)
    done = 0
    while done < engine.n_requests:
        request = request_at(world.requests, done)
        done += 1
        digest = _mix(_mix(digest, request.order_id), request.qty_lots)
        digest = _mix(_mix(digest, request.price_ticks), request.trigger_ticks)
        digest = _mix(_mix(digest, request.tag), request.reason)
        digest = _mix(_mix(digest, request.kind * 8 + request.order_type), request.flags)
        digest = _mix(digest, request.side + 1 + 4 * request.instrument)
        if request.kind != SUBMIT or request.order_type != MARKET or request.reason != 0:
            continue
        market = market_at(world.markets, request.instrument)
        position = position_at(world.positions, request.instrument)
        position.lots += request.side * request.qty_lots
        position.cost_atoms += request.side * request.qty_lots * market.last
        if position.lots == 0:
            position.cost_atoms = 0
        if on_fill != 0:
            report = report_at(world.reports, 0)
            report.order_id = request.order_id
            report.price_ticks = market.last
            report.qty_lots = request.qty_lots
            report.side = request.side
            report.price = market.last * 0.01
            report.tag = request.tag
            if call_report_hook(on_fill, world.self_address, p, s, world.reports) != 0:
                return -1
    engine.n_requests = 0
    return digest


def _run(address: int, bars: Any, hooks: Any, p: int, s: int, s_size: int, n: int) -> int:
    """Feed bars (rows: open, high, low, close, volume; instrument by instrument) to the hooks; -1: one raised."""
    world = world_at(address, 0)
    engine = engine_at(world.engine, 0)
    on_bar, on_batch, on_fill = hooks[1], hooks[2], hooks[4]
    digest = 1469598103
    for t in range(len(bars) // n):
        engine.now += 3_600_000_000_000
        for i in range(n):
            bar = bars[t * n + i]
            market = market_at(world.markets, i)
            market.ts_event = engine.now
            market.open, market.high, market.low, market.close, market.volume = (
                bar[0],
                bar[1],
                bar[2],
                bar[3],
                bar[4],
            )
            market.last = bar[3]
            market.has_price = 1
        for i in range(n):
            if on_bar != 0:
                select_instrument(world, i)
                if call_hook(on_bar, address, p, s + i * s_size) != 0:
                    return -1
                digest = _apply(world, digest, on_fill, p, s + i * s_size)
        if on_batch != 0:
            select_instrument(world, 0)
            if call_hook(on_batch, address, p, s) != 0:
                return -1
            digest = _apply(world, digest, on_fill, p, s)
        if digest < 0:
            return -1
    return digest


if not DISABLE_JIT:
    prepare()  # numba is used directly here
    _mix = numba.njit(forceinline=True)(_mix)
    _apply = numba.njit(_apply)
    run = numba.njit(_run)
else:
    run = _run


def bars_like_a_market(n: int, seed: int = 7, start: int = 100_000) -> np.ndarray[Any, Any]:
    """Return (n, 5) int64 bars of a random walk: open, high, low, close in ticks, volume in lots."""
    rng = np.random.default_rng(seed)
    close = start + np.cumsum(rng.integers(-60, 61, n))
    close = np.abs(close) + 1_000
    open_ = np.concatenate(([start], close[:-1]))
    high = np.maximum(open_, close) + rng.integers(0, 40, n)
    low = np.minimum(open_, close) - rng.integers(0, 40, n)
    return np.stack([open_, high, low, close, rng.integers(1, 10_000, n)], axis=1).astype(np.int64)


@dataclass
class World:
    """The records and the addresses of one run."""

    n: int
    account_type: int = 1

    def __post_init__(self) -> None:
        n = self.n
        self.parts = {
            "engine": np.zeros(1, L.ENGINE), "currencies": np.zeros(1, L.CURRENCY), "markets": np.zeros(n, L.MARKET),
            "positions": np.zeros(n, L.POSITION), "orders": np.zeros(CAPACITY, L.ORDER),
            "requests": np.zeros(CAPACITY, L.REQUEST), "reports": np.zeros(16, L.REPORT),
            "strategies": np.zeros(1, L.STRATEGY), "frames": np.zeros(n, L.FRAME),
        }  # fmt: skip
        self.world = np.zeros(1, L.WORLD)
        for name, array in self.parts.items():
            self.world[name] = _address(array)
        self.world["self_address"] = _address(self.world)
        sizes = {"n_currencies": 1, "n_instruments": n, "n_strategies": 1, "order_mask": CAPACITY - 1}
        sizes |= {"request_capacity": CAPACITY, "report_mask": 15, "cursor_frame": -1}
        for name, value in sizes.items():
            self.world[name] = value
        engine, markets = self.parts["engine"], self.parts["markets"]
        engine["equity_atoms"] = engine["peak_atoms"] = 10**13
        engine["leverage_nano"] = 10**9
        engine["account_type"] = self.account_type
        engine["trading_state"] = 1
        engine["next_order_id"] = 1
        self.parts["currencies"]["balance_atoms"] = 10**13
        self.parts["currencies"]["rate_pico"] = 10**12
        markets["tf_ns"] = HOUR
        for name, value in (("status", 1), ("tick_num", 1), ("tick_den", 100), ("lot_num", 1), ("lot_den", 10_000),
                            ("unit_num", 100), ("unit_den", 1), ("first_order", -1), ("last_order", -1),
                            ("min_qty_lots", 1), ("max_qty_lots", 10**15), ("max_price_ticks", 10**12)):  # fmt: skip
            markets[name] = value
        self.parts["strategies"]["sizing_method"] = 3
        self.parts["strategies"]["sizing_value"] = 950_000_000
        self.parts["strategies"]["enabled"] = 1

    def fold(
        self, loaded: LoadedStrategy, hooks: CompiledHooks, bars: np.ndarray[Any, Any]
    ) -> tuple[int, bytes]:
        """Run all bars; return (digest of the requests, bytes of state, positions and engine)."""
        params = np.frombuffer(bytearray(loaded.params_bytes()), np.uint8)
        state = np.frombuffer(bytearray(initial_state(loaded, self.n)), np.uint8)
        addresses = np.zeros(len(Hook), np.int64)
        for hook, address in hooks.addresses.items():
            addresses[hook] = address
        world, size = _address(self.world), loaded.state_dtype.itemsize
        self.world["blob"] = _address(state)
        self.parts["strategies"]["state_size"] = size
        self.parts["strategies"]["portfolio"] = loaded.is_portfolio
        if addresses[Hook.ON_START]:
            select_instrument(world_at(world, 0), 0)
            start = self._call_start(int(addresses[Hook.ON_START]), world, _address(params), _address(state))
            assert start == 0
        digest = run(world, bars, addresses, _address(params), _address(state), size, self.n)
        rest = b"".join(self.parts[name].tobytes() for name in ("positions", "engine", "markets"))
        return int(digest), state.tobytes() + rest

    def _call_start(self, address: int, world: int, params: int, state: int) -> int:
        return int(_start(address, world, params, state))


def _start(address: int, world: int, params: int, state: int) -> int:
    return call_hook(address, world, params, state)


if not DISABLE_JIT:
    _start = numba.njit(_start)
