"""From analysed rules to the source of an ordinary strategy class; the same rules give the same text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tradectl.strategy.rules.analyse import Analysis
from tradectl.strategy.rules.generate_orders import order_helpers
from tradectl.strategy.rules.lower import BASE
from tradectl.strategy.rules.ruleset import RuleParam
from tradectl.strategy.rules.tree import written

__all__ = ["source_of"]

CLASS = "Rules"
LAG = "tradectl.strategy.rules.lag"
OTHERS = {"Lag": LAG, "lag": LAG, "ratio": "tradectl.core.functions"}  # what is imported from elsewhere
WIDTH = 100
WINDOW = 500  # the longest window of a parameter without `high`, unless twice its default is longer
SIGN = '''

def sign(a, b):
    """Return 1 where a is above b, -1 where it is below, else 0."""
    return (1 if a > b else 0) - (1 if a < b else 0)
'''


def source_of(made: Analysis) -> str:
    """Return the strategy's source."""
    sides = [side for side, _ in made.rules.sides()]
    helpers = order_helpers(made, sides)
    _note_state(made, sides)
    body = [*_head(made), *_params(made), *_state(made), *_on_bar(made, sides), *_on_fill(made, sides)]
    text = "\n".join(body) + "\n" + helpers + (SIGN if "sign" in made.book.helpers else "")
    return "\n".join([*_imports(made, text), "", "", text.rstrip("\n"), ""])


def _note_state(made: Analysis, sides: list[str]) -> None:
    """Add what the orders need to be remembered to the state."""
    fields = made.book.fields
    guarded = [side for side in sides if made.term(side, "stop") or made.term(side, "trail")]
    if guarded:
        fields["stop"] = "Int64()  # order id of the stop"
        fields["stop_price"] = "Float64()"
    if any(made.term(side, "target") for side in sides):
        fields["target"] = "Int64()  # order id of the target"
    for side in sides:
        for kind in made.resting(side):
            fields[f"{side}_order"] = "Int64()  # order id of the entry"
            fields[f"{side}_{kind}"] = "Float64()"
    if made.leaves:
        fields["leaving"] = "Int64()  # order id of the last exit"
    if made.turning:
        fields["next"] = "Int64()  # the side that follows once the position is closed, +1 or -1"


def _imports(made: Analysis, text: str) -> Iterator[str]:
    names = set(made.book.imports)
    names |= {kind for kind in ("Float64", "Int64") if f"{kind}(" in text}
    names |= {kind for kind in ("Float", "Int") if f" = {kind}(" in text}
    names |= {"ready"} if "ready(" in text else set()
    others = {name: module for name, module in OTHERS.items() if name in names}
    yield '"""Made from the `rules` of a configuration; `tradectl strategy rules` writes it."""'
    yield ""
    if "math." in text:
        yield "import math"
        yield ""
    used = [name for name in names if name not in OTHERS]
    listed = sorted({*used, "strategy"}, key=lambda name: (not name[0].isupper(), name))
    line = f"from tradectl.strategy import {', '.join(listed)}"
    if len(line) <= WIDTH:
        yield line
    else:
        yield "from tradectl.strategy import ("
        yield from textwrap.wrap(", ".join(listed) + ",", WIDTH - 4, initial_indent=" " * 4, subsequent_indent=" " * 4)
        yield ")"
    for module in sorted(set(others.values())):
        yield f"from {module} import {', '.join(sorted((n for n in others if others[n] == module), key=str.lower))}"




def _head(made: Analysis) -> Iterator[str]:
    yield "@strategy"
    yield f"class {CLASS}:"
    yield '    """Trade by rules.'
    yield ""
    texts = [(f"{name} is", text) for name, text in _definitions(made)]
    texts += [(f"{side} {part}:", written(tree)) for (side, part), tree in made.trees.items()]
    for label, text in texts:
        yield from textwrap.wrap(f"{label} {text}", WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8,
                                 break_long_words=False, break_on_hyphens=False)  # fmt: skip
    yield '    """'


def _definitions(made: Analysis) -> Iterator[tuple[str, str]]:
    from tradectl.strategy.rules.parse import parse

    for name, text in made.rules.define.items():
        yield name, written(parse(text))


