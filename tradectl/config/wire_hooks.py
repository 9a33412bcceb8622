"""What strategies wait for and the data do not have: told, for such a run sends no order and fails nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tradectl.core.codes import Hook
from tradectl.strategy.loader import LoadedStrategy

__all__ = ["unheard"]

BOOK, PRINTS = {"quotes", "depth", "orders"}, {"trades", "orders"}  # kinds of data with a bid and ask; with trades
READS_BOOK = (  # of `ctx`; `bid`, `ask` and `mid` are left out, for a strategy's own state may have these names
    "bid_ticks", "ask_ticks", "bid_qty", "ask_qty", "bid_lots", "ask_lots", "spread_ticks", "level_price", "level_qty",
    "depth_qty",
)  # fmt: skip


def unheard(label: str, strategy: LoadedStrategy, kinds: Sequence[frozenset[str]]) -> Iterator[str]:
    """Yield notes on what a strategy has hooks for or reads, and no instrument's data has; `kinds` by instrument."""
    known: frozenset[str] = frozenset().union(*kinds)
    if not known:
        return
    there = f"the data has {' and '.join(sorted(known))} alone"
    waits = [f"on_{name}" for name in ("quote", "depth") if Hook[f"ON_{name.upper()}"] in strategy.functions]
    called = [*strategy.functions.values(), *strategy.helpers]
    names = {name for function in called for name in function.__code__.co_names}
    waits += [f"ctx.{name}" for name in READS_BOOK if name in names]
    if waits and not known & BOOK:
        yield f"strategy {label} uses {', '.join(waits)}, and {there}: it sees no bid and no ask"
    if Hook.ON_TRADE in strategy.functions and not known & PRINTS:
        yield f"strategy {label} has on_trade, and {there}: it is never called"
