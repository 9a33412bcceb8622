"""Volume: on-balance volume, volume-weighted prices, money flow."""

from __future__ import annotations

import math

from tradectl.core.functions import ratio
from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, Part, indicator
from tradectl.strategy.indicators.window import Sum, add
from tradectl.strategy.memory import Float64, Int64, Length

__all__ = [
    "Cmf", "Mfi", "Obv", "RollingVwap", "Vwap", "anchored_vwap", "cmf", "mfi", "obv", "restart", "rolling_vwap", "vwap",
]  # fmt: skip


class Obv(Indicator):
    """On-balance volume in lots, exact; `value` begins at 0."""

    def __init__(self) -> None:
        super().__init__(1, previous=Int64, value=Int64)


@indicator(Obv, integers="close in ticks, volume in lots")
def obv(rec, close_ticks, volume_lots):
    """Take in a close and a volume (below 0: unknown, counts as none); return the balance in lots, 0 at first.

    obv[t] = obv[t-1] + volume where the close rose, - volume where it fell.
    Source: J. Granville, Granville's New Key to Stock Market Profits (1963).
    """
    if rec.count > 0 and volume_lots > 0:
        if close_ticks > rec.previous:
            rec.value += volume_lots
        elif close_ticks < rec.previous:
            rec.value -= volume_lots
    rec.previous = close_ticks
    rec.count += 1
    return rec.value


class Total(Part):
    """A sum of floats that grows without end, and what its rounding has left over."""

    def __init__(self) -> None:
        super().__init__(total=Float64, rest=Float64)


@kernel
def _grow(sum, x):
    """Add a value; return the sum. Compensated: W. Kahan, Further Remarks on Reducing Truncation Errors (1965)."""
    y = x - sum.rest
    total = sum.total + y
    sum.rest = (total - sum.total) - y
    sum.total = total
    return total


class Vwap(Indicator):
    """Volume-weighted average price since a session began or since its anchor."""

    def __init__(self) -> None:
        super().__init__(1, session=Int64, traded=Total(), volumes=Total())


@indicator(Vwap)
def anchored_vwap(rec, high, low, close, volume):
    """Take in a bar; return the average since the first bar after `restart(rec)`, NaN before any volume.

    sum of p * volume / sum of volume, p = (high + low + close) / 3.
    Source: S. Berkowitz, D. Logue, E. Noser, The Total Cost of Transactions on the NYSE (1988).
    """
    total = high + low + close + volume
    if total != total:
        return math.nan
    traded = _grow(rec.traded, (high + low + close) / 3.0 * volume)
    volumes = _grow(rec.volumes, volume)
    if volumes <= 0.0:
        return math.nan
    rec.count += 1
    rec.value = traded / volumes
    return rec.value


@indicator(Vwap)
def restart(rec):
    """Put the anchor here: the next bar is the first one that counts."""
    rec.count = 0
    rec.value = math.nan
    rec.traded.total = rec.traded.rest = 0.0
    rec.volumes.total = rec.volumes.rest = 0.0


@indicator(Vwap)
def vwap(rec, high, low, close, volume, session):
    """Take in a bar and the number of its session; return the average of the session, NaN before any volume in it.

    sum of p * volume / sum of volume, p = (high + low + close) / 3, from the first bar with another session on.
    `ctx.session` numbers sessions; of markets that never close they are the days of UTC.
    Source: S. Berkowitz, D. Logue, E. Noser, The Total Cost of Transactions on the NYSE (1988).
    """
    if session != rec.session:
        rec.session = session
        restart(rec)
    return anchored_vwap(rec, high, low, close, volume)


class RollingVwap(Indicator):
    """Volume-weighted average price of the last `length` bars."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, traded=Sum(length), volumes=Sum(length))


@indicator(RollingVwap)
def rolling_vwap(rec, high, low, close, volume):
    """Take in a bar; return the average, NaN for the first length - 1 bars and where nothing was traded.

    sum of p * volume / sum of volume over n bars, p = (high + low + close) / 3.
    """
    total = high + low + close + volume
    if total != total:
        return math.nan
    traded = add(rec.traded, rec.length, (high + low + close) / 3.0 * volume)
    return _share(rec, traded, add(rec.volumes, rec.length, volume))


@kernel
def _share(rec, part, whole):
    """Count the bar; return part / whole once ready, NaN where the whole is 0."""
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.value = ratio(part, whole)
    return rec.value


class Mfi(Indicator):
    """Money flow index of `length` changes, in 0..100."""

    extra = 1

    def __init__(self, length: Length = 14) -> None:
        super().__init__(length, previous=Float64, inflow=Sum(length), outflow=Sum(length))


@indicator(Mfi)
def mfi(rec, high, low, close, volume):
    """Take in a bar; return the index, NaN for the first `length` bars.

    100 * in / (in + out) over n bars: p * volume counts as in where p = (high + low + close) / 3 rose, as out where
    it fell; 50 where both are 0. Source: G. Quong, A. Soudack, Stocks & Commodities 7:3 (1989).
    """
    total = high + low + close + volume
    if total != total:
        return math.nan
    price = (high + low + close) / 3.0
    before = rec.previous
    rec.previous = price
    rec.count += 1
    if rec.count == 1:
        return math.nan
    flow = price * volume
    inflow = add(rec.inflow, rec.length, flow if price > before else 0.0)
    outflow = add(rec.outflow, rec.length, flow if price < before else 0.0)
    if rec.count < rec.needed:
        return math.nan
    both = inflow + outflow
    rec.value = 100.0 * inflow / both if both > 0.0 else 50.0
    return rec.value


class Cmf(Indicator):
    """Chaikin money flow of `length` bars, in -1..1."""

    def __init__(self, length: Length = 20) -> None:
        super().__init__(length, flows=Sum(length), volumes=Sum(length))


@indicator(Cmf)
def cmf(rec, high, low, close, volume):
    """Take in a bar; return the flow, NaN for the first length - 1 bars and where nothing was traded.

    sum of volume * ((close - low) - (high - close)) / (high - low) over sum of volume; a bar of one price adds 0.
    Source: M. Chaikin (the 1980s); S. Achelis, Technical Analysis from A to Z (1995).
    """
    total = high + low + close + volume
    if total != total:
        return math.nan
    place = ((close - low) - (high - close)) / (high - low) if high > low else 0.0
    flow = add(rec.flows, rec.length, place * volume)
    return _share(rec, flow, add(rec.volumes, rec.length, volume))
