"""The exception tree; only `tradectl.cli` turns it into exit codes.

TradectlError               1  (also: `verify` found a difference)
├── ConfigError             2  file:line, key, what was expected, valid choices
├── DataError               3  file, row, column, what was expected
├── StrategyError           4  the author's code raised; file:line of their source
├── FeedError               5  a live source failed
├── StoreError              6  a run folder, journal or catalogue cannot be read or written
├── VersionError            7  a run was made by other versions
└── InvariantViolation     70  a bug of ours: the audit, a bound or a capacity proof failed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DataError",
    "FeedError",
    "InvariantViolation",
    "StoreError",
    "StrategyError",
    "TradectlError",
    "VersionError",
    "nearest",
    "nearest_of",
]


class TradectlError(Exception):
    """Base of every error that tradectl raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(TradectlError):
    """A configuration, option or combination of them is wrong."""

    exit_code = 2


class DataError(TradectlError):
    """Input data is missing, damaged or refused by its checks."""

    exit_code = 3


class StrategyError(TradectlError):
    """A strategy's source does not compile, or its code raised."""

    exit_code = 4


class FeedError(TradectlError):
    """A live source failed."""

    exit_code = 5


class StoreError(TradectlError):
    """A run folder, journal or catalogue cannot be read or written."""

    exit_code = 6


class VersionError(TradectlError):
    """A run was made by other versions than these."""

    exit_code = 7


class InvariantViolation(TradectlError):
    """A bug of tradectl: the audit, a bound or a capacity proof failed."""

    exit_code = 70


def nearest_of(word: str, choices: Iterable[str]) -> str:
    """Return the one of `choices` that `word` most likely means, whatever its case; empty: none is near.

    The only one that goes on as the word begins comes before those that are spelt alike: `wed` is wednesday.
    """
    spelt = {one.casefold(): one for one in sorted(choices, reverse=True)}
    folded = word.casefold()
    begun = [one for one in spelt if one.startswith(folded)] if len(folded) > 2 else []
    close = begun if len(begun) == 1 else difflib.get_close_matches(folded, spelt, n=1, cutoff=0.6)
    return spelt[close[0]] if close else ""


def nearest(word: str, choices: Iterable[str], limit: int = 12) -> str:
    """Say which of `choices` is nearest to `word`, if any is near, then list them: of many the nearest first."""
    options = sorted(choices)
    close = nearest_of(word, options)
    if len(options) > limit:
        folded = word.casefold()
        options.sort(key=lambda one: (one != close, -difflib.SequenceMatcher(None, one.casefold(), folded).ratio()))
    listed = ", ".join(options[:limit]) + (f", … ({len(options)} in all)" if len(options) > limit else "")
    return (f"did you mean {close!r}? " if close else "") + f"valid: {listed}"
