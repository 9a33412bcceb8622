"""Text to tokens: numbers, percentages, bar lengths, names and signs; anything else is a fault."""

from __future__ import annotations

import re
from typing import NamedTuple

from tradectl.strategy.rules.fault import MAX_CHARACTERS, Fault

__all__ = ["Token", "tokens_of"]

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | (?P<percent>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)%)
      | (?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?(?![A-Za-z0-9_.]))
      | (?P<span>[0-9]+[smhdw](?![A-Za-z0-9_]))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=|>=|==|!=|[-+*/<>()\[\],.])""",
    re.VERBOSE,
)
_RUN = re.compile(r"[0-9.][A-Za-z0-9_.]*")
ADVICE = {
    "=": "write == to compare", "!": "write `not`, or != to compare", "&": "write `and`", "|": "write `or`",
    "^": "there are no powers: multiply, or use sqrt", "%": "a percentage is a number with a sign, as 2%",
    "{": "group with parentheses", "}": "group with parentheses", "$": "names stand as they are: close",
    "'": "an expression holds no texts", '"': "an expression holds no texts", "`": "an expression holds no texts",
    "#": "comments stand in the YAML, not in an expression", ";": "one expression stands alone",
    ":": "one expression stands alone", "\\": "one expression stands alone", "@": "names stand as they are: close",
    "?": "there is no `a ? b : c`: write two rules, or use min and max", "~": "write `not`",
}  # fmt: skip


class Token(NamedTuple):
    """One token: `kind` is number, percent, span, name, sign or end; characters start..end (exclusive)."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of an expression, closed by one of kind `end`; Fault where a character has no place."""
    if len(text) > MAX_CHARACTERS:
        message = f"an expression has at most {MAX_CHARACTERS:,} characters, this one {len(text):,}; use `define`"
        raise Fault(message, MAX_CHARACTERS, MAX_CHARACTERS + 1)
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unknown(text, at)
        kind = str(match.lastgroup)
        if kind != "blank":
            found.append(Token(kind, match[0], at, match.end()))
        at = match.end()
    return [*found, Token("end", "", len(text.rstrip()), len(text.rstrip()))]


def _unknown(text: str, at: int) -> Fault:
    run = _RUN.match(text, at)
    if run is not None:
        return Fault(f"{run[0]!r} is no number; expected one such as 14, 0.5, 1e-3 or 2%", at, run.end())
    advice = ADVICE.get(text[at], "an expression is made of numbers, names, + - * / < > ( ) [ ] , and words")
    return Fault(f"unexpected {text[at]!r}: {advice}", at, at + 1)
