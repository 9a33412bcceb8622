"""Calls in expressions: functions of numbers, and indicators with their records, inputs and outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tradectl.errors import nearest
from tradectl.strategy.rules.fault import Fault
from tradectl.strategy.rules.state import Step, needed
from tradectl.strategy.rules.terms import Term
from tradectl.strategy.rules.tree import Call, Name, Node, Number
from tradectl.strategy.rules.vocabulary import BAR_INPUTS, FUNCTIONS, Known, bar_input, known_indicators

if TYPE_CHECKING:
    from tradectl.strategy.rules.lower import Lowering, Place

__all__ = ["lower_call"]


def lower_call(low: Lowering, node: Call, place: Place, output: str, end: int = 0) -> Term:
    """Return what a call is in Python; `output` is the name behind its point, which ends at `end`."""
    known = known_indicators().get(node.name)
    if known is not None:
        return _indicator(low, node, place, known, _output(known, output, end))
    if node.name not in FUNCTIONS:
        raise _unknown(low, node)
    return _function(low, node, place)


def _unknown(low: Lowering, node: Call) -> Fault:
    end = node.start + len(node.name)
    if node.name in low.plain_names():
        return Fault(f"{node.name!r} is no function: leave out the parentheses", node.start, end)
    return Fault(f"unknown function {node.name!r}: {nearest(node.name, [*FUNCTIONS, *known_indicators()])}",
                 node.start, end)  # fmt: skip


def _function(low: Lowering, node: Call, place: Place) -> Term:
    function, name = FUNCTIONS[node.name], node.name
    if not function.least <= len(node.arguments) <= function.most:
        most = f"{function.least}..{function.most}" if function.most > function.least else str(function.least)
        message = f"{name} takes {most} argument{'s' if function.most > 1 else ''}, this has {len(node.arguments)}"
        raise Fault(message, node.start, node.end)
    parts = [low.number(one, place, what=f" in {name}(...)") for one in node.arguments]
    unit = parts[0].unit
    first = parts[0]
    for part in parts[1:]:
        unit = low.common(node, replace(first, unit=unit), part)
    if function.imported:
        low.book.imports.add(name)
        unit = (unit[0] / 2, unit[1] / 2) if name == "sqrt" and unit is not None else None
    return Term.of(f"{name}({', '.join(part.code for part in parts)})", 8, *parts, unit=unit)


def _output(known: Known, output: str, end: int) -> str:
    if output and output not in known.outputs:
        message = f"{known.name} has no output {output!r}: {nearest(output, known.outputs)}"
        raise Fault(message, end - len(output), end)
    return output or known.outputs[0]


def _split(low: Lowering, node: Call, known: Known) -> tuple[list[Node], list[Node]]:
    """Return the series and the numbers of a call; a single series that is left out is the close."""
    given = list(node.arguments)
    most = len(known.series) + len(known.numbers)
    begins_with_number = not given or isinstance(given[0], Number) or _is_param(low, given[0])
    if len(known.series) == 1 and begins_with_number and len(given) < most:
        given.insert(0, Name("close", start=node.start, end=node.end))
    least = len(known.series) + sum(default is None for _, _, default in known.numbers)
    if not least <= len(given) <= most:
        count = len(node.arguments)
        message = f"{known.name} is called as {known.call()}; this has {count} argument{'' if count == 1 else 's'}"
        raise Fault(message, node.start, node.end)
    return given[: len(known.series)], given[len(known.series) :]


def _is_param(low: Lowering, node: Node) -> bool:
    return isinstance(node, Name) and node.name in low.params


def _indicator(low: Lowering, node: Call, place: Place, known: Known, output: str) -> Term:
    series, numbers = _split(low, node, known)
    inside = replace(place, is_live=True)
    inputs = {name: low.number(one, inside, what=f" as {name} of {known.name}")
              for name, one in zip(known.series, series, strict=True)}  # fmt: skip
    record, update, is_ticks = known.record, known.update, known.is_ticks
    if is_ticks and inputs and any(one.ratio is None or one.ratio[1] != "1" for one in inputs.values()):
        record, update, output, is_ticks = "Rolling", "rolling", "mean", False  # an average of what has no ticks
    codes, parts = [], []
    for name in known.order:
        if name in BAR_INPUTS:
            codes.append(BAR_INPUTS[name])
            continue
        part = inputs.get(name) or low.series(bar_input(name), inside)
        parts.append(part)
        codes.append(part.ratio[0] if is_ticks and part.ratio is not None else part.code)
        if name.endswith("_lots"):
            codes[-1] = f"ctx.{name}"
    texts = [_number(low, one, place, known, i) for i, one in enumerate(numbers)]
    texts += [repr(default) for _, _, default in known.numbers[len(numbers) :]]
    kind = f"{record}({', '.join(_quoted(text) for text in texts)})"
    low.book.imports |= {record, update, "ready"}
    arguments = ", ".join(["s.{}", *codes])
    step = Step(place.frame, f"{update}({arguments})", needed(parts))
    name = low.book.record(known.name, (*codes, *texts), kind, step, parts)
    return _read(name, known, output, is_ticks, parts)


def _read(name: str, known: Known, output: str, is_ticks: bool, parts: list[Term]) -> Term:
    """Return the reading of an indicator's output."""
    unit = known.unit(output, parts[0].unit)
    code, power = f"s.{name}.{output}", 8
    ratio = None
    if known.name == "sma" and is_ticks:
        ratio = (f"s.{name}.total", f"s.{name}.length")
        code = f"s.{name}.total / s.{name}.length * ctx.tick_size"
        power = 6
    elif is_ticks:
        ratio = (code, "1") if known.scale == "tick_size" else None
        code, power = f"{code} * ctx.{known.scale}", 6
    made = Term.of(code, power, *parts, unit=unit)
    return replace(made, needs=(f"ready(s.{name})",), ratio=ratio, records=(name,))


def _quoted(text: str) -> str:
    return f'"{text.removeprefix("p.")}"' if text.startswith("p.") else text


def _number(low: Lowering, node: Node, place: Place, known: Known, index: int) -> str:
    """Return one of the lengths or factors of an indicator: a number, or a parameter (`p.name`)."""
    name, is_length, _default = known.numbers[index]
    if is_length:
        return low.length(node, f"the {name} of {known.call()}")
    if _is_param(low, node):
        assert isinstance(node, Name)
        return f"p.{node.name}"
    if isinstance(node, Number):
        return low.number(node, place).code
    raise Fault(f"expected a number or a parameter: the {name} of {known.call()}", node.start, node.end)

