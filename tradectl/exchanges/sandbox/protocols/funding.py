"""Funding of perpetuals in the sandbox: every eight hours, at a rate that depends on symbol and hour alone."""

from __future__ import annotations

import zlib

from tradectl.exchanges.sandbox.market import Market

__all__ = ["FUNDING_NS", "next_funding", "past_rates", "rate_pico", "rate_text"]

FUNDING_NS = 8 * 3_600_000_000_000
PAST = 1_000  # payments there were before now
STEP_PICO = 10_000  # rates are multiples of 1e-8
WIDEST = 20_000  # steps: 0.02 %


def next_funding(now: int) -> int:
    """Return the time of the next payment, ns UTC."""
    return now - now % FUNDING_NS + FUNDING_NS


def rate_pico(market: Market, at: int) -> int:
    """Return the rate of the payment at `at` in 1e-12: what the source said, else made of symbol and time."""
    if market.rate:
        return market.rate
    return (
        zlib.crc32(f"{market.listing.symbol}@{at // FUNDING_NS}".encode()) % (2 * WIDEST + 1) - WIDEST // 2
    ) * STEP_PICO


def rate_text(market: Market, now: int) -> str:
    """Return the rate of the next payment as text with eight decimals."""
    return _text(rate_pico(market, next_funding(now)))


def past_rates(market: Market, begins: int, ends: int, count: int) -> list[tuple[int, str]]:
    """Return (time, rate) of the first `count` payments in [begins, ends]; of the last ones if `begins` is 0."""
    newest = ends - ends % FUNDING_NS
    first = max(-(-begins // FUNDING_NS) * FUNDING_NS, newest - PAST * FUNDING_NS)
    stamps = range(first, newest + 1, FUNDING_NS)
    return [(at, _text(rate_pico(market, at))) for at in (stamps[:count] if begins else stamps[-count:])]


def _text(pico: int) -> str:
    sign, value = "-" if pico < 0 else "", abs(pico) // 10_000
    return f"{sign}{value // 100_000_000}.{value % 100_000_000:08d}"
