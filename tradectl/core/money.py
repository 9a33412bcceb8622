"""Exact money arithmetic on int64: a × b ÷ c with a 128-bit intermediate and one directed rounding.

A quotient beyond int64 saturates at its limits, never wraps: bounds proven at load time make that
unreachable in a run, and a saturated amount fails every later check instead of passing one.
"""

from __future__ import annotations

from tradectl.core.bits import mul_high, mul_low
from tradectl.core.jit import kernel, routine

__all__ = [
    "INT64_MAX", "INT64_MIN", "NANO", "fee_atoms", "muldiv_ceil", "muldiv_floor", "notional_ceil",
    "notional_floor", "share_floor",
]  # fmt: skip

INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)
NANO = 1_000_000_000  # fee rates are in units of 1e-9
_DIGIT_MASK = (1 << 21) - 1  # 63 bits are three digits of 21
_SHORT_DENOMINATOR = 1 << 42  # below it, remainder × 2^21 + digit fits an int64


@kernel
def _divide_top(top: int, low: int, den: int) -> int:
    """Divide top × 2^63 + (low 63 bits of `low`) by den, rounding down; needs 0 <= top < den.

    LLVM's 128-bit division is not to be had, so this is long division: three digits where the denominator
    leaves room for them, else one bit at a time without ever forming more than 63 bits.
    """
    if den < _SHORT_DENOMINATOR:
        partial = (top << 21) | ((low >> 42) & _DIGIT_MASK)
        quotient = partial // den
        partial = ((partial - quotient * den) << 21) | ((low >> 21) & _DIGIT_MASK)
        digit = partial // den
        quotient = (quotient << 21) | digit
        partial = ((partial - digit * den) << 21) | (low & _DIGIT_MASK)
        return (quotient << 21) | (partial // den)
    quotient = 0
    rest = top
    for step in range(63):
        bit = (low >> (62 - step)) & 1
        room = den - rest
        if rest + bit >= room:  # 2 rest + bit >= den, said without leaving 63 bits
            rest = rest + bit - room
            quotient = (quotient << 1) | 1
        else:
            rest = rest + rest + bit
            quotient = quotient << 1
    return quotient


@routine
def _muldiv_wide(a: int, b: int, den: int, up: int) -> int:
    """Divide a × b by den where the product needs more than 63 bits; up: 1 rounds up, 0 down."""
    high, low = mul_high(a, b), mul_low(a, b)
    negative = high < 0
    if negative:  # go on with the magnitude
        high = -high - (1 if low != 0 else 0)
        low = mul_low(low, -1)
    limit = INT64_MIN if negative else INT64_MAX
    if high >= 1 << 62:
        return limit
    top = (high << 1) | ((low >> 63) & 1)
    if top >= den:
        return limit
    quotient = _divide_top(top, low, den)
    exact = mul_low(quotient, den) == low  # the remainder is below den < 2^63: zero if its low word is
    if negative:
        return -quotient - (1 if up == 0 and not exact else 0)
    if up == 1 and not exact and quotient < INT64_MAX:
        return quotient + 1
    return quotient


@kernel
def muldiv_floor(a: int, b: int, den: int) -> int:
    """Return floor(a × b ÷ den) for int64 a and b and den > 0, saturated to int64."""
    low = mul_low(a, b)
    if mul_high(a, b) == low >> 63:
        return low // den
    return _muldiv_wide(a, b, den, 0)


@kernel
def muldiv_ceil(a: int, b: int, den: int) -> int:
    """Return ceil(a × b ÷ den) for int64 a and b and den > 0, saturated to int64."""
    low = mul_low(a, b)
    if mul_high(a, b) == low >> 63:
        quotient = low // den
        return quotient + (1 if quotient * den != low else 0)
    return _muldiv_wide(a, b, den, 1)


@kernel
def fee_atoms(notional_atoms: int, rate_nano: int) -> int:
    """Return ceil(notional × rate ÷ 1e9) in atoms: against the trader; a negative rate is a rebate.

    With n = d (n div d) + n mod d the product splits exactly into parts that fit int64 for rates below
    100 %, and a division by the constant 1e9 is a multiplication; higher rates take the general path.
    """
    if rate_nano >= NANO or rate_nano <= -NANO:
        return muldiv_ceil(notional_atoms, rate_nano, NANO)
    whole = notional_atoms // NANO
    part = (notional_atoms - whole * NANO) * rate_nano
    quotient = part // NANO
    return whole * rate_nano + quotient + (1 if quotient * NANO != part else 0)


@kernel
def share_floor(atoms: int, nano: int) -> int:
    """Return floor(atoms × nano ÷ 1e9) for a share of atoms; up to 100 % without a real division."""
    if nano > NANO or nano < 0:
        return muldiv_floor(atoms, nano, NANO)
    whole = atoms // NANO
    return whole * nano + (atoms - whole * NANO) * nano // NANO


@routine
def _notional_wide(price_ticks: int, qty_lots: int, num: int, den: int, up: int) -> int:
    """Return price × qty × num ÷ den where a partial product leaves int64, rounded once.

    price × qty = whole × den + part with 0 <= part < den, so the result is whole × num + part × num ÷ den.
    """
    whole = muldiv_floor(price_ticks, qty_lots, den)
    if whole in (INT64_MAX, INT64_MIN):
        return whole
    part = mul_low(mul_low(price_ticks, qty_lots) - mul_low(whole, den), 1)
    rest = muldiv_ceil(part, num, den) if up == 1 else muldiv_floor(part, num, den)  # 0 <= rest <= num
    product = mul_low(whole, num)
    if mul_high(whole, num) != product >> 63:
        # A product just below -2^63 could still come back by `rest`: only then is whole × num + num in range.
        above = mul_low(whole + 1, num)
        if whole < 0 and mul_high(whole + 1, num) == above >> 63 and above - INT64_MIN >= num - rest:
            return above - (num - rest)
        return INT64_MIN if whole < 0 else INT64_MAX
    if product > INT64_MAX - rest:
        return INT64_MAX
    return product + rest


@kernel
def notional_floor(price_ticks: int, qty_lots: int, num: int, den: int) -> int:
    """Return floor(price × qty × num ÷ den) atoms, num/den > 0 being atoms per tick-lot; saturates."""
    value = mul_low(price_ticks, qty_lots)
    if mul_high(price_ticks, qty_lots) == value >> 63:
        if den == 1:  # the usual case: no division
            atoms = mul_low(value, num)
            if mul_high(value, num) == atoms >> 63:
                return atoms
        return muldiv_floor(value, num, den)
    return _notional_wide(price_ticks, qty_lots, num, den, 0)


@kernel
def notional_ceil(price_ticks: int, qty_lots: int, num: int, den: int) -> int:
    """Return ceil(price × qty × num ÷ den) atoms, num/den > 0 being atoms per tick-lot; saturates."""
    value = mul_low(price_ticks, qty_lots)
    if mul_high(price_ticks, qty_lots) == value >> 63:
        if den == 1:
            atoms = mul_low(value, num)
            if mul_high(value, num) == atoms >> 63:
                return atoms
        return muldiv_ceil(value, num, den)
    return _notional_wide(price_ticks, qty_lots, num, den, 1)
