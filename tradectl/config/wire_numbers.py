"""Settings as the engine's integers: decimals to lots, atoms, nanos; ConfigError where one does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tradectl.config.units import format_ns
from tradectl.core.codes import (
    AccountType,
    BarBy,
    BookLevel,
    Breach,
    FillAt,
    PathRule,
    QueueModel,
    SizingMethod,
    TriggerSource,
)
from tradectl.core.instrument import ATOMS_PER_UNIT, Instrument
from tradectl.core.layout import NO_LIMIT
from tradectl.engine.spec import AccountSpec, ExecutionSpec, Hours, InstrumentLimits, RiskSpec
from tradectl.errors import ConfigError, nearest

if TYPE_CHECKING:
    from tradectl.config.load import Loaded
    from tradectl.config.models import Account, Execution, Risk, RunConfig, Sizing
    from tradectl.config.models import Instrument as InstrumentBlock

__all__ = [
    "account_spec", "counted_frames", "execution_spec", "frames_left_out", "instrument_block", "level_of", "limits_of",
    "refuse_unused_rates", "risk_spec", "scaled",
    "sizing_of", "wanted_frames",
]  # fmt: skip

NANO, PICO = 10**9, 10**12
BPS_TO_NANO = 10**5
LEVELS = {
    "bars": BookLevel.BARS,
    "trades": BookLevel.PRINTS,
    "quotes": BookLevel.QUOTES,
    "depth": BookLevel.DEPTH,
    "orders": BookLevel.ORDERS,
}
MAX_INT = 2**62 - 1  # NO_LIMIT stands above all values


def scaled(value: Decimal, factor: int, name: str) -> int:
    """Return value × factor as an exact integer below 2**62; `name` is the key for the error."""
    numerator, denominator = value.as_integer_ratio()
    whole, rest = divmod(numerator * factor, denominator)
    if rest:
        raise ConfigError(f"{name}: {value:f} is finer than the engine holds (1/{factor:,})")
    if abs(whole) > MAX_INT:
        raise ConfigError(
            f"{name}: {value:f} is larger than the engine holds ({Decimal(MAX_INT) / factor:.6g})"
        )
    return whole


def account_spec(account: Account) -> AccountSpec:
    """Return the account in atoms, nanos and picos."""
    return AccountSpec(
        account_type=AccountType[account.type.upper()],
        currency=account.currency,
        balances={
            name: scaled(value, ATOMS_PER_UNIT, f"account.balances.{name}")
            for name, value in account.start_balances.items()
        },
        leverage_nano=scaled(account.leverage, NANO, "account.leverage"),
        rates_pico={
            name: scaled(value, PICO, f"account.rates.{name}") for name, value in account.rates.items()
        },
    )


def refuse_unused_rates(loaded: Loaded, instruments: Sequence[Instrument]) -> None:
    """Raise ConfigError at a rate of a currency that no instrument is quoted in and no balance is held in."""
    account = loaded.config.account
    used = {account.currency, *account.start_balances, *(one.quote for one in instruments)}
    for name in account.rates:
        if name not in used:
            key = f"account.rates.{name}"
            raise ConfigError(
                f"{loaded.sources.get(key, loaded.path)}: {key}: no instrument is quoted in {name} and no balance is "
                f"held in it; {nearest(name, used)}"
            )


def execution_spec(execution: Execution, sample_ns: int) -> ExecutionSpec:
    """Return the fill rules as codes and integers; `sample_ns`: of equity on book data."""
    slippage = execution.slippage
    zero = Decimal(0)
    return ExecutionSpec(
        fill_at=FillAt[execution.fill_at.upper()],
        path=PathRule[execution.path.upper()],
        participation_nano=scaled(execution.participation, NANO, "execution.participation"),
        slip_ticks=slippage.ticks or 0,
        slip_nano=scaled(slippage.bps or zero, BPS_TO_NANO, "execution.slippage.bps"),
        slip_share_nano=scaled(slippage.volume_share or zero, NANO, "execution.slippage.volume_share"),
        limit_gap_open=execution.limit_gap == "open",
        limit_touch=execution.limit_touch == "touch",
        entry_bar=execution.entry_bar,
        write_off=execution.delisting == "write_off",
        latency_entry_ns=execution.latency.entry.ns,
        latency_response_ns=execution.latency.response.ns,
        latency_compute_ns=execution.latency.compute.ns,
        l1_leftover_ticks=execution.l1_leftover_ticks,
        sample_ns=sample_ns,
    )


def level_of(instrument: Instrument, kinds: frozenset[str]) -> BookLevel:
    """Return what the kinds of data of an instrument say about its book; the finest one decides."""
    found = [LEVELS[kind] for kind in kinds if kind in LEVELS]
    if BookLevel.BARS in found and len(found) > 1:
        others = ", ".join(sorted(kind for kind in kinds if LEVELS.get(kind, BookLevel.BARS)))
        raise ConfigError(
            f"{instrument.id} has bars and {others}: its orders cannot be matched on both",
            hint="leave the bars out; `bars:` makes them from trades or quotes",
        )
    return max(found, default=BookLevel.BARS)


def trigger_of(execution: Execution, kinds: frozenset[str]) -> TriggerSource:
    """Return the price that triggers stops: as configured, else the last trade where there are any."""
    if execution.trigger == "auto":
        trades = kinds & {"trades", "orders"}
        return TriggerSource.LAST if trades else TriggerSource.BID_ASK
    return TriggerSource[execution.trigger.upper()]


def _atoms(value: Decimal | None, name: str) -> int:
    return NO_LIMIT if value is None else scaled(value, ATOMS_PER_UNIT, name)


def _nano(value: Decimal | None, name: str, unset: int) -> int:
    return unset if value is None else scaled(value, NANO, name)


def risk_spec(risk: Risk) -> RiskSpec:
    """Return the account's limits."""
    rate = risk.max_order_rate
    return RiskSpec(
        max_order_notional_atoms=_atoms(risk.max_order_notional, "risk.max_order_notional"),
        price_collar_nano=_nano(risk.price_collar, "risk.price_collar", 0),
        max_exposure_atoms=_atoms(risk.max_exposure, "risk.max_exposure"),
        max_open_orders=NO_LIMIT if risk.max_open_orders is None else risk.max_open_orders,
        rate_orders=rate.orders if rate is not None else 0,
        rate_ns=rate.per.ns if rate is not None else 0,
        max_drawdown_nano=_nano(risk.max_drawdown, "risk.max_drawdown", NO_LIMIT),
        on_breach=Breach[risk.on_breach.upper()],
    )


