"""The planted mutants: a text of a kernel and what stands in its place; each old text occurs exactly once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EVERYTHING", "MUTANTS", "Mutant"]

FOLD = (
    "tests/golden", "tests/unit/risk", "tests/unit/engine/test_accounts.py", "tests/unit/engine/test_paths.py",
    "tests/unit/engine/test_sessions.py", "tests/property/test_kernel_equals_oracle.py",
)  # fmt: skip
BOOK, MONEY = ("tests/property/test_book.py",), ("tests/property/test_money.py",)
TICKS = ("tests/golden_ticks/test_golden_ticks.py", "tests/property/test_ticks_equal_oracle.py")
EVERYTHING = (*FOLD, *BOOK, *MONEY, *TICKS)
TICK_FILES = (
    "core/taking.py", "core/resting.py", "core/prints.py", "core/latency.py", "core/queues/", "engine/ticks.py",
    "engine/arrivals.py", "engine/local.py",
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault: a file of the package, the text that goes, the text that comes."""

    path: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """Return a short name for reports."""
        return f"{self.path}: {self.old.strip().splitlines()[0][:60]} => {self.new.strip()[:60]}"

    @property
    def suites(self) -> tuple[str, ...]:
        """Return the tests that must notice it."""
        if self.path.startswith("core/book"):
            return BOOK
        if self.path.startswith(TICK_FILES):
            return TICKS
        if self.path in ("core/orders.py", "core/calendars.py"):
            return (*TICKS, *FOLD)
        return MONEY if self.path == "core/money.py" else FOLD


def of(path: str, *changes: tuple[str, str]) -> list[Mutant]:
    """Make the mutants of one file."""
    return [Mutant(path, old, new) for old, new in changes]


