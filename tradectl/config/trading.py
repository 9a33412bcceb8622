"""The blocks `account`, `execution`, `fees`, `risk` and `sizing`: how orders are paid, filled and limited."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from tradectl.config.block import Block, key
from tradectl.config.scalars import Flag, Number, OneOf, Text, Whole
from tradectl.config.timescalars import DurationKind, TimeframeKind
from tradectl.config.units import Duration, Timeframe

__all__ = ["Account", "Execution", "Fees", "Latency", "OrderRate", "Queue", "Risk", "Sizing", "Slippage"]

DEFAULT_BALANCE = Decimal(100_000)
MAX_MONEY = "46000000000"  # units; below the engine's "no limit" of 2**62 atoms (1e-8 units)
ATOM_DECIMALS, NANO_DECIMALS = 8, 9  # money is held in 1e-8, fractions in 1e-9

Currency = Annotated[str, Text("a currency", "USD")]
Money = Annotated[Decimal, Number(gt="0", le=MAX_MONEY, example="100000", decimals=ATOM_DECIMALS)]
Balance = Annotated[Decimal, Number(ge="0", le=MAX_MONEY, example="100000", decimals=ATOM_DECIMALS)]
Qty = Annotated[Decimal, Number(gt="0", example="2.5")]
Rate = Annotated[Decimal, Number(gt="0", example="1.08")]
Share = Annotated[Decimal, Number(gt="0", le="1", example="0.25", percent=True, decimals=NANO_DECIMALS)]
FeeRate = Annotated[
    Decimal, Number(ge="-0.01", le="0.05", example="0.0005", percent=True, decimals=NANO_DECIMALS)
]
Switch = Annotated[bool, Flag()]
Delay = Annotated[Duration, DurationKind()]


class Account(Block):
    """The account that all strategies share."""

    type: Annotated[Literal["cash", "margin"], OneOf()] = key(
        "cash", "`cash` never borrows and never goes short, `margin` does both within its leverage"
    )
    currency: Currency = key("USD", "currency of equity and of the report", example="USD")
    balance: Balance | None = key(
        None,
        "start balance in `currency`; 100000 unless `balances` is given",
        unit="currency",
        example=100000,
    )
    balances: dict[Currency, Balance] | None = key(
        None,
        "start balances per currency, instead of `balance`",
        unit="each its own",
        example={"USD": 50000, "BTC": 1},
    )
    leverage: Annotated[Decimal, Number(ge="1", le="1000", example="3", decimals=NANO_DECIMALS)] = key(
        Decimal(1), "largest gross exposure ÷ equity of a margin account"
    )
    rates: dict[Currency, Rate] = key(
        dict,
        "fixed value of one unit of a currency in `currency`, where no instrument gives it; only of those in use",
        example={"EUR": 1.08},
    )

    @property
    def start_balances(self) -> dict[str, Decimal]:
        """Return the money at the start, in units per currency."""
        return self.balances if self.balances is not None else {self.currency: self.balance or Decimal(0)}

    @model_validator(mode="before")
    @classmethod
    def _fill_balance(cls, value: Any) -> Any:
        if (
            not isinstance(value, dict)
            or value.get("balance") is not None
            or value.get("balances") is not None
        ):
            return value
        return {**value, "balance": DEFAULT_BALANCE}


class Slippage(Block):
    """What market orders and triggered stops pay beyond the price; at most one of the three."""

    ticks: Annotated[int, Whole(ge=0, le=1_000_000, example="1")] | None = key(
        None, "fixed number of price steps", unit="ticks", example=1
    )
    bps: Annotated[Decimal, Number(ge="0", le="5000", example="2.5", decimals=NANO_DECIMALS - 4)] | None = (
        key(None, "share of the price", unit="1/10000", example=2.5)
    )
    volume_share: Annotated[Decimal, Number(ge="0", le="1", example="0.1", decimals=NANO_DECIMALS)] | None = (
        key(None, "price moves by this factor times (quantity ÷ the bar's volume)²", example=0.1)
    )


class Latency(Block):
    """How long messages travel between strategy and exchange."""

    entry: Delay = key(Duration("0"), "from sending an order to its arrival", example="50ms")
    response: Delay = key(Duration("0"), "from the exchange's event to the report", example="50ms")
    feed: Delay = key(
        Duration("0"),
        "book data: from the exchange's event to its receipt, for data without receive times",
        example="20ms",
    )
    compute: Delay = key(
        Duration("0"), "book data: what the strategy's own decision takes, added to `entry`", example="100us"
    )
    recorded: Annotated[str, Text("a file", "../data/latency.csv")] | None = key(
        None,
        "book data: a table (CSV, Parquet) of recorded orders with the columns request (ascending), exchange and "
        "response (ns UTC), interpolated in place of `entry` and `response`; relative to the config file",
        example="../data/latency.csv",
    )


class Queue(Block):
    """Where in a price level of depth (L2) a resting order stands."""

    short_key: ClassVar[str] = "model"

    model: Annotated[
        Literal["risk_averse", "power", "power2", "power3", "log", "log2"], OneOf()
    ] = key("power3", "how likely a cancellation in the level was behind the order (docs/fills.md)")
    n: Annotated[Decimal, Number(gt="0", le="64", example="3", decimals=NANO_DECIMALS)] = key(
        Decimal(3), "exponent of the power models"
    )


class Execution(Block):
    """How orders fill; every choice of the fill contract."""

    fill_at: Annotated[Literal["next_open", "close"], OneOf()] = key(
        "next_open",
        "price of a market order sent on a bar: the next bar's open, or the close of the bar just seen",
    )
    path: Annotated[Literal["adaptive", "ohlc", "olhc", "adverse", "favourable"], OneOf()] = key(
        "adaptive",
        "order in which a bar visits its high and low; `adaptive`: the one nearer to the open first",
    )
    participation: Share = key(Decimal(1), "share of a bar's volume that own orders may take")
    slippage: Slippage = key(Slippage, "what market orders and triggered stops pay")
    limit_gap: Annotated[Literal["limit", "open"], OneOf()] = key(
        "limit", "price of a limit order that the open has gapped through"
    )
    limit_touch: Annotated[Literal["through", "touch"], OneOf()] = key(
        "through", "whether the price must trade through a limit or only touch it"
    )
    outside_session: Annotated[Literal["drop", "keep"], OneOf()] = key(
        "drop", "what becomes of bars, trades and quotes outside the sessions of a `calendar`; always counted"
    )
    entry_bar: Switch = key(True, "protective orders are active on the bar that filled their entry")
    detail: Annotated[Timeframe, TimeframeKind()] | None = key(
        None,
        "finer bars that resolve ambiguous ones; read from the data block with `detail: true`",
        example="1m",
    )
    latency: Latency = key(Latency, "delays of orders and reports")
    queue: Queue = key(Queue, "depth: the queue model of resting orders")
    l1_leftover_ticks: Annotated[int, Whole(ge=0, le=1_000_000, example="1")] = key(
        1,
        "quotes: what the touch does not hold fills so many ticks behind it; 0: it rests, expires or is canceled",
        unit="ticks",
    )
    trigger: Annotated[Literal["auto", "last", "bid_ask"], OneOf()] = key(
        "auto",
        "book data: the price that triggers stops; `auto`: the last trade, without trades the touch",
    )
    scenarios: Switch = key(True, "run the adverse and favourable scenarios where bars were ambiguous")
    delisting: Annotated[Literal["close_at_last", "write_off"], OneOf()] = key(
        "close_at_last", "what becomes of a position in a delisted instrument"
    )


class Fees(Block):
    """Fees as fractions of notional; rebates are negative."""

    maker: FeeRate = key(Decimal(0), "fee of resting orders", unit="fraction of notional", example=0.0002)
    taker: FeeRate = key(Decimal(0), "fee of orders that take", unit="fraction of notional", example=0.0005)


class OrderRate(Block):
    """At most so many orders in any window of this length; `100/1s` is short for it."""

    short_key: ClassVar[str] = "orders"

    orders: Annotated[int, Whole(ge=1, le=1_000_000, example="100")] = key(
        ..., "orders in the window", example=100
    )
    per: Delay = key(Duration("1s"), "length of the window")

    @classmethod
    def from_short(cls, text: str) -> dict[str, Any]:
        """Split `100/1s`; `100/s` is `100/1s`."""
        orders, _, per = (part.strip() for part in text.partition("/"))
        if not orders.isdecimal() or not per:
            raise ValueError(f"expected orders per duration, e.g. 100/1s; got {text!r}")
        return {"orders": int(orders), "per": per if per[0].isdecimal() else f"1{per}"}


class Risk(Block):
    """Limits that every order passes before it is sent; what is left out is not limited."""

    max_order_qty: Qty | None = key(None, "largest order", unit="base", example=5)
    max_order_notional: Money | None = key(
        None, "largest price times quantity of an order", unit="quote", example=50000
    )
    price_collar: Share | None = key(
        None, "largest distance of a price from the last one", unit="fraction", example=0.1
    )
    max_position: Qty | None = key(
        None, "largest position of an instrument, long or short", unit="base", example=10
    )
    max_position_notional: Money | None = key(
        None, "largest position of an instrument, long or short", unit="quote", example=50000
    )
    max_exposure: Money | None = key(
        None,
        "largest sum of all positions' notionals, shorts as positive",
        unit="account currency",
        example=200000,
    )
    max_open_orders: Annotated[int, Whole(ge=1, le=1_000_000, example="50")] | None = key(
        None, "most working orders at a time", example=50
    )
    max_order_rate: OrderRate | None = key(None, "most orders in a window of time", example="100/1s")
    max_drawdown: Share | None = key(
        None, "largest loss from the peak of equity before `on_breach` acts", unit="fraction", example=0.2
    )
    on_breach: Annotated[Literal["reject", "cancel_all", "flatten"], OneOf()] = key(
        "reject", "on a drawdown breach: refuse new risk, also cancel orders, or also close all positions"
    )


class Sizing(Block):
    """Size of orders that name no quantity."""

    method: Annotated[Literal["fixed", "notional", "percent_equity"], OneOf()] = key(
        ..., "a quantity, an amount of money, or a fraction of equity", example="percent_equity"
    )
    value: Annotated[Decimal, Number(gt="0", le=MAX_MONEY, example="0.95", decimals=ATOM_DECIMALS)] = key(
        ..., "size by that method", unit="base, quote or fraction", example=0.95
    )
