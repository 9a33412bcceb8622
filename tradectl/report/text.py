"""Figures as people read them: what is undefined is a dash, a minus is a minus sign."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "DASH", "TICKS", "Write", "count", "counted", "days", "decimal", "duration", "money", "ns_of", "percent",
    "quantity", "share", "signed", "stamp", "tone", "treated", "unmarked", "unvalued",
]  # fmt: skip

DASH = "–"
TICKS = ",.12~r"  # how an axis writes its numbers: with as many digits as tell two ticks apart
DONE = {"drop": "dropped", "round": "rounded", "clip": "clipped", "sort": "sorted", "report": "kept"}
Write = Callable[[Any], str]
STEPS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def _number(value: Any) -> float | None:
    """Return a finite float, or None."""
    if value is None or isinstance(value, (bool, str)):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _written(value: Any, form: str) -> str:
    number = _number(value)
    if number is None:
        return DASH
    text = format(number, form)
    if text.startswith("-"):  # what rounds to nothing has no sign
        text = text[1:] if not any(c in "123456789" for c in text) else "−" + text[1:]
    return text


def decimal(value: Any) -> str:
    """Write a ratio with two decimals."""
    return _written(value, ",.2f")


money = decimal


def count(value: Any) -> str:
    """Write a whole number with thousands separated."""
    return _written(value, ",.0f")


def counted(value: Any, what: str) -> str:
    """Write a number of things, `what` being one of them."""
    return f"{count(value)} {what}{'' if _number(value) == 1.0 else 's'}"


def percent(value: Any) -> str:
    """Write a fraction as a percentage with two decimals; small ones with as many as they need."""
    number = _number(value)
    if number is None:
        return DASH
    text = _written(number * 100.0, ",.4f")
    if abs(number) >= 1e-3 or text.endswith("00"):
        text = _written(number * 100.0, ",.2f")
    return text + " %"


def share(value: Any) -> str:
    """Write a fraction of a whole as a percentage with one decimal."""
    number = _number(value)
    return DASH if number is None else _written(number * 100.0, ",.1f") + " %"


def quantity(value: Any) -> str:
    """Write an amount of units with six digits."""
    return _written(value, ",.6g")


def signed(value: Any, write: Write = money) -> str:
    """Write a gain with a plus, a loss with a minus."""
    number = _number(value)
    return ("+" if number is not None and number > 0 else "") + write(value)


def tone(value: Any) -> str:
    """Return the class of a gain or a loss."""
    number = _number(value)
    return "" if not number else "gain" if number > 0 else "loss"


def days(value: Any) -> str:
    """Write a number of days."""
    number = _number(value)
    return DASH if number is None else f"{number:,.1f} days" if number < 10 else f"{number:,.0f} days"


def duration(seconds: Any) -> str:
    """Write a duration given in seconds in the two largest units that say something."""
    number = _number(seconds)
    if number is None:
        return DASH
    if number == 0.0:
        return "0 s"
    sign, number = ("−" if number < 0 else ""), abs(number)
    for k, (size, unit) in enumerate(STEPS):
        if number < size and k < len(STEPS) - 1:
            continue
        if size <= 1.0:
            return f"{sign}{number / size:.3g} {unit}"
        smaller, name = STEPS[k + 1]
        whole, rest = divmod(round(number / smaller), round(size / smaller))
        return f"{sign}{whole} {unit} {rest} {name}" if rest else f"{sign}{whole} {unit}"
    return DASH


def stamp(ns: int | None, *, seconds: bool = True) -> str:
    """Write a time given in ns UTC."""
    if not ns:
        return DASH
    made = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return made.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def ns_of(text: str) -> int:
    """Return an ISO time of UTC, with up to nine decimals, in ns."""
    whole, _, rest = text.replace("Z", "+00:00").partition(".")
    digits = "".join(c for c in rest[:9] if c.isdigit()) if rest else ""
    made = datetime.fromisoformat(whole if not rest else whole + "+00:00")
    return int(made.replace(tzinfo=made.tzinfo or UTC).timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


def unvalued(summary: Mapping[str, Any]) -> str:
    """Return what to say where a run's equity was never known, for no price gave a currency its rate; else nothing."""
    if summary.get("initial_equity", 0.0) is not None:
        return ""
    unrated = [row for row in summary.get("balances") or () if not row["rate_pico"]]
    names = [str(row["currency"]) for row in unrated if row["balance_atoms"] or row["value_atoms"]]
    return (
        f"no price in the run's time gave {', '.join(names) or 'a currency'} a rate: equity and returns are not known, "
        "and the final equity is without it"
    )


def unmarked(summary: Mapping[str, Any]) -> str:
    """Say why fills of a run may lack mark-outs."""
    crowded = "too many waited at once (engine.order_capacity)"
    broken = any(one.get("gaps") for one in summary.get("book") or ())
    return f"a gap had broken the book by then, or {crowded}" if broken else crowded


def treated(fault: Mapping[str, Any], instruments: Sequence[Mapping[str, Any]]) -> str:
    """Say what was done about a fault of the data; `instruments` as in the summary, with the shifts of clocks."""
    of = fault["instrument"] if fault["kind"] == "clock" else None
    shift_ns = max((int(one.get("shift_ns") or 0) for one in instruments if one["instrument"] == of), default=0)
    return f"corrected by {shift_ns / 1e6:,.6g} ms" if shift_ns else DONE.get(str(fault["action"]), fault["action"])
