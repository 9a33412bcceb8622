"""Vendors' messages replayed as orders through the fold: best prices, depth and own orders."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.oracle.l3_oracle import L3Oracle, Own
from tests.real.ladder_fold import read_rows
from tests.unit.engine.l3_world import L3World
from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Command, EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.l3_check import validate_l3
from tradectl.engine.advance import advance
from tradectl.engine.host import command_event
from tradectl.engine.spec import RunSpec
from tradectl.engine.state import State

LOBSTER = Path(__file__).parents[3] / "shared" / "data" / "lobster"
pytestmark = pytest.mark.skipif(not LOBSTER.is_dir(), reason="../shared/data/lobster is not there")

ADD, CANCEL, EXEC = EventKind.ORDER_ADD, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC
KINDS = {1: ADD, 2: CANCEL, 3: CANCEL, 4: EXEC, 5: EventKind.TRADE}  # LOBSTER's types of message
MESSAGE = ("time", "type", "order", "size", "price", "direction")
CENT = 100  # LOBSTER's prices are in 1/10,000 dollars
MOST = 3_000 if DISABLE_JIT else 1 << 62


def file_of(folder: str, what: str) -> Path:
    return next((LOBSTER / folder).glob(f"*_{what}_*"))


def table(folder: str, what: str) -> pl.DataFrame:
    found = pl.read_csv(file_of(folder, what), has_header=False)
    return found.rename(dict(zip(found.columns, MESSAGE, strict=True))) if what == "message" else found


def as_orders(messages: pl.DataFrame) -> np.ndarray:
    """Write messages as events, just as they are: orders older than the file are not known."""
    kind, size, price = (messages[name].to_numpy() for name in ("type", "size", "price"))
    events = empty_events(messages.height)
    events["ts_event"] = events["ts_recv"] = np.rint(messages["time"].to_numpy() * 1e9).astype(np.int64)
    events["kind"] = [int(KINDS.get(k, EventKind.MARK)) for k in kind.tolist()]
    events["side"] = np.where(kind == 5, -1, 1) * messages["direction"].to_numpy()
    events["flags"] = int(EventFlag.MESSAGE_END) + np.where(kind == 5, int(EventFlag.HIDDEN), 0)
    orders = kind <= 4
    assert not (price[orders] % CENT).any()
    events["w0"] = price // CENT
    events["w1"] = np.where(kind == 3, 0, size)
    events["w2"] = messages["order"].to_numpy()
    return events


def touches(world: L3World, events: np.ndarray) -> np.ndarray:
    """Fold events one by one; return bid, bid lots, ask, ask lots after each (n, 4)."""
    venue = world.state.venues[:1]
    names = [venue[name] for name in ("bid", "bid_lots", "ask", "ask_lots")]
    found = np.zeros((len(events), 4), np.int64)
    for k in range(len(events)):
        code, _ = advance(world.state.address, events.ctypes.data, k, k + 1)
        assert code == 0, (k, code)
        found[k] = [name[0] for name in names]
    return found


def quiet_world(**limits: int) -> L3World:
    world = L3World(**limits)
    world.state.engine[0]["sample_ns"] = 10**18
    return world


def matches(deep: pl.DataFrame, shallow: pl.DataFrame) -> list[tuple[int, int]]:
    """Pair the rows of two files that are the same message, in order."""
    rows = deep.rows()
    at, pairs = 0, []
    places: dict[tuple, list[int]] = {}
    for k, row in enumerate(rows):
        places.setdefault(row, []).append(k)
    for k, row in enumerate(shallow.rows()):
        place = next((p for p in places.get(row, []) if p >= at), None)
        if place is not None:
            pairs.append((place, k))
            at = place + 1
    return pairs


def test_messages_replayed_as_orders_give_the_best_prices() -> None:
    """AAPL's level-50 messages against the level-1 file, at the messages that both have.

    Where they differ the file shows a better price: an order that is older than the file. But for a few rows:
    there an order of 100 lots is still known whose end lay beyond the 50 levels that the file tells of.
    """
    deep, shown = table("AAPL_L50_1h", "message").head(MOST), table("AAPL_2012-06-21_1", "orderbook").to_numpy()
    pairs = matches(deep, table("AAPL_2012-06-21_1", "message"))
    world = quiet_world(window=1 << 14, l3_orders=65_536)
    found = touches(world, as_orders(deep))
    validate_l3(world.state.books)
    after, rows = np.array([p for p, _ in pairs]), np.array([k for _, k in pairs])
    ask, bid = shown[rows, 0] // CENT, shown[rows, 2] // CENT
    same = (found[after, 0] == bid) & (found[after, 2] == ask)
    assert DISABLE_JIT or len(pairs) > 15_000
    assert same.mean() >= (0.95 if DISABLE_JIT else 0.996), (same.mean(), len(pairs))
    older = (found[after, 0] < bid) | (found[after, 2] > ask)
    assert np.count_nonzero(~same & ~older) <= 15
    assert world.venue["n_unknown"] > 0
    assert world.venue["n_spent"] == 0


@pytest.mark.parametrize(("folder", "unknown"), [("AMZN_2012-06-21_5", 581), ("AMZN_2012-06-21_1", 994)])
def test_a_seeded_book_has_the_best_level_of_every_row(folder: str, unknown: int) -> None:
    """Beside it: executions of orders that were placed out of sight, and that no nameless order stands for."""
    rows = read_rows("lobster", [file_of(folder, "message")], **{"as": "orders"})["AMZN"].head(MOST)
    events = empty_events(rows.height)
    for name, column in (
        ("ts_event", "ts_event"), ("ts_recv", "ts_recv"), ("kind", "kind"), ("side", "side"), ("flags", "flags"),
        ("w2", "id"),
    ):  # fmt: skip
        events[name] = rows[column].to_numpy()
    events["w0"] = np.rint(rows["price"].to_numpy() * 10_000).astype(np.int64)
    events["w1"] = rows["qty"].to_numpy().astype(np.int64)
    world = quiet_world(window=1 << 17, l3_orders=65_536)
    found = touches(world, events)
    shown = table(folder, "orderbook").to_numpy()
    after = np.searchsorted(rows["row"].to_numpy(), np.arange(1, len(shown) + 1), "right") - 1
    whole = len(shown) if rows.height < MOST else int(rows["row"][-1]) - 1
    shown, after = shown[:whole], after[:whole]
    for column, best in ((0, 2), (1, 3), (2, 0), (3, 1)):  # ask, its size, bid, its size
        side = shown[:, column | 1] > 0  # without orders the file has a price of its own
        assert (shown[side, column] == found[after[side], best]).all(), column
        assert (found[after[~side], best | 1] == 0).all()
    assert DISABLE_JIT or world.venue["n_unknown"] == unknown
    assert world.venue["n_crossed"] == 0


def test_own_orders_among_real_ones_fill_as_the_oracle_says() -> None:
    """AAPL's first messages with an own order every now and then, near the touch and far from it."""
    names = {ADD: "ADD", CANCEL: "CANCEL", EXEC: "EXEC"}
    world, oracle, draw = L3World(l3_orders=4096), L3Oracle(), random.Random(7)
    events = as_orders(table("AAPL_L50_1h", "message").head(1_000 if DISABLE_JIT else 2_000))
    for event in events:
        kind, side, price, lots, key = (int(event[name]) for name in ("kind", "side", "w0", "w1", "w2"))
        if kind not in names:
            continue
        world.event(kind, side, price, lots, key)
        oracle.message(names[kind], side, price, lots, key)
        touch = oracle.touch(1), oracle.touch(-1)
        if None not in touch and draw.random() < 0.05:
            side = draw.choice((1, -1))
            own = touch[(1 - side) // 2]
            limit, lots = draw.choice((own, own, own + draw.randint(-5, 5), touch[0])), draw.randint(1, 300)
            key = world.submit(side, lots, limit)
            oracle.pending.append(("submit", Own(key, side, lots, limit)))
    assert world.fills == oracle.fills
    assert len(oracle.fills) > 50
    assert {how for _, _, _, _, how, _ in oracle.fills} == {5, 6, 7}
    for side, rows in zip((1, -1), world.book(), strict=True):
        assert [row[1] for row in rows] == [entry.price for entry in oracle.queue(side)]
    assert (world.venue["n_unknown"], world.venue["n_spent"]) == (oracle.unknown, oracle.spent)


MAKER = """
strategy:
  path: {strategies}/market_maker.py
  params: {{model: glft, gamma: 0.002, qty: 100, max_inventory: 10, requote_ticks: 2, interval: 0.2}}
data: {{source: {data}, kind: book, profile: lobster, options: {{as: orders}}}}
account: {{type: margin, currency: USD, balance: 1000000, leverage: 4}}
execution: {{latency: {{entry: 1ms, response: 1ms}}}}
"""


def shown_touches(spec: RunSpec, events: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int, int]], State]:
    """Fold event by event; return bid and ask after each, and of every fill the event and the touch told with it."""
    state = State(spec)
    state.fold(command_event(Command.START, int(events["ts_recv"][0])))
    touch, fills = np.zeros((len(events), 2), np.int64), []
    bid, ask = state.venues["bid"][:1], state.venues["ask"][:1]
    for k in range(len(events)):
        assert advance(state.address, events.ctypes.data, k, k + 1)[0] == 0
        touch[k] = bid[0], ask[0]
        if state.world.n_fills or state.world.n_orders > 1000 or state.world.n_equity > 1000:
            fills += [(k, int(f["bid"]), int(f["ask"])) for f in state.drain()["fills"]]
    return touch, fills, state


