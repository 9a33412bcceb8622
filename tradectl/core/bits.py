"""64-bit words as the processor sees them: counting zeros, wide products, a cycle counter.

Every function is plain Python; compiled code gets one machine instruction in its place. Words are int64 in
both: bit 63 is the sign. Python's integers do not wrap, so what may wrap goes through `mul_low`; numpy's
scalars, which wrap with a warning, are made Python integers first.
"""

from __future__ import annotations

import math
import time

from tradectl.core.jit import when_compiling

__all__ = [
    "FNV_OFFSET", "FNV_PRIME", "cycles", "fnv_mix", "leading_zeros", "mul_high",
    "mul_high_unsigned", "mul_low", "signed", "split_float", "trailing_zeros",
    "two_to",
]  # fmt: skip

_WORD = (1 << 64) - 1
FNV_PRIME = 1099511628211
FNV_OFFSET = 14695981039346656037 - (1 << 64)  # the FNV-1a 64-bit offset basis, as int64


def signed(value: int) -> int:
    """Return the int64 that has the low 64 bits of `value`, whatever integer type that is."""
    return ((int(value) + (1 << 63)) & _WORD) - (1 << 63)


def trailing_zeros(word: int) -> int:
    """Count the zero bits below the lowest set bit of the low 64 bits; 64 when all are zero."""
    low = int(word) & _WORD
    return (low & -low).bit_length() - 1 if low else 64


def leading_zeros(word: int) -> int:
    """Count the zero bits above the highest set bit of the low 64 bits; 64 when all are zero."""
    return 64 - (int(word) & _WORD).bit_length()


def mul_low(a: int, b: int) -> int:
    """Return the low word of a × b as int64; compiled code: a multiplication that wraps."""
    return signed(int(a) * int(b))


def mul_high(a: int, b: int) -> int:
    """Return the high word of the signed 128-bit product of two int64."""
    return (int(a) * int(b)) >> 64


def mul_high_unsigned(a: int, b: int) -> int:
    """Return the high word, as int64, of the 128-bit product of two words read as unsigned."""
    return signed(((int(a) & _WORD) * (int(b) & _WORD)) >> 64)


def fnv_mix(state: int, word: int) -> int:
    """Mix one 64-bit word into an FNV-1a style digest; start from `FNV_OFFSET`."""
    return signed((int(state) ^ int(word)) * FNV_PRIME)


def split_float(x: float) -> tuple[float, int]:
    """Return (m, k) with x = m × 2^k and 0.5 <= |m| < 1, exactly; x is finite and not 0."""
    return math.frexp(x)


def two_to(k: int) -> float:
    """Return 2^k, a normal float: -1022 <= k <= 1023."""
    return math.ldexp(1.0, k)


def cycles() -> int:
    """Read the processor's cycle counter (plain Python: nanoseconds); only differences mean anything."""
    return time.perf_counter_ns()


def _lesson() -> None:
    import tradectl.core.bits_compiled  # noqa: F401 (the instructions)


when_compiling(_lesson)
