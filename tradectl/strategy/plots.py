"""The series that a strategy declares in its class `Plots` and draws with `ctx.plot`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tradectl.errors import StrategyError, nearest

__all__ = ["Dots", "Line", "Series", "Steps", "describe", "key_of", "plot_problem", "plot_series"]

LONGEST = 40  # characters of a panel's name


@dataclass(frozen=True)
class Series:
    """One plotted series: over the prices, or in the panel of that name below them."""

    panel: str = ""
    style = ""


class Line(Series):
    """Values joined by a line."""

    style = "line"


class Steps(Series):
    """Each value holds until the next."""

    style = "steps"


class Dots(Series):
    """A dot for each value."""

    style = "dots"


@cache
def key_of(name: str) -> int:
    """Return the number that stands for a series in the rows of a run: 63 bits of its name's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def plot_series(owner: str, declared: Mapping[str, Any]) -> dict[str, Series]:
    """Return the series of a class `Plots`, checked."""
    made = {}
    for name, value in declared.items():
        one = value() if isinstance(value, type) and issubclass(value, Series) else value
        if not isinstance(one, Series) or not one.style:
            styles = "Line(), Line(panel='rsi'), Steps() or Dots()"
            raise StrategyError(f"{owner}.Plots.{name} must be declared as {styles}, not {value!r}")
        if not isinstance(one.panel, str) or len(one.panel) > LONGEST:
            raise StrategyError(
                f"{owner}.Plots.{name}: panel must be a name of at most {LONGEST} characters, not {one.panel!r}"
            )
        made[name] = one
    return made


def plot_problem(name: Any, declared: Iterable[str]) -> str:
    """Return what is wrong with the first argument of `ctx.plot`, or nothing."""
    names = list(declared)
    if not isinstance(name, str):
        return "ctx.plot takes a series' name written out, as ctx.plot('fast', value)"
    if name in names:
        return ""
    if not names:
        return f"no series {name!r}: declare it in the strategy, class Plots: {name} = Line()"
    return f"no series {name!r} in Plots: {nearest(name, names)}"


def describe(series: Mapping[str, Series]) -> list[dict[str, str]]:
    """Return the series as plain values: name, style, panel (empty: over the prices)."""
    return [{"name": name, "style": one.style, "panel": one.panel} for name, one in series.items()]
