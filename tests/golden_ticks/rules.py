"""Every rule of `docs/fills.md`, 8, that a tick script must cover: section / our name for the rule."""

from __future__ import annotations

__all__ = ["RULES"]

_TEXT = """
8/message_end 8/marks 8/requests_travel 8/MARKET 8/NO_LIQUIDITY 8/LIMIT.takes_rests 8/IOC 8/FOK
8/FOK.worst_price 8/FOK.reduce_only 8/post_only 8/reduce_only.stop_waits 8/reduce_only.limit_waits
8/reduce_only.closed 8/slippage 8/stop.last 8/stop.bid_ask 8/stop.priority 8/stop.new_place 8/stop.on_arrival
8/stop.changed 8/stop.report 8/modify.less_keeps 8/modify.loses_place 8/stamps 8/entry_bar

8.1/MARKET 8.1/LIMIT.first 8.1/LIMIT.through 8.1/LIMIT.touch 8.1/shared 8.1/participation 8.1/IOC 8.1/FOK
8.1/stop 8.1/post_only.rejected 8.1/post_only.never_takes

8.2/touch 8.2/leftover 8.2/leftover.none 8.2/leftover.limit 8.2/consumption 8.2/queue.at_touch
8.2/queue.behind 8.2/queue.inside 8.2/queue.shrinks 8.2/side_gone 8.2/through 8.2/crossed

8.3/walk 8.3/consumption 8.3/consumption.gives_back 8.3/consumption.bounded 8.3/consumption.snapshot
8.3/remainder_rests 8.3/queue.displayed 8.3/queue.trade 8.3/queue.half_lot 8.3/queue.shared 8.3/queue.waits 8.3/through
8.3/through.first 8.3/trade.own_side 8.3/trade.unknown_side 8.3/trade.hidden 8.3/reached 8.3/reached.judged
8.3/crossed_book 8.3/depth.traded 8.3/depth.grows 8.3/depth.zero 8.3/model.risk_averse 8.3/model.power
8.3/model.log 8.3/model.power2 8.3/model.log2 8.3/model.power3 8.3/snapshot

8.4/receive_order 8.4/arrival 8.4/arrival.own_instrument 8.4/first_in_first_out 8.4/equal_arrivals 8.4/timer_event
8.4/compute 8.4/interpolated 8.4/cancel_under_way 8.4/one_at_a_time 8.4/report.response
8.4/report.receive_time 8.4/report.order 8.4/report.own 8.4/view 8.4/timers 8.4/commands 8.4/late.trade
8.4/late.trade_through 8.4/late.before_arrival 8.4/late.depth 8.4/late.counted

8.5/nothing_fills 8.5/until_snapshot 8.5/until_quote 8.5/IOC_FOK 8.5/others_wait 8.5/post_only 8.5/stops
8.5/trades_alone 8.5/clear 8.5/trades_missing 8/warmup 8/funding
8/funding.mark 9/changes 9/cancels 9/not_matched 9/price

8.6/displayed.own 8.6/displayed.lesser 8.6/queue 8.6/own_apart 8.6/execution.queue 8.6/execution.through
8.6/execution.order 8.6/execution.more 8.6/remainder.place 8.6/remainder.ahead 8.6/remainder.met_first
8.6/remainder.not_displayed 8.6/remainder.not_taken 8.6/remainder.executed 8.6/remainder.counted 8.6/remainder.passed
8.6/remainder.passed_beyond 8.6/remainder.passed_by_move 8.6/remainder.canceled 8.6/remainder.less
8.6/remainder.shows_more 8.6/remainder.moved 8.6/remainder.snapshot 8.6/remainder.cleared 8.6/strayed
8.6/taking.first 8.6/taking.left 8.6/taking.forgotten 8.6/spent 8.6/crossing 8.6/crossing.moved
8.6/crossing.used_up 8.6/modify.less 8.6/modify.more 8.6/modify.moved 8.6/modify.nothing 8.6/unknown
8.6/unknown.execution 8.6/unknown.anew 8.6/print 8.6/trades 8.6/trades.stops 8.6/stops.bid_ask 8.6/gap
8.6/gap.snapshot 8.6/gap.clear 8.6/snapshot.behind 8.6/snapshot.crosses 8.6/orders 8.6/own_changes
8.6/reduce_only 8.6/arrival
10/ticks.DAY 10/ticks.GTD 10/ticks.outside 10/ticks.timer 10/ticks.under_way
"""

RULES: tuple[str, ...] = tuple(_TEXT.split())