def test_a_market_maker_sees_the_recorded_touch(tmp_path: Path) -> None:
    """AMZN's day with the market maker in it: the touch is the recording's but where its orders used one up."""
    config = tmp_path / "maker.yaml"
    folder = Path(__file__).parents[2]
    config.write_text(MAKER.format(strategies=folder / "strategies", data=LOBSTER / "AMZN_2012-06-21_5"))
    wired = wire(load_config(config, env={}))
    rows = np.concatenate(list(wired.chunks(65_536)))[:MOST]
    events = empty_events(len(rows))
    events[:] = rows
    nobody = [replace(one, addresses={}) for one in wired.spec.strategies]
    recorded, none, _ = shown_touches(replace(wired.spec, strategies=nobody), events)
    seen, fills, state = shown_touches(wired.spec, events)
    assert not none
    other = sum((bid, ask) != tuple(recorded[k - 1].tolist()) for k, bid, ask in fills)
    strayed = (seen != recorded).any(axis=1).mean()
    if not DISABLE_JIT:
        assert len(fills) > 1_000
        assert state.venues[0]["n_remainders"] > 100
    assert other <= 0.03 * len(fills), (other, len(fills))
    assert strayed < 0.03
    assert abs(state.venues[0]["n_strayed"] / state.venues[0]["n_messages"] - strayed) < 0.003
