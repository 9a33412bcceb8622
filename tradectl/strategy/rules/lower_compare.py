"""Comparisons and crossings: on whole numbers where both sides are prices or averages of prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradectl.strategy.rules.fault import Fault
from tradectl.strategy.rules.state import Book, Step, needed
from tradectl.strategy.rules.terms import Term
from tradectl.strategy.rules.tree import POWER, Between, Crosses

if TYPE_CHECKING:
    from tradectl.strategy.rules.lower import Lowering, Place

__all__ = ["compare", "lower_between", "lower_crosses"]


def compare(book: Book, sign: str, left: Term, right: Term) -> Term:
    """Return a comparison; of prices and averages of prices on whole numbers, which is exact."""
    a, b = _exact(book, left, right)
    return Term.of(f"{a} {sign} {b}", POWER["<"], left, right, is_bool=True)


def _exact(book: Book, left: Term, right: Term) -> tuple[str, str]:
    """Return two texts whose comparison is that of two terms; the second is `0` where the first is a sign."""
    power = POWER["<"] + 1
    if left.ratio is None or right.ratio is None:
        return left.inside(power), right.inside(power)
    (a, n), (b, m) = left.ratio, right.ratio
    if n != "1" and m != "1":  # two averages
        book.imports.add("sma_compare")
        return f"sma_compare({a.removesuffix('.total')}, {b.removesuffix('.total')})", "0"
    return (a if m == "1" else f"{a} * {m}"), (b if n == "1" else f"{b} * {n}")


def lower_between(low: Lowering, node: Between, place: Place) -> Term:
    """Return `x between a and b`: both bounds are included."""
    low.refuse_days(node.inner, node.low)
    low.refuse_days(node.inner, node.high)
    inner, least, most = (low.number(one, place, what=" beside `between`") for one in (node.inner, node.low, node.high))
    low.common(node, inner, least)
    low.common(node, inner, most)
    above, below = compare(low.book, ">=", inner, least), compare(low.book, "<=", inner, most)
    return Term.of(f"{above.code} and {below.code}", POWER["and"], above, below, is_bool=True)


def lower_crosses(low: Lowering, node: Crosses, place: Place) -> Term:
    """Return `a crosses above b`, whose sign is followed at every bar whatever else a condition says."""
    if place.frame or not place.is_live:
        message = "`crosses` is decided on the strategy's own bars; write `on` behind each of its two sides"
        raise Fault(message, node.start, node.end)
    left, right = (low.number(one, place, what=" beside `crosses`") for one in (node.left, node.right))
    low.common(node, left, right)
    low.book.imports |= {"Cross", "cross"}
    sign, other = _exact(low.book, left, right)
    if other != "0":
        low.book.helpers.add("sign")
        sign = f"sign({sign}, {other})"
        if needs := needed([left, right]):
            sign += f" if {' and '.join(needs)} else 0"
    step = Step(place.frame, f"{{0}} = cross(s.{{0}}, {sign})")
    name = low.book.record("cross", (sign,), "Cross()", step, [left, right])
    return Term.of(f"{name} {'>' if node.is_above else '<'} 0", POWER["<"], left, right, is_bool=True)
