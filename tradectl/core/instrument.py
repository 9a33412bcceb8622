"""What an instrument is: its names, its grid of prices and quantities, its life on the venue."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

__all__ = ["ATOMS_PER_UNIT", "Instrument"]

ATOMS_PER_UNIT = 100_000_000  # atoms in one unit of any currency


@dataclass(frozen=True)
class Instrument:
    """One tradable instrument; prices are multiples of `tick_size`, quantities of `lot_size`.

    `min_notional` is in units of the quote currency; `listed_ns` and `delisted_ns` in ns UTC (None: always).
    """

    venue: str
    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    listed_ns: int | None = None
    delisted_ns: int | None = None

    @property
    def id(self) -> str:
        """Return `venue:SYMBOL`."""
        return f"{self.venue}:{self.symbol}"

    @property
    def atoms_per_tick_lot(self) -> Fraction:
        """Return the money, in atoms, of one lot at a price of one tick."""
        return Fraction(self.tick_size) * Fraction(self.lot_size) * ATOMS_PER_UNIT
