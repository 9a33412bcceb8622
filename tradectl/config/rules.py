"""The block `rules` of a strategy: entries, exits, stops, targets and sizes as expressions; see `docs/rules.md`."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from tradectl.config.block import Block, key
from tradectl.config.scalars import Number, Text

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig
    from tradectl.strategy.rules import Analysis, RuleSet

__all__ = ["RuleParam", "RuleSide", "RuleTrouble", "Rules", "analysed", "rule_troubles"]

Expression = Annotated[str, Text("an expression", "close > sma(close, 20)")]
Figure = Annotated[Decimal, Number(example="20")]


class RuleParam(Block):
    """One named number; a bare number is its default."""

    short_key: ClassVar[str] = "default"
    short_kind: ClassVar[str] = "number"

    default: Figure = key(..., "its value unless `strategy.params` gives another", example=20)
    low: Figure | None = key(None, "the least that it may be; 1 for a number of bars", example=2)
    high: Figure | None = key(None, "the most; for a number of bars 500 or twice its default", example=200)
    help: Annotated[str, Text()] | None = key(None, "what it is", example="bars in the fast average")

    @classmethod
    def as_mapping(cls, value: Any) -> Any:
        """Accept a bare number."""
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return {"default": value}
        return super().as_mapping(value)


class RuleSide(Block):
    """When to open, leave and protect positions of one side; a bare text is its entry."""

    short_key: ClassVar[str] = "entry"

    entry: Expression = key(..., "the condition that opens a position", example="close > sma(close, 20)")
    entry_limit: Expression | None = key(
        None, "the entry is a limit order at this price while its condition holds", example="bollinger(close, 20).lower"
    )
    entry_stop: Expression | None = key(
        None, "the entry is a stop order at this price while its condition holds", example="donchian(20).upper"
    )
    exit: Expression | None = key(None, "the condition that closes it at the market", example="rsi(close, 14) > 70")
    stop: Expression | None = key(
        None, "price of a stop order, set when the entry fills", example="close - 2 * atr(14)"
    )
    target: Expression | None = key(
        None, "price of a limit order, set when the entry fills", example="entry_price * 1.03"
    )
    trail: Expression | None = key(
        None, "price that the stop follows at each bar, never back", example="close - 3 * atr(14)"
    )
    size: Expression | None = key(
        None, "quantity in units of the base, or an amount of money; left out: `sizing`", example="0.5 * equity"
    )


class Rules(Block):
    """A strategy without code."""

    params: dict[str, RuleParam] = key(dict, "named numbers that expressions use", example={"fast": 10})
    define: dict[str, Expression] = key(
        dict, "named expressions that others use", example={"trend": "ema(close, 50)"}
    )
    long: RuleSide | None = key(None, "what is bought", example={"entry": "close > sma(close, 20)"})
    short: RuleSide | None = key(
        None, "what is sold short; needs a margin account", example={"entry": "close < sma(close, 20)"}
    )


class RuleTrouble(NamedTuple):
    """A fault of rules: its key, the message with its picture, the character of the expression it is at (-1: none)."""

    loc: tuple[str | int, ...]
    message: str
    at: int


def analysed(config: "RunConfig", rules: Rules) -> "Analysis":
    """Return the rules read and checked for the bars of a run."""
    from tradectl.strategy.rules import analyse

    return analyse(_rule_set(config, rules))


def _rule_set(config: "RunConfig", rules: Rules) -> "RuleSet":
    from tradectl.strategy import rules as made

    frames = sorted({(str(bar), bar.ns) for bar in config.bars if bar.by == "time"}, key=lambda one: one[1])
    params = {
        name: made.RuleParam(float(one.default), _float(one.low), _float(one.high), one.help or "")
        for name, one in rules.params.items()
    }
    long, short = (made.Side(**one.model_dump()) if one is not None else None for one in (rules.long, rules.short))
    is_mixed = any(bar.by != "time" for bar in config.bars)
    return made.RuleSet(params, rules.define, long, short, tuple(frames), is_mixed)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def rule_troubles(config: "RunConfig") -> Iterator[RuleTrouble]:
    """Yield everything that is wrong with the rules of all strategies."""
    for index, block in enumerate(config.strategies):
        if block.rules is None:
            continue
        at = ("strategies", index, "rules")
        for one in analysed(config, block.rules).troubles:
            message = f"{one.message}\n{one.picture}" if one.picture else one.message
            yield RuleTrouble((*at, *one.key), message, one.at)
        if block.rules.short is not None and config.account.type == "cash":
            yield RuleTrouble((*at, "short"), "a cash account cannot be short: write `account: {type: margin}`", -1)
        if config.sizing is None and block.sizing is None:
            for name in ("long", "short"):
                side = getattr(block.rules, name)
                if side is not None and side.size is None:
                    text = f"this key is required where there is no `sizing:`; give `rules.{name}.size` or `sizing`"
                    yield RuleTrouble((*at, name, "size"), text, -1)
