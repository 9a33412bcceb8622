"""Every rule of `docs/fills.md` that a golden script must cover: section / our name for the rule."""

from __future__ import annotations

__all__ = ["RULES"]

_TEXT = """
1/types 1/types.refused 1/tif 1/tif.refused 1/flags.post_only_limit_gtc 1/flags.reduce_only 1/ids 1/priority
1/status.SUBMITTED 1/status.REJECTED 1/status.ACCEPTED 1/status.TRIGGERED 1/status.PARTIALLY_FILLED
1/status.FILLED 1/status.CANCELED 1/status.EXPIRED 1/status.PENDING_UPDATE 1/status.PENDING_CANCEL
1/status.DENIED 1/modify.less_keeps 1/modify.more_takes_new 1/modify.price_takes_new 1/modify.checked_again
1/modify.refused_stays 1/modify.triggered_stop_ignored 1/modify.below_filled 1/modify.post_only_checked

2/request_order 2/1xx.order 2/1xx.UNKNOWN_INSTRUMENT 2/1xx.NOT_TRADABLE 2/1xx.NO_PRICE_YET
2/1xx.UNKNOWN_ORDER_TYPE 2/1xx.UNKNOWN_SIDE 2/1xx.UNKNOWN_TIME_IN_FORCE 2/1xx.FLAGS_CONFLICT
2/1xx.NOT_A_NUMBER 2/1xx.QTY_NOT_POSITIVE 2/1xx.QTY_NOT_ON_LOT 2/1xx.QTY_BELOW_MINIMUM
2/1xx.QTY_ABOVE_MAXIMUM 2/1xx.PRICE_NOT_POSITIVE 2/1xx.PRICE_NOT_ON_TICK 2/1xx.PRICE_ABOVE_MAXIMUM
2/1xx.TRIGGER_NOT_POSITIVE 2/1xx.NOTIONAL_BELOW_MINIMUM 2/1xx.NOTIONAL_OVERFLOW
2/1xx.min_notional_unless_reduce_only 2/1xx.UNKNOWN_ORDER 2/1xx.REQUEST_PENDING 2/1xx.MODIFY_BELOW_FILLED
2/reference.LIMIT 2/reference.STOP_LIMIT 2/reference.STOP_MARKET 2/reference.MARKET 2/2xx.order
2/2xx.TRADING_HALTED 2/2xx.ONLY_REDUCING 2/2xx.MAX_ORDER_QTY 2/2xx.MAX_ORDER_NOTIONAL 2/2xx.PRICE_COLLAR
2/2xx.MAX_POSITION 2/2xx.MAX_EXPOSURE 2/2xx.INSUFFICIENT_BUYING_POWER 2/2xx.INSUFFICIENT_POSITION
2/2xx.MAX_OPEN_ORDERS 2/2xx.MAX_ORDER_RATE 2/2xx.reducing_passes 2/3xx.REDUCE_ONLY_WOULD_OPEN
2/3xx.opener_allows 2/3xx.POST_ONLY_WOULD_TAKE 2/latency.none 2/latency.entry 2/latency.venue_on_arrival
2/latency.cancel 2/latency.modify 2/latency.one_at_a_time 2/latency.cancel_of_submitted 2/marketable.buy
2/marketable.sell 2/warmup 2/marketable.touch 2/marketable.first_bar_only 2/marketable.judged_again

3/synthetic 3/budget.participation 3/budget.unlimited 3/budget.shared 3/budget.whole_lots
3.1/accepted_at_start 3.1/arrival_then_id 3.1/reducing_first 3.1/reducing_judged_in_turn 3.1/MARKET
3.1/STOP_MARKET.buy 3.1/STOP_MARKET.sell 3.1/STOP_MARKET.left 3.1/STOP_LIMIT.within 3.1/STOP_LIMIT.clamped
3.1/STOP_LIMIT.rests 3.1/LIMIT.marketable 3.1/LIMIT.marketable_rests 3.1/LIMIT.IOC 3.1/LIMIT.FOK
3.1/LIMIT.IOC_outside 3.1/LIMIT.gap_limit 3.1/LIMIT.gap_open 3.1/LIMIT.at_open_rests 3.1/no_budget.GTC
3.1/no_budget.IOC 3.1/no_budget.FOK 3.1/stop.IOC 3.1/stop.FOK 3.1/fill_at.next_open 3.1/fill_at.close
3.1/fill_at.close_left 3.1/fill_at.close_FOK

3.2/path.adaptive 3.2/path.tie_low 3.2/path.ohlc 3.2/path.olhc 3.2/path.adverse 3.2/path.favourable
3.2/path.equal_equity 3.2/nearest_first 3.2/equal_price_priority 3.2/STOP_MARKET 3.2/STOP_LIMIT.within
3.2/STOP_LIMIT.clamped 3.2/STOP_LIMIT.rests 3.2/LIMIT.through 3.1/LIMIT.touch 3.2/LIMIT.touch 3.2/overdue
3.2/search_goes_on 3.2/no_budget.stop_triggers 3.2/no_budget.acts_as_market 3.2/no_budget.stop_limit_rests
3.2/MARKET_not_on_path 3.2/entry_bar.true 3.2/entry_bar.false 3.3/ticks 3.3/bps 3.3/volume_share
3.3/volume_share.unknown 3.3/not_for_limits 3.3/one_tick_floor 3.4/reduce_only.fills_at_most
3.4/reduce_only.REDUCE_ONLY_CLOSED 3.4/reduce_only.shrinks 3.4/reduce_only.closed 3.4/reduce_only.flips
3.4/buying_power.cash 3.4/buying_power.margin 3.4/buying_power.fees 3.4/buying_power.others_reserve
3.4/SHRUNK_TO_POSITION 3.5/ambiguous 3.5/clear 3.5/flagged 3.5/detail_resolves 3.5/detail_ambiguous
3.5/detail_budget 3.5/detail_gap 3.5/exits_in_range 3.5/exits_no_rivals 3.5/scenarios_agree 3.5/detail_exits

4/reducing_pass_over_all 4/index_order 4/path_after_opens 4/marks_after_path 4/requests_after_batch
5/notional.up_for_buy 5/notional.down_for_sell 5/fee.ceil 5/fee.maker_taker 5/fee.rebate 5/cost.adds
5/cost.pro_rata 5/cost.all_when_closed 5/cost.short 5/identity 5/value.floor 5/equity 5/margin.leverage
5/margin.net 5/drawdown.reject 5/drawdown.cancel_all 5/drawdown.flatten 5/drawdown.at_limit 5/drawdown.peak
5/reserve.market_collar 5/reserve.fee 5/reserve.margin 5/reserve.pro_rata 5/reserve.opening_part
5/funding.end 5/funding.inside 5/funding.before 5/funding.mark 5/funding.rounding 5/funding.delisting
5/funding.at_end 9/changes 9/cancels 9/not_matched 9/not_judged
5/reserve.cash_sell 6/status 6/delisting.orders 6/delisting.close_at_last 6/delisting.write_off
6/end_of_data 7/ts_submitted 7/ts_open 7/ts_path 7/ts_close 7/equity_once 7/bar_begins 7/not_before_sent
10/DAY 10/DAY.outside 10/DAY.utc 10/GTD 10/EXPIRY_INVALID 10/flags 10/outside.drop 10/outside.keep 10/over_the_close
10/bar_begins 10/expires_before_open 10/expires_inside 10/expires_after_path 10/expires_modified 10/under_way
"""

RULES: tuple[str, ...] = tuple(_TEXT.split())
