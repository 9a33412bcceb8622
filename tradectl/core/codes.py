"""Permanent integers: what kernels, journals and run folders say. Never renumber, only add."""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = [
    "MESSAGES",
    "AccountType",
    "BarBy",
    "BookLevel",
    "Breach",
    "Command",
    "EventFlag",
    "EventKind",
    "FillAt",
    "FillPhase",
    "FoldCode",
    "GapScope",
    "Hook",
    "LiquiditySide",
    "MarketStatus",
    "OrderFlag",
    "OrderStatus",
    "OrderType",
    "PathRule",
    "QueueModel",
    "Reason",
    "ReportKind",
    "RequestKind",
    "Side",
    "SizingMethod",
    "TimeInForce",
    "TradingState",
    "TriggerSource",
]  # fmt: skip


class Side(IntEnum):
    """Direction of an order, fill or aggressor."""

    BUY = 1
    SELL = -1


class EventKind(IntEnum):
    """What an event's payload words mean (`docs/architecture.md` lists them)."""

    BAR = 1
    TRADE = 2
    QUOTE = 3
    DEPTH = 4
    ORDER_ADD = 5
    ORDER_MODIFY = 6
    ORDER_CANCEL = 7
    ORDER_EXEC = 8
    FUNDING = 9
    MARK = 10
    TIMER = 11
    COMMAND = 12
    GAP = 13
    CLEAR = 14
    STATUS = 15
    CORPORATE = 16
    FEATURE = 17


class EventFlag(IntFlag):
    """Bits of an event's `flags`."""

    LAST = 1  # last of its timestamp: the batch is complete
    SYNTHETIC = 2  # a bar made up to fill a gap: it fills no order
    MESSAGE_END = 4  # last row of its exchange message
    SNAPSHOT_BEGIN = 8
    SNAPSHOT_END = 16
    DETAIL = 32  # a finer bar that only resolves ambiguous ones
    HIDDEN = 64  # a trade against an order that the book does not show
    WARMUP = 128  # a bar of the history that comes before a live session: hooks see it and may send no orders


class GapScope(IntEnum):
    """What a GAP event says is missing: its `aux`."""

    BOOK = 0  # what the book was made of: it is broken
    TRADES = 1  # trades alone: the book goes on


class Command(IntEnum):
    """First payload word of a COMMAND event; for STATUS events see `MarketStatus`."""

    START = 1
    STOP = 2
    HALT = 3
    RESUME = 4
    REDUCE = 5
    CANCEL_ALL = 6
    FLATTEN = 7


class MarketStatus(IntEnum):
    """First payload word of a STATUS event."""

    UNLISTED = 0
    LISTED = 1
    HALTED = 2
    DELISTED = 3


class OrderType(IntEnum):
    """Order types; those from TRAILING_STOP_MARKET on have their place but no matching yet."""

    MARKET = 1
    LIMIT = 2
    STOP_MARKET = 3
    STOP_LIMIT = 4
    TRAILING_STOP_MARKET = 5
    TRAILING_STOP_LIMIT = 6
    MARKET_IF_TOUCHED = 7
    LIMIT_IF_TOUCHED = 8


class TimeInForce(IntEnum):
    """How long an order works: until canceled, at once, at once and whole, until a time, until its session ends."""

    GTC = 1
    IOC = 2
    FOK = 3
    GTD = 4
    DAY = 5


class OrderFlag(IntFlag):
    """Bits of an order's `flags`."""

    POST_ONLY = 1
    REDUCE_ONLY = 2
    REBALANCE = 4  # a leg of an atomic rebalance
    SYSTEM = 8  # sent by the risk unit (flatten), not by a strategy
    MARKETABLE = 16  # on acceptance its limit was beyond the last price: a taker at the next open
    TRIGGERED = 32  # its stop has been triggered
    RESTED = 64  # it has taken part in at least one bar


class OrderStatus(IntEnum):
    """Life of an order; those from FILLED on are final."""

    NONE = 0
    INITIALIZED = 1
    SUBMITTED = 2
    ACCEPTED = 3
    TRIGGERED = 4
    PARTIALLY_FILLED = 5
    PENDING_UPDATE = 6
    PENDING_CANCEL = 7
    FILLED = 8
    CANCELED = 9
    EXPIRED = 10
    DENIED = 11
    REJECTED = 12


