"""The functions outside the class of a generated strategy: entries, exits, stops and targets."""

from __future__ import annotations

from collections.abc import Iterator

from tradectl.strategy.rules.analyse import Analysis
from tradectl.strategy.rules.terms import MONEY, Term

__all__ = ["order_helpers"]

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
        text += _enter(side, made.term(side, "size"))
        if made.term(side, "stop") or made.term(side, "trail") or made.term(side, "target"):
            text += "".join(f"{line}\n" for line in _guard(made, side))
        if made.term(side, "stop") or made.term(side, "trail"):
            text += "".join(f"{line}\n" for line in _keep(side, made.term(side, "trail")))
    if len(sides) == 2 or any(made.term(side, "exit") for side in sides):
        text += LEAVE
    return text


def _enter(side: str, size: Term | None) -> str:
    """Return the function that opens a position; what is no positive size opens none."""
    call = "buy" if side == "long" else "sell"
    head = f'\n\ndef enter_{side}(ctx, p, s):\n    """Open a {side} position'
    if size is None:
        return f'{head} of the configured size."""\n    ctx.{call}()\n'
    if size.unit == MONEY:
        return f'{head}, sized in money."""\n    value = {size.code}\n{_if_positive("value", f"{call}_value")}'
    return f'{head}."""\n    qty = ctx.round_qty({size.code})\n{_if_positive("qty", call)}'


def _if_positive(name: str, call: str) -> str:
    return f"    if {name} > 0.0:\n        ctx.{call}({name})\n"


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
