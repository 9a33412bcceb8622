"""docs/indicators.md: every indicator with formula, source, warm-up, and where it equals TA-Lib and expected values."""

from __future__ import annotations

import inspect

import numpy as np

__all__ = ["AGREEMENT", "indicators_page"]

LENGTH = 14  # of an indicator without a default
# What tests/unit/strategy/test_indicators_peers.py compares, to 1e-9 relative: with TA-Lib on a walk, on 502 real days
# and on real minutes; with the expected values of those days (an independent implementation's). Bars count from 0.
AGREEMENT: dict[str, str] = {
    "sma": "TA-Lib and expected: from the first value",
    "ema": "TA-Lib and expected: from the first value",
    "rma": "neither has it alone: it is inside rsi, atr and adx",
    "wma": "TA-Lib and expected: from the first value",
    "dema": "TA-Lib: from the first value. Expected: from bar 200 (n = 14), for there both averages begin at bar n - 1",
    "tema": "TA-Lib: from the first value. Expected: from bar 350 (n = 20), for there all averages begin at bar n - 1",
    "hma": "expected: from the first value. TA-Lib has none",
    "kama": "TA-Lib: from the first value",
    "rsi": "TA-Lib and expected: from the first value; without any change it is 50 here, 0 in TA-Lib",
    "roc": "TA-Lib (ROCP) and expected (in percent): from the first value",
    "momentum": "TA-Lib and expected: from the first value",
    "macd": "expected: from the first value. TA-Lib: from bar 250, for its fast average begins with the slow one",
    "trix": "TA-Lib: from the first value",
    "stochastic": "TA-Lib (STOCH) and expected: from the first value; a range of 0 is 50 here, 0 in TA-Lib",
    "stoch_rsi": "TA-Lib (with smooth_k = 1, which it has not): from the first value; a range of 0 is 50 here, 0 there",
    "williams_r": "TA-Lib: from the first value; a range of 0 is -50 here, 0 there",
    "cci": "TA-Lib and expected: from the first value",
    "adx": "expected: from the first value. TA-Lib: from bar 400 (n = 14), for its first sums are of n - 1 moves",
    "aroon": "TA-Lib: from the first value",
    "supertrend": "TA-Lib has none",
    "psar": "TA-Lib: from the first value. Expected: from bar 40, for there the first side is always up; there a stop "
    "may turn to within the bar (1 of 502)",
    "ichimoku": "TA-Lib has none",
    "atr": "TA-Lib and expected: from bar 350 (n = 14), for these leave out the first bar's own range",
    "volatility": "TA-Lib has none",
    "bollinger": "TA-Lib and expected: from the first value",
    "keltner": "TA-Lib has none",
    "donchian": "TA-Lib (MAX, MIN): `upper`, `lower`; expected: `prior_upper`, `prior_lower`; all exact",
    "obv": "expected: from the first value. TA-Lib: less the first bar's volume, with which it begins",
    "vwap": "of one session as anchored_vwap",
    "anchored_vwap": "expected: from the first value. TA-Lib has none",
    "rolling_vwap": "TA-Lib has none",
    "mfi": "TA-Lib: from the first value, but where a mean price equals the one before to the last tick (rounding "
    "decides there); no flow at all is 50 here, 0 there",
    "cmf": "TA-Lib has none",
    "rolling": "TA-Lib (SMA) and expected: from the first value",
    "variance": "TA-Lib (VAR) with ddof = 0: from the first value, to 1e-9 of the largest (its running sums cancel)",
    "std": "TA-Lib (STDDEV, likewise) and expected with ddof = 0: from the first value",
    "zscore": "expected with ddof = 0: from the first value",
    "highest": "TA-Lib (MAX): from the first value, exact",
    "lowest": "TA-Lib (MIN): from the first value, exact",
    "rank": "TA-Lib has none",
    "correlation": "TA-Lib (CORREL, to 1e-9 of 1): from the first value; a still series is NaN here, 0 there",
    "beta": "TA-Lib's BETA is of returns: feed it with returns",
    "linreg": "TA-Lib (LINEARREG, _SLOPE, _INTERCEPT): from the first value",
}
HEAD = """# Indicators

Generated from the program; do not edit. How a strategy uses them stands in [strategies.md](strategies.md).

An indicator is a record in `State` and a function that takes in a value. The function returns the main
output, NaN until ready; the other outputs are fields of the record (`s.macd.signal`), valid once
`ready(s.macd)`. A value that is NaN is left out, as if there had been no bar. Lengths and factors are
numbers or names of parameters. All work in constant time a value (on average), but those marked O(n), and
none drifts: windows are summed in blocks, so that nothing is ever taken away again; compiled and plain give
the same bits.

**Warm-up** is how many values it takes until all outputs are there, for the lengths in the first column (14
where there is no default). `tradectl strategy show FILE` tells the bars that a strategy needs,
`ctx.is_ready` whether all its indicators have had theirs. Averages that never forget (ema, rma and what is
made of them) are there by then, yet still lean on where the data begins.

**Chains.** An indicator that is fed with another one's output counts from the first value that it gets: `ready` and
`ctx.is_ready` are right by themselves. How many bars the chain needs is known only where it is declared with `of`:

    class State:
        index = Rsi(14)
        smooth = Ema(9).of(index)     # 15 + 9 - 1 = 23 bars; without `of` the strategy says 15

    def on_bar(ctx, p, s):
        ema(s.smooth, rsi(s.index, ctx.close))

`tradectl check warmup` tells where indicators were ready later than they say. Rules declare their chains themselves.

Every indicator is tested against a slow definition on whole arrays. **Equal to** says where it is also the
same, to 1e-9 relative, as TA-Lib's and as the values expected by another implementation, and where not,
why.
"""


def indicators_page() -> str:
    """Return docs/indicators.md."""
    from tradectl.strategy.indicators.registry import ALIASES, INDICATORS

    lines = [HEAD, "| indicator | outputs | warm-up | formula and source | equal to |", "|---|---|---|---|---|"]
    for name, entry in INDICATORS.items():
        if name in AGREEMENT:
            lines.append(_row(name, entry))
    lines += ["", "Other names in rules: " + ", ".join(f"`{a}` = `{b}`" for a, b in ALIASES.items()) + ".", ""]
    return "\n".join(lines)


def _row(name: str, entry: object) -> str:
    from tradectl.strategy.indicators.registry import Entry
    from tradectl.strategy.memory import Sizes

    assert isinstance(entry, Entry)
    wanted = [one for one in inspect.signature(entry.record).parameters.values() if one.name != "room"]
    given = [LENGTH if one.default is inspect.Parameter.empty else one.default for one in wanted]
    record = entry.record(*given)
    made = np.zeros(1, record.dtype(Sizes({}, {})))
    record.fill(made, Sizes({}, {}))
    inputs = ", ".join(list(inspect.signature(entry.update).parameters)[1:])
    made_with = f"{entry.record.__name__}({', '.join(map(str, given))})"
    doc = inspect.cleandoc(entry.update.__doc__ or "").split("\n\n")
    kind = inspect.cleandoc(entry.record.__doc__ or "").split("\n\n")[0]
    text = " ".join(" ".join([kind, *doc]).split())
    cells = (
        f"`{made_with}`<br>`{name}(rec, {inputs})`", ", ".join(f"`{one}`" for one in entry.outputs),
        str(int(made["needed"][0])), text, AGREEMENT[name],
    )  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