class LiquiditySide(IntEnum):
    """Which side of a trade an own fill was."""

    MAKER = 1
    TAKER = 2


class FillPhase(IntEnum):
    """Where in a bar a fill happened."""

    OPEN = 1
    PATH = 2
    CLOSE = 3
    DELISTING = 4
    BOOK = 5  # taken from what the book displayed
    QUEUE = 6  # a trade at the order's price reached its place in the queue
    THROUGH = 7  # a trade beyond the order's price, or the other side reached it
    PRINT = 8  # against a trade, where no book is known


class FillAt(IntEnum):
    """When a market order sent on a bar's close fills."""

    NEXT_OPEN = 1
    CLOSE = 2


class PathRule(IntEnum):
    """The order in which a bar's high and low are visited."""

    ADAPTIVE = 1
    OHLC = 2
    OLHC = 3
    ADVERSE = 4
    FAVOURABLE = 5


class BarBy(IntEnum):
    """What ends a derived bar."""

    TIME = 0
    TICK = 1  # a number of trades (without trades: of new touches)
    VOLUME = 2
    NOTIONAL = 3  # price × quantity


class BookLevel(IntEnum):
    """What is known of an instrument's book, and so how its orders are matched."""

    BARS = 0
    PRINTS = 1  # trades alone
    QUOTES = 2  # best bid and ask (L1)
    DEPTH = 3  # quantities by price (L2)
    ORDERS = 4  # order by order (L3)


class QueueModel(IntEnum):
    """How a resting order's place in its queue is estimated from depth (`core.queues`)."""

    RISK_AVERSE = 1
    POWER = 2
    LOG = 3
    POWER2 = 4
    LOG2 = 5
    POWER3 = 6


class TriggerSource(IntEnum):
    """Which price triggers stops on tick data."""

    LAST = 1
    BID_ASK = 2


class AccountType(IntEnum):
    """Cash accounts never borrow and never go short; margin accounts do both within their leverage."""

    CASH = 1
    MARGIN = 2


class TradingState(IntEnum):
    """What the risk unit lets through: all, only what reduces a position, nothing."""

    ACTIVE = 1
    REDUCING = 2
    HALTED = 3


class Breach(IntEnum):
    """What happens when an account limit (drawdown) is breached."""

    REJECT = 1
    CANCEL_ALL = 2
    FLATTEN = 3


class SizingMethod(IntEnum):
    """How an order without a quantity is sized."""

    FIXED = 1
    NOTIONAL = 2
    PERCENT_EQUITY = 3


class RequestKind(IntEnum):
    """What a strategy asked for."""

    SUBMIT = 1
    CANCEL = 2
    MODIFY = 3
    CANCEL_ALL = 4


class ReportKind(IntEnum):
    """What a report says; FILL goes to `on_fill`, the others to `on_order`."""

    ORDER = 1
    FILL = 2


class Hook(IntEnum):
    """Columns of the table of hook addresses."""

    ON_START = 0
    ON_BAR = 1
    ON_BATCH = 2
    ON_ORDER = 3
    ON_FILL = 4
    ON_STOP = 5
    ON_TRADE = 6
    ON_QUOTE = 7
    ON_DEPTH = 8
    ON_TIMER = 9


class FoldCode(IntEnum):
    """What `advance` returns."""

    DONE = 0  # every event of the slice was applied
    DRAIN = 1  # an output buffer needs draining before the next event
    STRATEGY_RAISED = 2  # a hook raised; the engine stands at an event boundary
    CAPACITY = 3  # a bounded store is full: see `ENGINE.fault_reason`
    BAD_EVENT = 4  # an event of an unknown kind or for an unknown instrument