def _params(made: Analysis) -> Iterator[str]:
    if not made.rules.params:
        return
    yield ""
    yield "    class Params:"
    for name, param in made.rules.params.items():
        yield f"        {name} = {_param(param, name in made.lengths)}"


def _param(param: RuleParam, is_whole: bool) -> str:
    """Return a parameter's declaration; a length needs bounds, for windows are made for the longest."""
    number = (lambda value: str(int(value))) if is_whole else (lambda value: repr(float(value)))
    low, high = param.low, param.high
    if is_whole:
        low = 1 if low is None else low
        high = max(WINDOW, 2 * param.default) if high is None else high
    parts = [number(param.default)]
    parts += [f"{name}={number(value)}" for name, value in (("low", low), ("high", high)) if value is not None]
    parts += [f"help={param.help!a}"] if param.help else []
    return f"{'Int' if is_whole else 'Float'}({', '.join(parts)})"


def _state(made: Analysis) -> Iterator[str]:
    if not made.book.fields:
        return
    yield ""
    yield "    class State:"
    for name, kind in made.book.fields.items():
        yield f"        {name} = {kind}"


def _steps(made: Analysis, frame: str, indent: str) -> Iterator[str]:
    needs: tuple[str, ...] = ()
    for step in made.book.steps:
        if step.frame == frame:
            if step.needs and step.needs != needs:
                yield f"{indent}if {' and '.join(step.needs)}:"
            needs = step.needs
            yield f"{indent}{'    ' if needs else ''}{step.code}"


def _on_bar(made: Analysis, sides: list[str]) -> Iterator[str]:
    yield ""
    yield "    def on_bar(ctx, p, s):"
    frames = list(made.rules.frames)
    used = {step.frame for step in made.book.steps}
    for text, length in frames[1:]:
        if text in used:
            yield f"        if ctx.timeframe_ns == {length:_}:  # {text}"
            yield from _steps(made, text, " " * 12)
    if made.rules.is_mixed and not frames:
        yield "        if ctx.frame > 0:  # rules are decided at the first of `bars:`"
        yield "            return"
    elif len(frames) > 1 or made.rules.is_mixed:
        yield f"        if ctx.timeframe_ns != {frames[0][1]:_}:  # rules are decided at bars of {frames[0][0]}"
        yield "            return"
    if "bars_held" in made.book.fields:
        yield "        s.bars_held = 0 if ctx.position_lots == 0 else s.bars_held + 1"
    yield from _steps(made, BASE, " " * 8)
    yield from _gate(made)
    for side in sides:
        for part in ("entry", "entry_limit", "entry_stop", "exit"):
            term = made.term(side, part)
            if term is not None:
                yield from _assigned(f"        {side}_{part} = ", term.code)
    yield from _decide(made, sides)


def _assigned(head: str, code: str) -> Iterator[str]:
    """Yield an assignment, over several lines where it is long."""
    pieces = _pieces(code, " or ")
    pieces = _pieces(code, " and ") if len(pieces) == 1 else pieces
    if len(head + code) <= WIDTH or len(pieces) == 1:
        yield head + code
        return
    indent = " " * (len(head) - len(head.lstrip()))
    yield f"{head}("
    yield from (f"{indent}    {piece}" for piece in pieces)
    yield f"{indent})"


def _pieces(code: str, word: str) -> list[str]:
    """Split a condition before each `word` that stands in no parentheses."""
    made, depth, first = [], 0, 0
    for at, sign in enumerate(code):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and code.startswith(word, at):
            made.append(code[first:at])
            first = at + 1
    return [*made, code[first:]]


def _gate(made: Analysis) -> Iterator[str]:
    """Nothing is decided before all that is read has a value."""
    kept = {f"not math.isnan(s.{name})" for name, frame in made.book.frame_of.items() if frame == BASE}
    needs = dict.fromkeys(need for term in made.terms.values() for need in term.needs if need not in kept)
    if not needs:
        yield "        if not ctx.is_tradable:"
    elif len(line := f"        if not (ctx.is_tradable and {' and '.join(needs)}):") <= WIDTH:
        yield line
    else:
        yield "        if not ("
        yield "            ctx.is_tradable"
        yield from (f"            and {need}" for need in needs)
        yield "        ):"
    yield "            return"


