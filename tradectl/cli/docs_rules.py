"""The tables of docs/rules.md, from the vocabulary of expressions."""

from __future__ import annotations

import re

__all__ = ["rules_tables"]


def _meaning(name: str) -> str:
    """Return what an indicator is: its record's sentence, or where several share a record what the update returns."""
    from tradectl.strategy.indicators.registry import INDICATORS

    record, update, _outputs = INDICATORS[name]
    if sum(one.record is record for one in INDICATORS.values()) > 1:
        said = (update.__doc__ or "").partition("return ")[2]
        text = re.split(r", NaN|; NaN|\.\s|\.$", said.partition("\n")[0])[0]
        return f"{text[0].upper()}{text[1:]}."
    text = " ".join((record.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"; `(?:value|total)`", text)[0].rstrip(".") + "."


def rules_tables() -> dict[str, str]:
    """Return the generated tables of docs/rules.md by name."""
    from tradectl.strategy.rules.terms import PRICE, words_of
    from tradectl.strategy.rules.vocabulary import FACTS, FUNCTIONS, SERIES, known_indicators

    names = [f"| `{name}` | {words_of(unit)} | {doc} |" for name, (unit, doc) in SERIES.items()]
    names += [f"| `{name}` | {words_of(fact.unit)} | {fact.doc} |" for name, fact in FACTS.items()]
    functions = []
    for name, one in FUNCTIONS.items():
        call = f"{name}(a, b, ...)" if one.most > 1 else f"{name}(x)"
        functions.append(f"| `{call}` | {one.doc} |")
    also: dict[str, list[str]] = {}
    for name, known in known_indicators().items():
        also.setdefault(known.name, []).extend([name] if name != known.name else [])
    indicators = []
    for name, others in also.items():
        known = known_indicators()[name]
        outputs = ", ".join(f"`.{one}`" for one in known.outputs) if len(known.outputs) > 1 else ""
        unit = known.unit(known.outputs[0], PRICE)
        told = words_of(unit) if unit is not None else "any"
        alias = f" (also {', '.join(f'`{one}`' for one in others)})" if others else ""
        indicators.append(f"| `{known.call()}`{alias} | {outputs} | {told} | {_meaning(name)} |")
    return {
        "names": "\n".join(["| name | unit | what it is |", "|---|---|---|", *names]),
        "functions": "\n".join(["| | |", "|---|---|", *functions]),
        "indicators": "\n".join(["| call | outputs | of prices | what it is |", "|---|---|---|---|", *indicators]),
    }