class Reason(IntEnum):
    """Why an order was refused or ended: 1xx validation, 2xx risk, 3xx matching, 9xx capacity."""

    NONE = 0
    UNKNOWN_ORDER_TYPE = 101
    UNKNOWN_SIDE = 102
    UNKNOWN_TIME_IN_FORCE = 103
    QTY_NOT_POSITIVE = 104
    QTY_NOT_ON_LOT = 105
    QTY_BELOW_MINIMUM = 106
    QTY_ABOVE_MAXIMUM = 107
    PRICE_NOT_POSITIVE = 108
    PRICE_ABOVE_MAXIMUM = 109
    TRIGGER_NOT_POSITIVE = 110
    NOTIONAL_BELOW_MINIMUM = 111
    NOTIONAL_OVERFLOW = 112
    FLAGS_CONFLICT = 113
    UNKNOWN_INSTRUMENT = 114
    NOT_TRADABLE = 115
    NO_PRICE_YET = 116
    NOT_A_NUMBER = 117
    UNKNOWN_ORDER = 118
    REQUEST_PENDING = 119
    WEIGHTS_INVALID = 120
    NOT_SUPPORTED = 121
    PRICE_NOT_ON_TICK = 122
    SIZE_IS_ZERO = 123
    MODIFY_BELOW_FILLED = 124
    NO_SIZING = 125
    EXPIRY_INVALID = 126
    EQUITY_UNKNOWN = 127
    DUPLICATE_ORDER_ID = 150
    ORDER_ID_OUT_OF_RANGE = 151
    TRADING_HALTED = 201
    ONLY_REDUCING = 202
    MAX_ORDER_QTY = 203
    MAX_ORDER_NOTIONAL = 204
    PRICE_COLLAR = 205
    MAX_POSITION = 206
    MAX_EXPOSURE = 207
    INSUFFICIENT_BUYING_POWER = 208
    INSUFFICIENT_POSITION = 209
    MAX_OPEN_ORDERS = 210
    MAX_ORDER_RATE = 211
    DRAWDOWN_BREACHED = 212
    WARMING_UP = 213
    POST_ONLY_WOULD_TAKE = 301
    REDUCE_ONLY_WOULD_OPEN = 302
    REDUCE_ONLY_CLOSED = 303
    IOC_REMAINDER = 304
    FOK_UNFILLED = 305
    SHRUNK_TO_BUYING_POWER = 306
    SHRUNK_TO_POSITION = 307
    CANCELED_BY_STRATEGY = 308
    CANCELED_BY_COMMAND = 309
    CANCELED_BY_RISK = 310
    CANCELED_BY_FAULT = 311
    INSTRUMENT_DELISTED = 312
    BOOK_BROKEN = 313
    NO_LIQUIDITY = 314
    SESSION_ENDED = 315
    TIME_ENDED = 316
    ORDERS_FULL = 901
    REQUESTS_FULL = 902
    REPORTS_FULL = 903
    OUTPUTS_FULL = 904
    DETAILS_FULL = 905
    NOTES_FULL = 906
    BOOK_ORDERS_FULL = 907
    FUNDING_FULL = 908
    PLOTS_FULL = 909
    CALENDAR_ENDS = 910