def _decide(made: Analysis, sides: list[str]) -> Iterator[str]:
    """Yield what is done with a position of each side, and without one."""
    if made.turning:
        yield "        if not ctx.is_live(s.leaving):"
        yield "            s.next = 0"
    for index, side in enumerate(sides):
        sign = ">" if side == "long" else "<"
        yield f"        {'elif' if index else 'if'} ctx.position_lots {sign} 0:"
        yield from _hold(made, side, next((one for one in made.turning if one != side), None))
    resting = [side for side in sides if made.resting(side)]
    entering = [side for side in sides if side not in resting]
    if not resting:
        yield "        elif ctx.open_orders == 0:"
    else:
        yield "        else:"
        yield from (f"            {_rested(made, side)}" for side in resting)
    for index, side in enumerate(entering):
        if resting:  # an entry at the market waits for its like, not for one that rests
            yield f"            waiting = 1 if ctx.is_live(s.{resting[0]}_order) else 0"
        alone = " and ctx.open_orders == waiting" if resting else ""
        yield f"            {'elif' if index else 'if'} {side}_entry{alone}:"
        yield f"                enter_{side}(ctx, p, s)"


def _rested(made: Analysis, side: str) -> str:
    """Return the call that keeps the entry of a side where it is wanted."""
    prices = ", ".join(f"{side}_entry_{kind}" for kind in made.resting(side))
    return f"rest_{side}(ctx, p, s, {side}_entry, {prices})"


def _hold(made: Analysis, side: str, other: str | None) -> Iterator[str]:
    """Yield what is done while a position of this side is open; `other` is the side that would turn it."""
    leaving = [f"{side}_exit"] if made.term(side, "exit") else []
    leaving += [f"{other}_entry"] if other else []
    kept = []
    if made.term(side, "stop") or made.term(side, "trail"):
        trail = made.term(side, "trail")
        kept.append(f"keep_{side}(ctx, s, {trail.code})" if trail else f"keep_{side}(ctx, s)")
    if made.resting(side):
        kept.append(_rested(made, side))
    if leaving:
        yield f"            if {' or '.join(leaving)}:"
        if other:
            yield f"                s.next = {'-1' if side == 'long' else '1'} if {other}_entry else 0"
        yield "                leave(ctx, s)"
    if not kept and not leaving:
        yield "            return"
    if kept and leaving:
        yield "            elif not ctx.is_live(s.leaving):"
    indent = " " * (16 if leaving else 12)
    yield from (f"{indent}{line}" for line in kept)


def _on_fill(made: Analysis, sides: list[str]) -> Iterator[str]:
    """Yield the hook that puts exits behind an entry, takes back entries, and lets the other side follow an exit."""
    resting = [side for side in sides if made.resting(side)]
    flat = [f"take_back(ctx, s.{side}_order)" for side in resting]
    if made.turning:
        flat += ["side = s.next", "s.next = 0"]
    for index, side in enumerate(made.turning):
        sign = ">" if side == "long" else "<"
        flat += [f"{'elif' if index else 'if'} side {sign} 0:", f"    enter_{side}(ctx, p, s)"]
    branches = [("ctx.position_lots == 0", flat)] if flat else []
    for side in sides:
        sign = ">" if side == "long" else "<"
        lines = [f"take_back(ctx, s.{other}_order)" for other in resting if other != side]
        if any(made.term(side, part) for part in ("stop", "trail", "target")):
            lines.append(f"guard_{side}(ctx, p, s)")
        if lines:
            branches.append((f"fill.side {sign} 0 and ctx.position_lots {sign} 0", lines))
    if not branches:
        return
    yield ""
    yield "    def on_fill(ctx, p, s, fill):"
    for index, (condition, lines) in enumerate(branches):
        yield f"        {'elif' if index else 'if'} {condition}:"
        yield from (f"            {line}" for line in lines)