def instrument_block(config: RunConfig, instrument: Instrument) -> InstrumentBlock | None:
    """Return what the configuration says about an instrument, under its id or its bare symbol."""
    return config.instruments.get(instrument.id) or config.instruments.get(instrument.symbol)


def _lots(value: Decimal | None, instrument: Instrument, name: str) -> int:
    """Return the whole lots in a limit; one below a lot would refuse every order and is an error."""
    if value is None:
        return NO_LIMIT
    lots = int(value // instrument.lot_size)
    if lots == 0:
        raise ConfigError(
            f"{name}: {value:f} is less than one lot of {instrument.id} ({instrument.lot_size:f})"
        )
    return min(lots, MAX_INT)


def limits_of(
    config: RunConfig, instrument: Instrument, timeframe_ns: int, kinds: frozenset[str], hours: Hours | None = None
) -> InstrumentLimits:
    """Return fees, limits, hours and book of one instrument with data of some kinds."""
    block, risk = instrument_block(config, instrument), config.risk
    fees = block.fees if block is not None and block.fees is not None else config.fees
    name = f"instruments.{instrument.symbol}.max_qty"
    return InstrumentLimits(
        maker_nano=scaled(fees.maker, NANO, "fees.maker"),
        taker_nano=scaled(fees.taker, NANO, "fees.taker"),
        max_order_lots=_lots(risk.max_order_qty, instrument, "risk.max_order_qty"),
        max_position_lots=_lots(risk.max_position, instrument, "risk.max_position"),
        max_position_notional=_atoms(risk.max_position_notional, "risk.max_position_notional"),
        timeframe_ns=timeframe_ns,
        listed=instrument.listed_ns is None,
        max_qty_lots=_lots(block.max_qty if block is not None else None, instrument, name),
        level=level_of(instrument, kinds),
        window=config.engine.window,
        l3_orders=config.engine.book_orders,
        queue_model=QueueModel[config.execution.queue.model.upper()],
        queue_power=float(config.execution.queue.n),
        trigger=trigger_of(config.execution, kinds),
        mid_bars=not kinds & {"trades", "orders"},
        hours=hours,
    )


def sizing_of(sizing: Sizing) -> tuple[SizingMethod, int]:
    """Return (method, value): nanos of base, atoms of quote, or nanos of equity."""
    method = SizingMethod[sizing.method.upper()]
    factor = ATOMS_PER_UNIT if method == SizingMethod.NOTIONAL else NANO
    return method, scaled(sizing.value, factor, "sizing.value")


def counted_frames(
    config: RunConfig, instruments: Sequence[Instrument], kinds: Sequence[frozenset[str]]
) -> tuple[tuple[BarBy, Decimal], ...]:
    """Return the derived bars that are not of time, in the order of the configuration."""
    for bar in config.bars:
        for instrument, known in zip(instruments, kinds, strict=False):
            if bar.by in ("volume", "notional") and known and not known & {"trades", "orders", "bars"}:
                raise ConfigError(
                    f"bars: {bar} needs trades, and {instrument.id} has only {', '.join(sorted(known))}",
                    hint="bars of time and of `tick` can be made of mids",
                )
    return tuple((BarBy[bar.by.upper()], bar.size) for bar in config.bars if bar.by != "time")


def wanted_frames(config: RunConfig, frame_of: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """Return (derived timeframes in ns, finest first; whether strategies are called on the source's bars).

    `frame_of`: the length of each instrument's bars; 0: they are made from trades or quotes. Beside such an instrument
    bars of the source's own length are derived ones too: one place in `bars:` is one place for all.
    """
    sources = sorted(set(frame_of) - {0})
    if not config.bars:
        return (), len(sources) > 0
    if 0 not in frame_of:
        _refuse_unmade(config, sources)
    asked = sorted(frame.ns for frame in config.bars if frame.by == "time")
    own = sources[0] if len(sources) == 1 and 0 not in frame_of else 0
    return tuple(ns for ns in asked if ns != own), own in asked


def _refuse_unmade(config: RunConfig, sources: Sequence[int]) -> None:
    """Raise ConfigError for `bars:` that cannot be made of source bars of these lengths, ns, alone."""
    for frame in config.bars:
        if frame.by != "time":
            raise ConfigError(f"bars: {frame!s} is made of trades, and the data are bars")
        for source in sources:
            if not frame.is_made_of(source):
                raise ConfigError(
                    f"bars: {frame!s} is no multiple of the data's timeframe {format_ns(source)}",
                    hint="bars can only be made longer, by whole multiples",
                )


def frames_left_out(config: RunConfig, instruments: Sequence[Instrument], frame_of: Sequence[int]) -> Iterator[str]:
    """Yield notes on instruments with bars, beside tick data, of which not all of `bars:` can be made.

    ConfigError for one of which none can.
    """
    for instrument, source in zip(instruments, frame_of, strict=True):
        left = [str(frame) for frame in config.bars if source and not frame.is_made_of(source)]
        if not left:
            continue
        told = f"{instrument.id} has bars of {format_ns(source)}, of which no bars of {' and '.join(left)} can be made"
        if len(left) == len(config.bars):
            raise ConfigError(f"bars: {told}", hint=f"add {format_ns(source)} or a multiple of it")
        yield f"{told}: its strategies are called on the others"