MESSAGES: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.UNKNOWN_ORDER_TYPE: "the order type is not one that this engine matches",
    Reason.UNKNOWN_SIDE: "the side is neither BUY nor SELL",
    Reason.UNKNOWN_TIME_IN_FORCE: "the time in force is not one that this engine knows",
    Reason.QTY_NOT_POSITIVE: "the quantity is not positive",
    Reason.QTY_NOT_ON_LOT: "the quantity is not a whole number of lots",
    Reason.QTY_BELOW_MINIMUM: "the quantity is below the instrument's minimum",
    Reason.QTY_ABOVE_MAXIMUM: "the quantity is above the instrument's max_qty",
    Reason.PRICE_NOT_POSITIVE: "the limit price is not positive",
    Reason.PRICE_ABOVE_MAXIMUM: "the price is above what the instrument's records can hold",
    Reason.TRIGGER_NOT_POSITIVE: "the stop price is not positive",
    Reason.NOTIONAL_BELOW_MINIMUM: "price × quantity is below the instrument's min_notional",
    Reason.NOTIONAL_OVERFLOW: "price × quantity is beyond what an account can hold",
    Reason.FLAGS_CONFLICT: "the order's flags contradict its type or time in force",
    Reason.UNKNOWN_INSTRUMENT: "no such instrument in this run",
    Reason.NOT_TRADABLE: "the instrument is not listed, halted or delisted at this time",
    Reason.NO_PRICE_YET: "the instrument has had no price yet",
    Reason.NOT_A_NUMBER: "a price, quantity or weight is NaN or infinite",
    Reason.UNKNOWN_ORDER: "no working order has this id",
    Reason.REQUEST_PENDING: "an earlier modify or cancel of this order is still in flight",
    Reason.WEIGHTS_INVALID: "the weights add up to more than the account may hold, or one cannot be held",
    Reason.NOT_SUPPORTED: "not supported on this kind of data",
    Reason.PRICE_NOT_ON_TICK: "the price is not a whole number of ticks",
    Reason.SIZE_IS_ZERO: "the sizing method gives less than one lot",
    Reason.MODIFY_BELOW_FILLED: "the new quantity is not above what has been filled",
    Reason.NO_SIZING: "no quantity given and the config has no sizing block",
    Reason.EXPIRY_INVALID: "GTD needs a time of expiry after now; other orders have none",
    Reason.EQUITY_UNKNOWN: "a share of equity, of which a part has had no rate yet",
    Reason.DUPLICATE_ORDER_ID: "an order with this id is resting in the book already",
    Reason.ORDER_ID_OUT_OF_RANGE: "the order id is beyond the book's capacity",
    Reason.TRADING_HALTED: "trading is HALTED",
    Reason.ONLY_REDUCING: "trading is REDUCING and the order would not reduce the position",
    Reason.MAX_ORDER_QTY: "above risk.max_order_qty",
    Reason.MAX_ORDER_NOTIONAL: "above risk.max_order_notional",
    Reason.PRICE_COLLAR: "the price is farther from the last one than risk.price_collar",
    Reason.MAX_POSITION: "the position would exceed risk.max_position",
    Reason.MAX_EXPOSURE: "gross exposure would exceed risk.max_exposure",
    Reason.INSUFFICIENT_BUYING_POWER: "not enough buying power for notional, collar and fees",
    Reason.INSUFFICIENT_POSITION: "a cash account cannot sell more than it holds",
    Reason.MAX_OPEN_ORDERS: "risk.max_open_orders working orders already",
    Reason.MAX_ORDER_RATE: "risk.max_order_rate orders in the window already",
    Reason.DRAWDOWN_BREACHED: "risk.max_drawdown was breached",
    Reason.WARMING_UP: "no orders while warming up",
    Reason.POST_ONLY_WOULD_TAKE: "post_only, but it would take liquidity at once",
    Reason.REDUCE_ONLY_WOULD_OPEN: "reduce_only, but there is nothing to reduce",
    Reason.REDUCE_ONLY_CLOSED: "reduce_only, and the position is closed",
    Reason.IOC_REMAINDER: "IOC: what did not fill at once expired",
    Reason.FOK_UNFILLED: "FOK: the whole quantity was not to be had at once",
    Reason.SHRUNK_TO_BUYING_POWER: "at the fill the account could pay for less; the rest was canceled",
    Reason.SHRUNK_TO_POSITION: "at the fill the account held less; the rest was canceled",
    Reason.CANCELED_BY_STRATEGY: "canceled by the strategy",
    Reason.CANCELED_BY_COMMAND: "canceled by a command",
    Reason.CANCELED_BY_RISK: "canceled by risk.on_breach",
    Reason.CANCELED_BY_FAULT: "canceled because its strategy raised and was disabled",
    Reason.INSTRUMENT_DELISTED: "the instrument was delisted",
    Reason.BOOK_BROKEN: "the book was not synchronised (a gap in the feed)",
    Reason.NO_LIQUIDITY: "the book showed nothing more to take",
    Reason.SESSION_ENDED: "DAY: its session ended",
    Reason.TIME_ENDED: "GTD: its time of expiry came",
    Reason.NOTES_FULL: "too many own orders and taken levels in one book (engine.order_capacity)",
    Reason.BOOK_ORDERS_FULL: "more orders rest in one recorded book than its capacity (engine.book_orders)",
    Reason.FUNDING_FULL: "more funding inside bars that have not ended than there is room for",
    Reason.PLOTS_FULL: "strategies plotted more values at one event than the output buffers hold",
    Reason.CALENDAR_ENDS: "the data go on beyond what the instrument's calendar knows",
    Reason.ORDERS_FULL: "the order table is full (engine.order_capacity)",
    Reason.REQUESTS_FULL: "too many requests in one event (engine.request_capacity)",
    Reason.OUTPUTS_FULL: "one event led to more fills or orders than the output buffers hold",
    Reason.DETAILS_FULL: "more detail bars inside one bar than its timeframe allows",
    Reason.REPORTS_FULL: "too many reports are waiting (engine.report_capacity)",
}
