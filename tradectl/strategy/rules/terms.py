"""What an expression is once its names are known: Python text with a type, and what it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tradectl.strategy.rules.tree import POSTFIX

__all__ = ["MONEY", "PLAIN", "PRICE", "QTY", "Term", "Unit", "words_of"]

Unit = tuple[Fraction, Fraction]  # powers of the quote currency and of the base


def _unit(quote: int, base: int) -> Unit:
    return Fraction(quote), Fraction(base)


PLAIN, PRICE, QTY, MONEY = _unit(0, 0), _unit(1, -1), _unit(0, 1), _unit(1, 0)
_WORDS = {PLAIN: "a plain number", PRICE: "a price", QTY: "a quantity", MONEY: "an amount of money"}


def words_of(unit: Unit | None) -> str:
    """Return a unit in words; None is a number that fits any."""
    if unit is None:
        return "a number"
    return _WORDS.get(unit) or f"a number in quote^{unit[0]} base^{unit[1]}"


@dataclass(frozen=True)
class Term:
    """An expression in Python: its text, and how tightly this holds together (`tree.POWER`).

    `unit` is None for a number that fits any unit; `needs` are the conditions under which it has a value;
    `ratio` are the texts of two integers (the second may be `1`) whose quotient, in ticks, is its exact value;
    `records` are the fields of the state that it reads; `size` and `depth` count its nodes.
    """

    code: str
    power: int = POSTFIX
    is_bool: bool = False
    unit: Unit | None = None
    needs: tuple[str, ...] = ()
    ratio: tuple[str, str] | None = None
    records: tuple[str, ...] = ()
    size: int = 1
    depth: int = 1

    @property
    def words(self) -> str:
        """Return what it is, for messages."""
        return "a truth value" if self.is_bool else words_of(self.unit)

    def inside(self, power: int) -> str:
        """Return its text as an operand of something that holds its operands as tightly as `power`."""
        return self.code if self.power >= power else f"({self.code})"

    @staticmethod
    def of(code: str, power: int, *parts: Term, is_bool: bool = False, unit: Unit | None = None) -> Term:
        """Return the term that is made of parts: it needs what they need."""
        return Term(
            code, power, is_bool, unit,
            needs=tuple(dict.fromkeys(need for part in parts for need in part.needs)),
            records=tuple(dict.fromkeys(name for part in parts for name in part.records)),
            size=1 + sum(part.size for part in parts),
            depth=1 + max((part.depth for part in parts), default=0),
        )  # fmt: skip
