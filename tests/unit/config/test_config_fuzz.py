"""Whatever the text, the answer is a configuration or a ConfigError that names the place."""

# ruff: noqa: E501, RUF001 (tables of words)

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.config.test_config_load import EXAMPLE, SHORT, WIDE
from tradectl.config.load import load_text
from tradectl.errors import ConfigError

WORDS = ["", "~", "[]", "{}", "-1", "0", "1.5", "1e999", "true", "abc", "[1, {a: b}]", "{a: {b: 1}}", "*x", "!!int q",
         "'", '"', "\t", "1m", "2017-01-01", "- x", "? y", "<<: 3", "&x", "|", ">", "%", "@", "`", "\u2028", "𝟙"]  # fmt: skip
NAMES = ["strategy", "strategies", "data", "bars", "account", "execution", "risk", "fees", "sizing", "instruments",
         "engine", "output", "latency", "slippage", "params", "symbols", "mapping", "session", "max_order_rate",
         "path", "source", "detail", "from", "to", "timeframe", "balances", "rates", "tag", "on_error", "x"]  # fmt: skip


def outcome(text: str, sets: list[str] | None = None, env: dict[str, str] | None = None) -> str:
    """Return an empty text for a configuration, else the message; any other exception fails the test."""
    try:
        loaded = load_text(text, "c.yaml", sets or [], env)
    except ConfigError as error:
        message = str(error)
        assert message.startswith(("c.yaml", "--set ", "env ")), message
        return message
    assert load_text(yaml.safe_dump(loaded.resolved())).hash() == loaded.hash()
    return ""


@pytest.mark.parametrize("text", [EXAMPLE, SHORT, WIDE], ids=["example", "short", "wide"])
def test_damaged_texts(text: str) -> None:
    source = random.Random(7)
    told = 0
    for _ in range(250):
        at, length = source.randrange(len(text)), source.choice([0, 1, 3, 12])
        told += outcome(text[:at] + source.choice(WORDS) + text[at + length :]) != ""
    assert told > 60


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(), st.text(max_size=6), st.sampled_from(WORDS),
    st.sampled_from(["cash", "margin", "close", "1m", "1h", "2017-01-01", "a.py"]),
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), trees, max_size=6))
def test_any_tree(tree: dict[str, object]) -> None:
    outcome(yaml.safe_dump(tree, allow_unicode=True))
    outcome(yaml.safe_dump({"strategy": "a.py", "data": "b.csv"} | tree, allow_unicode=True))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.sampled_from(WORDS),
    st.sampled_from([EXAMPLE, SHORT]),
)
def test_any_set_and_environment(names: list[str], value: str, text: str) -> None:
    outcome(text, sets=[f"{'.'.join(names)}={value}"])
    outcome(text, sets=[f"{names[0]}[0].{'.'.join(names[1:]) or 'path'}={value}"])
    outcome(text, env={"TRADECTL__" + "__".join(names).upper(): value})
