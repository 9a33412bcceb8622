"""The functions outside the class of a generated strategy: entries, exits, stops and targets."""

from __future__ import annotations

from collections.abc import Iterator

from tradectl.strategy.rules.analyse import Analysis
from tradectl.strategy.rules.terms import MONEY, Term

__all__ = ["order_helpers"]

TAKE_BACK = '''

def take_back(ctx, order):
    """Cancel an entry that rests, if there is one."""
    if ctx.is_live(order):
        ctx.cancel(order)
'''
LEAVE = '''

def leave(ctx, s):
    """Close the position at the market, unless that is on its way."""
    if not ctx.is_live(s.leaving):
        if ctx.open_orders > 0:
            ctx.cancel_all()
        s.leaving = ctx.close_position()
'''


def order_helpers(made: Analysis, sides: list[str]) -> str:
    """Return the functions that the sides need."""
    text = ""
    for side in sides:
        text += _enter(side, made.term(side, "size"), made.resting(side))
        if made.resting(side):
            text += "".join(f"{line}\n" for line in _rest(side, made.resting(side)))
        if made.term(side, "stop") or made.term(side, "trail") or made.term(side, "target"):
            text += "".join(f"{line}\n" for line in _guard(made, side))
        if made.term(side, "stop") or made.term(side, "trail"):
            text += "".join(f"{line}\n" for line in _keep(side, made.term(side, "trail")))
    if any(made.resting(side) for side in sides):
        text += TAKE_BACK
    return text + LEAVE if made.leaves else text


def _enter(side: str, size: Term | None, resting: list[str]) -> str:
    """Return the function that opens a position; what is no positive size opens none."""
    call = "buy" if side == "long" else "sell"
    prices = [f"{kind}={kind}" for kind in resting]
    head = f'\n\ndef enter_{side}({", ".join(["ctx", "p", "s", *resting])})'
    head += f':\n    """{"Send the entry of" if resting else "Open"} a {side} position'
    result = "return " if resting else ""
    if size is None:
        return f'{head} of the configured size."""\n    {result}ctx.{call}({", ".join(prices)})\n'
    name, text, value = "qty", '."""', f"ctx.round_qty({size.code})"
    if size.unit == MONEY:
        name, text, value, call = "value", ', sized in money."""', size.code, f"{call}_value"
    sent = f"ctx.{call}({', '.join([name, *prices])})"
    done = f"return {sent} if {name} > 0.0 else 0" if resting else f"if {name} > 0.0:\n        {sent}"
    return f"{head}{text}\n    {name} = {value}\n    {done}\n"


def _rest(side: str, resting: list[str]) -> Iterator[str]:
    """Yield the function that sends an entry, moves it and takes it back."""
    prices = ", ".join(resting)
    yield ""
    yield ""
    yield f"def rest_{side}(ctx, p, s, is_wanted, {prices}):"
    yield '    """Keep one entry at its price while it is wanted; a position gets no second one."""'
    yield f"    if not (is_wanted and {' and '.join(f'{kind} > 0.0' for kind in resting)}):"
    yield f"        take_back(ctx, s.{side}_order)"
    yield f"    elif ctx.is_live(s.{side}_order):"
    moved = " or ".join(f"abs({kind} - s.{side}_{kind}) >= ctx.tick_size" for kind in resting)
    yield f"        if {moved}:"
    kept = [f"s.{side}_{kind} = {kind}" for kind in resting]
    yield from (f"            {line}" for line in kept)
    yield f"            ctx.modify(s.{side}_order, {', '.join(f'{kind}={kind}' for kind in resting)})"
    yield "    elif ctx.position_lots == 0:"
    yield from (f"        {line}" for line in kept)
    yield f"        s.{side}_order = enter_{side}(ctx, p, s, {prices})"


def _guard(made: Analysis, side: str) -> Iterator[str]:
    """Yield the function that puts stop and target behind an entry."""
    stop = made.term(side, "stop") or made.term(side, "trail_later")
    target = made.term(side, "target")
    call = "sell" if side == "long" else "buy"
    what = " and ".join(name for name, one in (("stop", stop), ("target", target)) if one)
    yield ""
    yield ""
    yield f"def guard_{side}(ctx, p, s):"
    yield f'    """Place the {what} of the whole position; what an earlier part of the entry had goes."""'
    if stop is not None:
        yield "    if ctx.is_live(s.stop):"
        yield "        ctx.cancel(s.stop)"
        yield f"    s.stop_price = {stop.code}"
        yield f"    s.stop = ctx.{call}(stop=s.stop_price, reduce_only=True)"
    if target is not None:
        yield "    if ctx.is_live(s.target):"
        yield "        ctx.cancel(s.target)"
        yield f"    s.target = ctx.{call}(limit={target.code}, reduce_only=True)"


def _keep(side: str, trail: Term | None) -> Iterator[str]:
    """Yield the function that keeps the stop in its place, and moves it where it trails."""
    call = "sell" if side == "long" else "buy"
    yield ""
    yield ""
    yield f"def keep_{side}(ctx, s{', level' if trail else ''}):"
    if trail is None:
        yield '    """Put the stop back where it is gone."""'
    else:
        way = "Raise" if side == "long" else "Lower"
        yield f'    """{way} the stop to `level` if that is a tick or more; put it back where it is gone."""'
    yield "    if not ctx.is_live(s.stop):"
    yield f"        s.stop = ctx.{call}(stop=s.stop_price, reduce_only=True)"
    if trail is not None:
        move = ">= s.stop_price + " if side == "long" else "<= s.stop_price - "
        yield f"    elif level {move}ctx.tick_size:"
        yield "        s.stop_price = level"
        yield "        ctx.modify(s.stop, stop=level)"
