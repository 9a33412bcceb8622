"""The records of a run: what the fold reads and writes (the event is in `core.event`).

State (snapshotted and hashed): ENGINE, CURRENCY, MARKET, POSITION, ORDER, REQUEST, REPORT, FRAME, DETAIL,
STRATEGY and the strategies' own bytes. WORLD holds addresses and output cursors, CALENDAR and SITTING what the
configuration says of hours: these are not state.
Units: *_ticks, *_lots, *_atoms (1e-8 of a currency unit), *_nano (1e-9), *_pico (1e-12), ts_* and *_ns in ns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tradectl.core.event import EVENT
from tradectl.core.records import accessor

__all__ = [
    "BAR",
    "CALENDAR",
    "CURRENCY",
    "DETAIL",
    "DUE",
    "ENGINE",
    "EQUITY",
    "FILL",
    "FRAME",
    "FUNDED",
    "LATENCY",
    "MARKET",
    "MARKOUT",
    "NANO",
    "NEVER",
    "NONE",
    "NO_LIMIT",
    "ORDER",
    "PLOT",
    "POSITION",
    "REPORT",
    "REQUEST",
    "SITTING",
    "STRATEGY",
    "TIMER",
    "UNCHANGED",
    "VENUE",
    "WORLD",
]  # fmt: skip

NO_LIMIT = 2**62  # a limit that is not set
NANO = 1_000_000_000
NEVER = 2**62  # a time that does not come, a price that is not reached
NONE = -1  # no slot
UNCHANGED = -(2**62)  # what a modify leaves as it is


def record(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    """Make an aligned dtype whose size is a whole number of 8-byte words (padding stays zero)."""
    made = np.dtype(list(fields), align=True)
    if made.itemsize % 8:
        made = np.dtype([*fields, ("pad_", "u1", (8 - made.itemsize % 8,))], align=True)
    assert made.itemsize % 8 == 0
    return made


def words(kind: str, names: str) -> list[tuple[str, str]]:
    """Make fields of one kind."""
    return [(name, kind) for name in names.split()]


_BAR = words("<i8", "ts_event open high low close volume tf_ns")
BAR = record(*_BAR)  # the common head of MARKET, FRAME and DETAIL

MARKET = record(
    *_BAR,
    *words("<i8", "start batch last budget currency rate_of first_order last_order n_orders key_up key_down"),
    *words("<i8", "net_lots value_atoms margin_atoms n_detail tick_pico unit_num unit_den"),
    *words("<i8", "min_qty_lots max_qty_lots max_price_ticks min_notional_atoms max_notional_atoms"),
    *words("<i8", "maker_nano taker_nano"),
    *words("<i8", "max_order_lots max_position_lots max_position_notional"),
    *words("<f8", "tick_num tick_den lot_num lot_den"),
    *words("<i8", "index twice_mark"),  # tick data: bid + ask, or twice the last print; 0: marked at `last`
    ("mark_ticks", "<i8"),  # the venue's mark price, 0: none was told
    ("next_expiry", "<i8"),  # bars: no order expires before it
    *words("u1", "status has_price synthetic attention level travels mid_bars hours"),  # hours: `core.calendars`
)
VENUE = record(  # what an exchange shows of an instrument with tick data, and what is due there
    *words("<i8", "bid bid_lots ask ask_lots ladder next_arrival own_bid own_ask stop_up stop_down"),
    *words("<i8", "ts_event ts_depth ts_trade trade_ticks trade_lots trade_id"),
    *words("<i8", "last_arrival queue_model n_messages n_late n_crossed n_gaps n_unknown n_spent"),
    *words("<i8", "n_remainders n_strayed"),  # order by order: see `engine.l3_events`; messages that end `strayed`
    *words("<f8", "queue_power lot_size"),
    ("twice_seen", "<i8"),  # the mark at the end of the last message: what the next one's fills are measured by
    *words("<i8", "mark_due mark_tail"), ("mark_heads", "<i8", (3,)),  # pending mark-outs: `core.markouts`
    ("trade_side", "i1"), *words("u1", "broken in_message touched trigger strayed"),
)  # fmt: skip
FRAME = record(  # a derived bar in the making; end 0: empty; size: of a bar by count, volume or notional
    *_BAR, *words("<i8", "end count size amount"), ("by", "u1")
)
DETAIL = record(*_BAR)
MARKOUT = record(  # a fill on tick data and twice the mid at each horizon after it; 0: not known
    *words("<i8", "fill_id ts_event twice_mark"), ("twice", "<i8", (3,)),
    *words("<u2", "instrument next"), ("side", "i1"),  # next: the instrument's next pending one, from 1
)  # fmt: skip
SITTING = record(  # a market is open from `open` until before `close`; a session with a pause has two, of one number
    *words("<i8", "open close session_open session_close number")  # number: its date in days since 1970-01-01
)
CALENDAR = record(*words("<i8", "first last at by_clock"))  # of a market: its rows, the hint of look-ups, its bars
LATENCY = record(  # recorded: when requests reached the venue, by request; when answers came back, by answer
    *words("<i8", "ts_request ts_exchange ts_answer ts_response")
)
TIMER = record(("at", "<i8"))  # when a strategy's state record wants to be called; NEVER: not at all
POSITION = record(
    *words("<i8", "lots cost_atoms realised_atoms fees_atoms open_buy_lots open_sell_lots opened_batch n_trades"),
    *words("<i8", "ts_opened seen_lots"),  # seen: what reports have told the strategy
    ("funding_atoms", "<i8"),
)
CURRENCY = record(
    *words("<i8", "initial_atoms balance_atoms reserved_atoms value_atoms fees_atoms realised_atoms rate_pico"),
    ("funding_atoms", "<i8"),
)
ORDER = record(  # a cache line each: what matching looks at, what is reserved, its history, what is pending
    *words("<i8", "id price_ticks trigger_ticks qty_lots leaves_lots"),
    *words("<i4", "instrument strategy prev next"),
    ("side", "i1"),
    *words("u1", "order_type time_in_force status before pend_kind"),
    ("flags", "<u2"),
    *words("<i8", "filled_lots priority reserve_atoms exposure_atoms"),
    *words("<i8", "reserve_total exposure_total held_total held_lots"),
    *words("<i8", "acted_batch ts_arrival ts_submitted ts_accepted ts_last notional_atoms fees_atoms tag"),
    *words("<i8", "pend_ts pend_qty_lots pend_price_ticks pend_trigger_ticks"),
    *words("<i4", "reason n_fills"),
    *words("<f8", "front front_post"),  # quantity ahead in the queue, lots: now and when it began to rest
    *words("<i4", "note n_unseen"),  # 1 + its place in the book's notes; reports on their way
    *words("<i8", "twice_submit twice_arrival"),  # the mark when it was sent, when it arrived; 0: not known
    ("ts_response", "<i8"),  # when the last answer about it is here
    ("twice_end", "<i8"),  # and when it ended with something unfilled
    ("seen_leaves", "<i8"),  # what the last delivered report told: what was left,
    ("seen", "u1"),  # and the status
    ("expires", "<i8"),  # DAY, GTD: no longer matched from then on; else NEVER
    ("spare", "<i8"),
)
REQUEST = record(
    *words("<i8", "order_id qty_lots price_ticks trigger_ticks tag expires"),
    *words("<i4", "instrument strategy reason legs"),
    ("kind", "u1"), ("side", "i1"), ("order_type", "u1"), ("time_in_force", "u1"), ("flags", "<u2"),
)  # fmt: skip
REPORT = record(
    *words("<i8", "order_id ts_event ts_deliver price_ticks qty_lots leaves_lots filled_lots fee_atoms tag"),
    *words("<f8", "price qty fee"),
    *words("<i4", "instrument strategy reason"),
    ("kind", "u1"), ("status", "u1"), ("side", "i1"), ("liquidity_side", "u1"), ("order_type", "u1"),
)  # fmt: skip
STRATEGY = record(
    *words("<i8", "params state state_size sizing_value n_errors"),  # offsets in the blob; nano or atoms
    *words("<i8", "ts_fault fault_event fault_instrument fault_hook"),  # where it raised: its n-th event, from 1
    *words("u1", "enabled portfolio sizing_method on_error"),
)
ENGINE = record(
    # clock and sequences
    *words("<i8", "now n_events batch batch_ts batch_low batch_high next_order_id next_fill_id next_priority"),
    *words("<i8", "n_live n_requests report_head report_tail next_frame_end next_local next_timer next_sample"),
    # account
    *words("<i8", "equity_atoms peak_atoms trough_atoms margin_atoms gross_atoms reserved_atoms exposure_atoms"),
    *words("<i8", "leverage_nano"),
    # execution
    *words("<i8", "participation_nano slip_ticks slip_nano slip_share_nano latency_entry_ns latency_response_ns"),
    *words("<i8", "latency_compute_ns l1_leftover_ticks sample_ns last_sample n_acks n_late_acks late_acks_ns"),
    *words("<i8", "tick_hooks checked_atoms"),  # a bit per `Hook` that any strategy has
    # limits
    *words("<i8", "max_notional_atoms collar_nano max_exposure_atoms max_open_orders rate_orders rate_ns"),
    *words("<i8", "drawdown_limit_nano rate_start rate_count"),
    ("max_drawdown", "<f8"),
    # counters
    *words("<i8", "n_orders n_fills n_denied n_rejected n_shrunk n_ambiguous n_trades n_bars n_synthetic"),
    ("n_outside", "<i8"),  # bars, trades and quotes outside the sessions that were left out
    ("n_dues", "<i8"),  # settlements of funding that wait for their bar
    *words("<i8", "n_warmup warm_end"),  # bars of warm-up; it is over when `n_events` gets there
    *words("<i8", "fault_strategy fault_reason ts_breach n_cancels n_modifies"),
    *words("<i8", "mark_free mark_fresh n_unmarked"),  # the pool of pending mark-outs; fills that miss a mark-out
    *words("u1", "account_type fill_at path limit_gap_open limit_touch entry_bar write_off trading_state"),
    *words("u1", "on_breach wants_reports source_hook started stopped breached batch_open local_view has_hours"),
)
FILL = record(
    *words("<i8", "fill_id order_id ts_event price_ticks qty_lots notional_atoms fee_atoms realised_atoms"),
    *words("<i8", "position_lots tag twice_mark bid ask"),
    ("front", "<f8"),
    *words("<i4", "instrument strategy"),
    ("side", "i1"),
    *words("u1", "liquidity_side phase ambiguous order_type time_in_force"),
)
DUE = record(*words("<i8", "ts_event rate_pico price_ticks instrument"))  # funding that waits; price 0: not told
FUNDED = record(  # what a position paid (below 0: received) at a settlement, and the last fill before it
    *words("<i8", "ts_event rate_pico price_ticks lots funding_atoms fill_id"),
    *words("<i4", "instrument strategy"),
)
EQUITY = record(*words("<i8", "ts_event equity_atoms"))
PLOT = record(  # a value of a strategy's own series; series: `strategy.plots.key_of` its name
    *words("<i8", "ts_event series"), ("value", "<f8"), *words("<i4", "instrument strategy"),
)  # fmt: skip
WORLD = record(
    # addresses of the state
    *words("<i8", "engine currencies markets positions orders requests reports frames details strategies blob"),
    *words("<i8", "venues books timers latencies markouts dues"),
    *words("<i8", "hooks used scratch self_address calendars sittings"),
    # sizes
    *words("<i8", "n_currencies n_instruments n_strategies n_portfolio order_mask request_capacity"),
    *words("<i8", "report_mask n_frames n_latencies"),
    *words("<i8", "detail_capacity markout_capacity dues_capacity"),
    # outputs
    *words("<i8", "fills fills_capacity n_fills orders_out orders_capacity n_orders"),
    *words("<i8", "equity_out equity_capacity n_equity"),
    *words("<i8", "fundings fundings_capacity n_fundings"),
    *words("<i8", "plots plots_capacity plots_limit n_plots"),  # limit: most rows before an event
    *words("<i8", "markouts_out n_markouts"),  # room for as many as there are fills and pending ones
    # what a hook looks at
    *words("<i8", "cursor_instrument cursor_strategy cursor_bar cursor_market cursor_position cursor_frame"),
    ("batch_fills", "<i8"),  # fills written before this timestamp
)

bar_at = accessor(BAR)
calendar_at = accessor(CALENDAR)
market_at = accessor(MARKET)
markout_at = accessor(MARKOUT)
frame_at = accessor(FRAME)
detail_at = accessor(DETAIL)
latency_at = accessor(LATENCY)
timer_at = accessor(TIMER)
position_at = accessor(POSITION)
venue_at = accessor(VENUE)
currency_at = accessor(CURRENCY)
order_at = accessor(ORDER)
request_at = accessor(REQUEST)
report_at = accessor(REPORT)
sitting_at = accessor(SITTING)
strategy_at = accessor(STRATEGY)
engine_at = accessor(ENGINE)
fill_at = accessor(FILL)
equity_at = accessor(EQUITY)
plot_at = accessor(PLOT)
event_at = accessor(EVENT)
due_at = accessor(DUE)
funded_at = accessor(FUNDED)
world_at = accessor(WORLD)
word_at = accessor(record(("value", "<i8")))
