"""A fault as data: its kinds, and how it is written on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from tradectl.errors import ConfigError, nearest

__all__ = ["ANY", "KINDS", "SECOND_NS", "Fault"]

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Kind:
    """A kind of fault: how many messages or calls it concerns, or for how long, unless told otherwise."""

    about: str
    count: int = 0
    for_s: float = 0.0
    ways: tuple[str, ...] = ()


KINDS = {
    "drop": Kind("all connections end without a word"),
    "refuse": Kind("all connections end, and none is taken for a while", for_s=5.0),
    "gap": Kind("messages are left out", count=1),
    "stale": Kind("nothing is sent for a while, but pings are answered", for_s=10.0),
    "malformed": Kind("messages are cut or have a NaN; html: REST answers a page", 1, 0.0, ("json", "nan", "html")),
    "slow_snapshot": Kind("the next books over REST take a while", count=1, for_s=5.0),
    "limit": Kind("calls and new connections are answered 429 for a while", for_s=3.0),
    "checksum": Kind("messages carry a wrong checksum", count=1),
    "burst": Kind("messages are held back, then sent at once", count=100),
    "duplicate": Kind("messages are sent twice", count=1),
    "reorder": Kind("messages are held back, then sent last first", count=2),
    "old_snapshot": Kind("the next books over REST are as they are now", count=1),
}  # fmt: skip
ANY = "any"
CHANNELS = ("trades", "depth", "quotes", "ohlcv", "funding")
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


@dataclass(frozen=True)
class Fault:
    """One fault, `at_ns` after the start and then each `every_ns`, by chance on average; `kind` any: one of all."""

    kind: str
    at_ns: int = 0
    every_ns: int = 0
    is_random: bool = False
    count: int = 0
    for_ns: int = 0
    channel: str = ""  # of messages; empty: all
    way: str = ""
    exchange: str = ""  # empty: all

    @staticmethod
    def parse(text: str) -> Fault:
        """Read `KIND[@TIME][:ARGS]`; ConfigError with what is valid instead.

        TIME is `10s`, `10s+30s` (then every 30 s) or `~30s` (by chance, every 30 s on average); ARGS, in any order: a
        number of messages, a duration, a channel, an exchange, a way.
        """
        head, *parts = text.strip().split(":")
        kind, _, when = head.partition("@")
        if kind not in KINDS and kind != ANY:
            raise ConfigError(f"fault {text!r}: no fault {kind!r}", hint=nearest(kind, [*KINDS, ANY]))
        known = KINDS.get(kind, Kind(""))
        made = Fault(
            kind,
            count=known.count,
            for_ns=int(known.for_s * SECOND_NS),
            way=known.ways[0] if known.ways else "",
        )
        if when.startswith("~"):
            every = _time_ns(when[1:], text)
            made = replace(made, is_random=True, every_ns=every)
        elif when:
            first, _, every_text = when.partition("+")
            made = replace(
                made, at_ns=_time_ns(first, text), every_ns=_time_ns(every_text, text) if every_text else 0
            )
        for part in parts:
            made = replace(made, **_argument(part, known, text))
        return made

    def __str__(self) -> str:
        told = [str(self.count or ""), f"{self.for_ns / SECOND_NS:g}s" if self.for_ns else ""]
        return ":".join(part for part in (self.kind, *told, self.channel, self.way, self.exchange) if part)


def _time_ns(text: str, whole: str) -> int:
    match = TIME.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"fault {whole!r}: {text!r} is no time", hint="valid: a number with ms, s, m or h, e.g. 10s"
        )
    return int(float(match[1]) * UNITS_S[match[2]] * SECOND_NS)


def _argument(part: str, kind: Kind, text: str) -> dict[str, Any]:
    """Return what one argument says, by the field that it sets."""
    from tradectl.exchanges.sandbox.protocols import PROTOCOLS

    if part.isdigit() and kind.count:
        return {"count": max(int(part), 1)}
    if TIME.fullmatch(part) and kind.for_s:
        return {"for_ns": _time_ns(part, text)}
    for name, words in (("channel", CHANNELS), ("way", kind.ways), ("exchange", tuple(PROTOCOLS))):
        if part in words:
            return {name: part}
    valid = [*CHANNELS, *kind.ways, *PROTOCOLS]
    more = (["a number of messages"] if kind.count else []) + (["a duration, e.g. 5s"] if kind.for_s else [])
    raise ConfigError(
        f"fault {text!r}: {part!r} means nothing here", hint=nearest(part, [*valid, *more], limit=20)
    )