MUTANTS = [
    *of(
        "core/bars.py",
        (
            "return bar.high - bar.open < bar.open - bar.low",
            "return bar.high - bar.open <= bar.open - bar.low",
        ),
        ("order.ts_arrival <= market.start", "order.ts_arrival < market.start"),
        ("return side * price_ticks <= side * limit_ticks", "return side * price_ticks < side * limit_ticks"),
        (
            "stop = order.order_type == STOP_MARKET or order.order_type == STOP_LIMIT",
            "stop = order.order_type == STOP_MARKET",
        ),
        ("position.opened_batch == engine.batch", "position.opened_batch != engine.batch"),
        (
            "if position.lots * order.side < 0:\n        return False",
            "if position.lots * order.side <= 0:\n        return False",
        ),
        (
            "order.side * price >= order.side * order.trigger_ticks",
            "order.side * price > order.side * order.trigger_ticks",
        ),
        (
            "reached = order.side * price < order.side * order.price_ticks",
            "reached = order.side * price <= order.side * order.price_ticks",
        ),
        (
            "at = price if engine.limit_gap_open else order.price_ticks",
            "at = order.price_ticks if engine.limit_gap_open else price",
        ),
        ("order.leaves_lots <= abs(position.lots)", "order.leaves_lots < abs(position.lots)"),
        ("(0 if engine.limit_touch else direction)", "(direction if engine.limit_touch else 0)"),
        ("if market.volume < 0 or market.budget > 0:", "if market.volume < 0 or market.budget > 1:"),
        ("direction * level < direction * at", "direction * level <= direction * at"),
        (
            "level = max(level, current) if up else min(level, current)",
            "level = level if up else min(level, current)",
        ),
        (
            "walk_leg(world, engine, market, price_ticks, price_ticks, True)",
            "walk_leg(world, engine, market, price_ticks, price_ticks, False)",
        ),
        ("market.budget = muldiv_floor(", "market.budget = 1 + muldiv_floor("),
    ),
    *of(
        "core/execute.py",
        ("return max(price_ticks + side * slip, 1)", "return max(price_ticks - side * slip, 1)"),
        (
            "slip += muldiv_ceil(price_ticks, engine.slip_nano, NANO)",
            "slip += muldiv_floor(price_ticks, engine.slip_nano, NANO)",
        ),
        (
            "share = muldiv_floor(lots, MICRO, market.volume)",
            "share = muldiv_ceil(lots, MICRO, market.volume)",
        ),
        (
            "reason = FOK_UNFILLED if order.time_in_force == FOK",
            "reason = FOK_UNFILLED if order.time_in_force != FOK",
        ),
        ("elif order.leaves_lots > abs(position.lots):", "elif order.leaves_lots > abs(position.lots) + 1:"),
        ("if position.lots * order.side >= 0:", "if position.lots * order.side > 0:"),
        (
            "available = available_atoms(engine, currency) + order.reserve_atoms",
            "available = available_atoms(engine, currency)",
        ),
        ("if paid < opening else (lots, 0)", "if paid < opening - 1 else (lots, 0)"),
        (
            "rate = market.taker_nano if liquidity == TAKER else market.maker_nano",
            "rate = market.maker_nano if liquidity == TAKER else market.taker_nano",
        ),
        (
            "order.ts_last = market.start if phase == AT_OPEN or phase >= BOOK else engine.now",
            "order.ts_last = engine.now",
        ),
        ("        market.budget -= lots\n", "        market.budget -= 0\n"),
        (
            "release_reserves(world, engine, currency, order, order.leaves_lots)",
            "release_reserves(world, engine, currency, order, order.leaves_lots + lots)",
        ),
        (
            "if immediate:\n            expire(world, engine, market, currency, slot)\n        return\n    reason",
            "if False:\n            expire(world, engine, market, currency, slot)\n        return\n    reason",
        ),
        (
            "side < 0 and lots > position.lots:\n        lots, reason",
            "side < 0 and lots > position.lots + 1:\n        lots, reason",
        ),
        (
            "price = min(price, cap_ticks) if order.side > 0",
            "price = max(price, cap_ticks) if order.side > 0",
        ),
        ("            engine.n_live -= 1\n", "            engine.n_live -= 0\n"),
    ),
    *of(
        "core/orders.py",
        ("if order.id == order_id and is_live(order):", "if is_live(order):"),
        ("order_at(world.orders, slot).priority <= priority", "order_at(world.orders, slot).priority < priority - 1"),
        ("engine.next_priority += 1", "engine.next_priority += 0"),
        (
            "exposure = 0 if leaves == 0 else muldiv_ceil(",
            "exposure = 0 if leaves == 0 else 1 + muldiv_ceil(",
        ),
        ("engine.reserved_atoms += reserve - order.reserve_atoms", "engine.reserved_atoms += reserve"),
        ("    hold_lots(world, order, leaves - held)\n", ""),
        (
            "market.key_up = min(market.key_up, order.trigger_ticks)",
            "market.key_up = min(market.key_up, order.trigger_ticks + 1)",
        ),
        (
            "market.key_down = max(market.key_down, order.price_ticks)",
            "market.key_down = max(market.key_down, order.price_ticks - 2)",
        ),
        ("        market.last_order = order.prev\n", "        market.last_order = order.next\n"),
    ),
    *of(
        "core/account.py",
        (
            "return notional_ceil(price_ticks, lots, market.unit_num",
            "return notional_floor(price_ticks, lots, market.unit_num",
        ),
        (
            "released = muldiv_floor(abs(position.cost_atoms), closed, held)",
            "released = muldiv_ceil(abs(position.cost_atoms), closed, held)",
        ),
        (
            "closing_notional = notional if closed == lots else muldiv_floor(",
            "closing_notional = notional if closed == lots else muldiv_ceil(",
        ),
        ("realised = -side * closing_notional - released", "realised = side * closing_notional - released"),
        ("currency.balance_atoms += -side * notional - fee", "currency.balance_atoms += -side * notional"),
        (
            "was_flat_or_flipped = position.lots == 0 or (closed > 0 and closed < lots)",
            "was_flat_or_flipped = position.lots == 0",
        ),
        (
            "return muldiv_floor(market.margin_atoms, min(closed, net), net)",
            "return muldiv_floor(market.margin_atoms, 0, net)",
        ),
        ("return min(abs(position_lots), lots)", "return abs(position_lots)"),
    ),
    *of(
        "core/buying.py",
        ("if flags & REDUCE_ONLY:\n        return 0", "if flags & REDUCE_ONLY:\n        return lots"),
        ("return currency.balance_atoms - currency.reserved_atoms", "return currency.balance_atoms"),
        (
            "return engine.equity_atoms - engine.margin_atoms - engine.reserved_atoms",
            "return engine.equity_atoms - engine.reserved_atoms",
        ),
        ("        return notional + fee\n", "        return notional\n"),
        ("        guess += 1\n", "        return guess\n"),
    ),
    *of(
        "core/validate.py",
        ("if lots < market.min_qty_lots:", "if lots <= market.min_qty_lots:"),
        ("if lots > market.max_qty_lots:", "if lots >= market.max_qty_lots:"),
        ("if price_ticks <= 0:", "if price_ticks < 0:"),
        ("if trigger_ticks > market.max_price_ticks:", "if trigger_ticks >= market.max_price_ticks:"),
        ("notional < market.min_notional_atoms and", "notional <= market.min_notional_atoms and"),
        ("order_type != LIMIT or time_in_force == IOC or", "order_type != LIMIT or"),
    ),
    *of(
        "core/calendars.py",
        ("sitting_at(world.sittings, at).close <= ts:", "sitting_at(world.sittings, at).close < ts:"),
        ("        return -1 if market.hours == DROP else start", "        return start"),
        ("    return max(start, opens)", "    return start"),
        ("return ts < sitting_at(world.sittings, row).open", "return ts <= sitting_at(world.sittings, row).open"),
        ("sitting_at(world.sittings, before).close > start", "sitting_at(world.sittings, before).close > end"),
        ("group = (sitting.number + MONDAY) // days", "group = sitting.number // days"),
        ("        return min(clock_end(ts, tf_ns), sitting.close)", "        return clock_end(ts, tf_ns)"),
        ("    return min(sitting.open + clock_end(ts - sitting.open, tf_ns), sitting.close)",
         "    return sitting.open + clock_end(ts - sitting.open, tf_ns)"),
        ("        return min(clock_end(ts, tf_ns), sitting.open)", "        return sitting.close"),
        ("    return max(sitting_end(world, market, row, tf_ns, inside), market.ts_event)",
         "    return sitting_end(world, market, row, tf_ns, inside)"),
    ),
    *of(
        "engine/batch.py",
        ("if market.next_expiry <= market.start:", "if market.next_expiry < market.start:"),
        ("market, market.ts_event - 1)", "market, market.start)"),
        ("if market.next_expiry <= market.ts_event:", "if market.next_expiry < market.ts_event:"),
    ),
    *of(
        "engine/submit.py",
        ("wrong = order.expires <= engine.now if", "wrong = order.expires < engine.now if"),
        ("    elif order.time_in_force != GTD:", "    else:"),
    ),
    *of(
        "core/orders.py",
        ("return min(arrives_at(order), order.expires - 1)", "return min(arrives_at(order), order.expires)"),
        ("        if at <= until:\n            lapse", "        if at < until:\n            lapse"),
        ("reason = TIME_ENDED if order.time_in_force == GTD", "reason = TIME_ENDED if order.time_in_force != GTD"),
    ),
    *of(
        "risk/gate.py",
        ("if total_lots > market.max_order_lots:", "if total_lots >= market.max_order_lots:"),
        ("return abs(price_ticks - last_ticks) <=", "return abs(price_ticks - last_ticks) <"),
        ("if abs(worst) > market.max_position_lots:", "if abs(worst) >= market.max_position_lots:"),
        (
            "engine.gross_atoms + engine.exposure_atoms + exposure > engine",
            "engine.gross_atoms + exposure > engine",
        ),
        ("if need > available and need > 0:", "if need >= available and need > 0:"),
        ("if engine.n_live >= engine.max_open_orders:", "if engine.n_live > engine.max_open_orders:"),
        ("if engine.rate_count >= engine.rate_orders:", "if engine.rate_count > engine.rate_orders:"),
        (
            "engine.now - engine.rate_start >= engine.rate_ns",
            "engine.now - engine.rate_start > engine.rate_ns",
        ),
        ("if engine.trading_state != ACTIVE and not reducing:", "if engine.trading_state != ACTIVE:"),
        (
            "        reference += muldiv_ceil(reference, engine.collar_nano, NANO)\n",
            "        reference += 0\n",
        ),
        (
            "to_account(notional, currency.rate_pico) > engine",
            "to_account(notional, currency.rate_pico) >= engine",
        ),
    ),
    *of(
        "engine/paths.py",
        ("if (engine.path == ADVERSE and other < own)", "if (engine.path == ADVERSE and other > own)"),
        ("    return above and below\n", "    return False\n"),
        ("            if k > 0:  # what a jump", "            if k > 99:  # what a jump"),
        (
            "same_outcome(world, instrument, second) and not exits_rival(world, engine, bar, area):",
            "same_outcome(world, instrument, second):",
        ),
        ("                    if acted and not whole:", "                    if acted:"),
        ("                    if acted and not whole:", "                    if not whole:"),
        ("    return bar.low <= level <= bar.high\n", "    return bar.low < level <= bar.high\n"),
        (
            "order.price_ticks - (0 if engine.limit_touch else order.side)",
            "order.price_ticks + (0 if engine.limit_touch else order.side)",
        ),
        (
            "same = limit.side == stop.side and limit.strategy == stop.strategy",
            "same = limit.strategy == stop.strategy",
        ),
        (
            "same = limit.side == stop.side and limit.strategy == stop.strategy",
            "same = limit.side == stop.side",
        ),
        (
            "        if market.volume >= 0 and market.budget == 0:\n            return False\n"
            "        level = order.price_ticks -",
            "        level = order.price_ticks -",
        ),
        (
            "if market.high < market.key_up and market.low > market.key_down:",
            "if market.high <= market.key_up and market.low >= market.key_down:",
        ),
        ("if fill.instrument == instrument:", "if fill.instrument != instrument:"),
    ),
    *of(
        "engine/change.py",
        ("if moved or order.qty_lots > qty:", "if moved or order.qty_lots >= qty:"),
        ("if code == 0 and left <= 0:", "if code == 0 and left < 0:"),
        ("(due == at and order.id < found_id)", "(due == at and order.id > found_id)"),
        ("order.flags &= ~(MARKETABLE | RESTED)", "order.flags &= ~MARKETABLE"),
        ("    release_reserves(world, engine, currency, order, still_held)\n", ""),
    ),
    *of(
        "engine/batch.py",
        ("range(1, -1, -1)", "range(0, 2)"),
        (
            "muldiv_ceil(peak - equity, NANO, peak) > engine",
            "muldiv_ceil(peak - equity, NANO, peak) >= engine",
        ),
        ("    engine.trading_state = HALTED\n", "    engine.trading_state = REDUCING\n"),
        ("request.side = -1 if position.lots > 0 else 1", "request.side = 1 if position.lots > 0 else -1"),
    ),
    *of(
        "engine/submit.py",
        ("other.side == -order.side", "other.side == order.side"),
        ("if arrived and opposite and other.flags & REDUCE_ONLY == 0:", "if arrived and opposite:"),
        (
            "order.side * market.last < order.side * order.price_ticks",
            "order.side * market.last <= order.side * order.price_ticks",
        ),
    ),
    *of(
        "core/money.py",
        ("        if rest + bit >= room:", "        if rest + bit > room:"),
        (
            "return -quotient - (1 if up == 0 and not exact else 0)",
            "return -quotient - (1 if up == 1 and not exact else 0)",
        ),
        (
            "    if up == 1 and not exact and quotient < INT64_MAX:",
            "    if up == 1 and not exact and quotient < 0:",
        ),
        ("return whole * rate_nano + quotient + (1 if", "return whole * rate_nano + quotient + (0 if"),
        ("rest = rest + bit - room", "rest = rest - room"),
    ),
    *of(
        "core/book_match.py",
        ("            fill = min(resting, qty_lots)\n", "            fill = qty_lots\n"),
        (
            "while qty_lots > 0 and (limit_level - level) * side >= 0:\n        place",
            "while qty_lots > 0 and (limit_level - level) * side > 0:\n        place",
        ),
        ("place.qty_lots = place.qty_lots - (before - qty_lots)", "place.qty_lots = place.qty_lots - before"),
        (
            "return best != NO_PRICE and (limit_ticks - best) * side >= 0",
            "return best != NO_PRICE and (limit_ticks - best) * side > 0",
        ),
        ("    return qty_lots <= 0\n", "    return qty_lots < 0\n"),
        (
            "best = max(best, order.price_ticks) if index == 0",
            "best = min(best, order.price_ticks) if index == 0",
        ),
    ),
    *of(
        "core/book.py",
        (
            "if price_ticks != order.price_ticks or qty_lots > order.qty_lots:",
            "if price_ticks != order.price_ticks or qty_lots >= order.qty_lots:",
        ),
        (
            "place.qty_lots = place.qty_lots - (order.qty_lots - qty_lots)",
            "place.qty_lots = place.qty_lots - order.qty_lots",
        ),
        ("if (level - state.best[1 - index]) * side < 0:", "if (level - state.best[1 - index]) * side <= 0:"),
    ),
    *of(
        "core/book_window.py",
        (
            "    order.prev = tail\n    order.next = 0\n    place.tail = slot",
            "    order.prev = 0\n    order.next = 0\n    place.tail = slot",
        ),
        ("state.best[0] = level_below(book, level)", "state.best[0] = level_below(book, level) - 1"),
    ),
    *of(
        "core/taking.py",
        ("return shown if note == NO_NOTE else max(shown - note_at(ladder, note).lots, 0)", "return shown"),
        ("side * price_ticks <= side * limit_ticks", "side * price_ticks < side * limit_ticks"),
        ("        worst = price\n        price = shown_next", "        price = shown_next"),
        ("    record.lots += lots\n", "    record.lots = lots\n"),
        ("        worst += order.side * engine.l1_leftover_ticks\n", ""),
    ),
    *of(
        "core/resting.py",
        ("math.floor(0.5 - order.front)", "math.floor(-order.front)"),
        ("            given += order.filled_lots - before", "            given += 0"),
        ("        left = max(lots - given, 0)", "        left = lots"),
        ("front = UNKNOWN_FRONT if behind else 0.0", "front = 0.0"),
        ("late = venue.ts_event < venue.ts_trade", "late = False"),
        ("min(record.lots - max(after - record.value, 0), after)", "min(record.lots, after)"),
        ("    record.value = after\n    venue.touched = TOUCH\n", "    record.value = after\n"),
        ("if touched and aggressor != side:", "if touched:"),
        ("        if free_at(ladder, index, price) > 0:", "        if free_at(ladder, index, price) >= 0:"),
        ("beyond > 0 or (beyond == 0 and not strictly)", "beyond > 0 or beyond == 0"),
        ("side * (order.price_ticks - at) > 0:", "side * (order.price_ticks - at) < 0:"),
        ("            if not late:\n                record.value = 0", "            record.value = 0"),
    ),
    *of(
        "core/prints.py",
        ("better > 0 or (better == 0", "better >= 0 or (better == 0"),
        ("    first = order.flags & (RESTED | POST_ONLY) == 0", "    first = order.flags & RESTED == 0"),
        ("            room -= act_on_print(", "            act_on_print("),
        ("price = price_ticks if taker else order.price_ticks", "price = price_ticks"),
    ),
    *of(
        "core/latency.py",
        ("muldiv_floor(ts - begun, second", "muldiv_floor(ended - ts, second"),
        ("    if ts <= begun or ended <= begun:", "    if ended <= begun:"),
        ("return engine.latency_compute_ns + engine.latency_entry_ns", "return engine.latency_entry_ns"),
    ),
    *of(
        "core/queues/__init__.py",
        ("cancelled = float(before - after - traded)", "cancelled = float(before - after)"),
        ("return moved if moved < after else float(after)", "return moved"),
        ("front - (1.0 - p) * cancelled", "front - p * cancelled"),
        ("if cancelled < 0.0 or model == RISK_AVERSE:", "if model == RISK_AVERSE:"),
    ),
    *of(
        "core/queues/power.py",
        ("return ratio(over, over + power_of(front, power))", "return ratio(over, power_of(front, power))"),
    ),
    *of("core/queues/power3.py", ("return 1.0 - power_of(", "return power_of(")),
    *of(
        "engine/arrivals.py",
        ("found != NONE and order.id < found_id", "found != NONE and order.id > found_id"),
        (
            "    unlink_order(world, market, slot)\n    link_order(world, engine, market, slot)\n"
            "    push_report(world, engine, order, 1, order.trigger_ticks",
            "    push_report(world, engine, order, 1, order.trigger_ticks",
        ),
        ("    if whole and not waits(world, engine, order):", "    if whole:"),
        ("    if waits(world, engine, order):\n        return False\n    if order.side", "    if order.side"),
        ("if order.flags & POST_ONLY and is_marketable", "if False and is_marketable"),
        (
            "finish_order(world, engine, market, currency, slot, CANCELED, NO_LIQUIDITY)",
            "begin_rest(world, engine, market, venue, slot)",
        ),
        ("== 0 and order.priority != moved:", "== 0:"),
    ),
    *of(
        "engine/ticks.py",
        (
            "apply_due(world, engine, market, venue, event.ts_event)",
            "apply_due(world, engine, market, venue, event.ts_recv)",
        ),
        ("moves_queue = not late and event.flags & HIDDEN == 0", "moves_queue = event.flags & HIDDEN == 0"),
        ("    if venue.broken == 0 and bid < ask:", "    if bid < ask:"),
        ("venue.broken = 1 if market.level != PRINTS else 0", "venue.broken = 1"),
        ("    if lots > 0 or before == price_ticks:", "    if lots > 0:"),
        ("    if bid >= ask:\n        venue.n_crossed += 1\n    elif", "    if"),
    ),
    *of(
        "engine/local.py",
        ("        elif first >= ts:", "        elif first > ts:"),
        ("            engine.now = max(engine.now, due)\n", ""),
        (
            "        if due > ts and engine.next_timer > ts:",
            "        if due >= ts and engine.next_timer > ts:",
        ),
    ),
    *of(
        "core/orders.py",
        ("            due = max(engine.now, answered)", "            due = answered"),
        ("            due = max(due, order.ts_response)", "            due = max(due, 0)"),
        ("        if not answers:\n", "        if False:\n"),
    ),
]
