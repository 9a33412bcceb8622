"""Read a tick script into steps with their expectations (grammar: README.md beside this file)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.golden.protocol import Config
from tests.golden.script import Expected, Parser, Script, exact
from tests.golden.words import CONFIG, ScriptError, configure, seconds
from tests.golden_ticks.protocol import Event, Step, TickConfig
from tradectl.core.codes import (
    AccountType,
    BookLevel,
    Command,
    EventFlag,
    EventKind,
    GapScope,
    QueueModel,
    TriggerSource,
)
from tradectl.errors import nearest

__all__ = ["TickScript", "parse", "parse_file"]

END, HIDDEN = int(EventFlag.MESSAGE_END), int(EventFlag.HIDDEN)
WARMUP = int(EventFlag.WARMUP | EventFlag.LAST)
BEGIN, WHOLE = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
SIDES = {"bid": 1, "ask": -1, "buy": 1, "sell": -1, "?": 0}
KEYS: dict[str, Any] = {
    "model": ("queue_model", lambda t: QueueModel[t.upper()]),
    "power": ("queue_power", float),
    "trigger": ("trigger", lambda t: TriggerSource[t.upper()]),
    "leftover": ("l1_leftover_ticks", int),
    "latency.response": ("response_ns", seconds),
    "latency.compute": ("compute_ns", seconds),
    "frames": ("frames_ns", lambda t: tuple(map(seconds, t.split(",")))),
    "triples": ("triples", lambda t: tuple(tuple(map(seconds, one.split("/"))) for one in t.split(","))),
}  # fmt: skip


@dataclass
class TickScript(Script):
    """A parsed script; `config` holds the base of `ticks`."""

    ticks: TickConfig = field(default_factory=TickConfig)
    all_told: bool = False  # each report and timer must be expected
    steps: list[Step] = field(default_factory=list)  # type: ignore[assignment]


class TickParser(Parser):
    """Reads line after line; each line with a time opens a step, which takes the requests after it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        base = configure(Config(account=AccountType.MARGIN), ["tick", "1", "lot", "1"])
        self.script: TickScript = TickScript(name, base)
        self.levels: list[BookLevel] = []
        self.stamps = (0, 0)  # exchange, local
        self.origin = 0

    def after_bars(self) -> Step:  # type: ignore[override]
        """Return the step that requests belong to."""
        if not self.script.steps:
            raise ScriptError("requests come after an event")
        return self.script.steps[-1]

    def do_config(self, words: list[str]) -> int:
        """`config key value …`: keys of `KEYS`, `level`, `reports all`, and those of bar scripts."""
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key == "level":
                self.levels = [BookLevel[one.upper()] for one in value.split(",")]
            elif key == "reports":
                self.script.all_told = value == "all"
            elif key in KEYS:
                name, read = KEYS[key]
                self.script.ticks = replace(self.script.ticks, **{name: read(value)})
            elif key in CONFIG or key in ("tick", "lot"):
                self.script.config = configure(self.script.config, [key, value])
            else:
                raise ScriptError(f"unknown key {key!r}; {nearest(key, [*KEYS, *CONFIG])}")
        return -1

    # ---- events

    def add(
        self, kind: EventKind, words: tuple[int, ...], side: int = 0, flags: int = END, index: int = 0, aux: int = 0
    ) -> None:
        """Add an event to the open step."""
        self.script.steps[-1].events.append(Event(kind, *self.stamps, words, side, flags, index, aux))

    def levels_of(self, words: list[str], index: int) -> list[tuple[int, ...]]:
        """Read `bid 100 5 99 7 ask 101 4` as (side, price, lots)."""
        spec, side, rest = self.script.config.instruments[index], 0, list(words)
        rows: list[tuple[int, ...]] = []
        while rest:
            word = rest.pop(0)
            if word in ("bid", "ask"):
                side = SIDES[word]
            else:
                rows.append((side, exact(word, spec.tick_size), exact(rest.pop(0), spec.lot_size)))
        return rows

    def orders_of(self, words: list[str], index: int) -> list[tuple[int, ...]]:
        """Read `bid 1:100x5 2:99x7 ask 11:101x4` as (side, price, lots, id); without lots (`1:100`): 0."""
        spec, side = self.script.config.instruments[index], 0
        rows: list[tuple[int, ...]] = []
        for word in words:
            if word in ("bid", "ask"):
                side = SIDES[word]
            else:
                key, _, order = word.partition(":")
                price, _, lots = order.partition("x")
                rows.append((side, exact(price, spec.tick_size), exact(lots or "0", spec.lot_size), int(key)))
        return rows

    def message(self, kind: EventKind, words: list[str], whole: bool = False) -> None:
        """Add the rows of one message, or (`open`) of the beginning of one; `whole`: it is a snapshot."""
        index, rest = self.split_levels(words)
        unfinished = rest[-1:] == ["open"]
        read = self.levels_of if kind == EventKind.DEPTH else self.orders_of
        rows = read(rest[:-1] if unfinished else rest, index)
        for k, (side, *values) in enumerate(rows):
            last = k == len(rows) - 1
            flags = END if last and not unfinished else 0
            if whole:
                flags |= (BEGIN if k == 0 else 0) | (WHOLE if last else 0)
            self.add(kind, tuple(values), side, flags, index)

    def on_depth(self, words: list[str]) -> None:
        """`depth [NAME] bid 100 5 ask 101 0 [open]`"""
        self.message(EventKind.DEPTH, words)

    def on_add(self, words: list[str]) -> None:
        """`add [NAME] bid 1:100x5 ask 11:101x4 [open]`: recorded orders, id:price x lots."""
        self.message(EventKind.ORDER_ADD, words)

    def on_modify(self, words: list[str]) -> None:
        """`modify [NAME] bid 1:100x3 [open]`: recorded orders and what they show now."""
        self.message(EventKind.ORDER_MODIFY, words)

    def on_cancel(self, words: list[str]) -> None:
        """`cancel [NAME] bid 1:100 2:100x3 [open]`: recorded orders, whole or by so much."""
        self.message(EventKind.ORDER_CANCEL, words)

    def on_exec(self, words: list[str]) -> None:
        """`exec [NAME] bid 1:100x5 [open]`: recorded orders that rest, executed by so much."""
        self.message(EventKind.ORDER_EXEC, words)

    def on_snapshot(self, words: list[str]) -> None:
        """`snapshot [NAME] bid … ask …`: a whole book in one message, levels or orders."""
        by_order = any(":" in word for word in words)
        self.message(EventKind.ORDER_ADD if by_order else EventKind.DEPTH, words, whole=True)

    def split_levels(self, words: list[str]) -> tuple[int, list[str]]:
        """Take an optional instrument name from the front."""
        return (0, words) if words[0] in ("bid", "ask") else self.split_name(words)

    def on_quote(self, words: list[str]) -> None:
        """`quote [NAME] bid lots ask lots`"""
        index, rest = self.split_name(words)
        spec = self.script.config.instruments[index]
        sizes = (spec.tick_size, spec.lot_size) * 2
        self.add(EventKind.QUOTE, tuple(exact(w, s) for w, s in zip(rest, sizes, strict=True)), index=index)

    def on_trade(self, words: list[str]) -> None:
        """`trade [NAME] price lots buy|sell|? [hidden]`: the aggressor's side."""
        index, rest = self.split_name(words)
        spec = self.script.config.instruments[index]
        prices = exact(rest[0], spec.tick_size), exact(rest[1], spec.lot_size)
        flags = END | (HIDDEN if rest[3:] == ["hidden"] else 0)
        self.add(EventKind.TRADE, prices, SIDES[rest[2]], flags, index)

    def on_gap(self, words: list[str]) -> None:
        """`gap [NAME] [trades]`: what the book is made of is missing, or trades alone."""
        scope = GapScope.TRADES if words[-1:] == ["trades"] else GapScope.BOOK
        self.add(EventKind.GAP, (), index=self.split_name(words[: len(words) - scope])[0], aux=scope)

    def on_warmup(self, words: list[str]) -> None:
        """`warmup [NAME] SECONDS O H L C V`: a derived bar of the history before a session that ends now."""
        index, rest = self.split_name(words)
        spec, frame = self.script.config.instruments[index], seconds(rest[0])
        prices = tuple(exact(word, spec.tick_size) for word in rest[1:5])
        words_of = (*prices, exact(rest[5], spec.lot_size))
        aux = self.script.ticks.frames_ns.index(frame)
        self.add(EventKind.BAR, words_of, flags=WARMUP, index=index, aux=aux)

    def on_clear(self, words: list[str]) -> None:
        """`clear [NAME]`"""
        self.add(EventKind.CLEAR, (), index=self.split_name(words)[0])

    def on_funding(self, words: list[str]) -> None:
        """`funding [NAME] RATE [mark P]`"""
        index, rest = self.split_name(words)
        price = exact(rest[2], self.script.config.instruments[index].tick_size) if rest[1:] else 0
        self.add(EventKind.FUNDING, (int(Decimal(rest[0]) * 10**12), price), index=index)

    def on_mark(self, words: list[str]) -> None:
        """`mark [NAME] P`: the venue's mark price."""
        index, rest = self.split_name(words)
        self.add(EventKind.MARK, (exact(rest[0], self.script.config.instruments[index].tick_size),), index=index)

    def on_timer(self, words: list[str]) -> None:
        """`timer [grace]`: time passes without data, in seconds."""
        self.add(EventKind.TIMER, (seconds(words[0]) if words else 0,))

    def on_command(self, words: list[str]) -> None:
        """`command CANCEL_ALL`"""
        self.add(EventKind.COMMAND, (int(Command[words[0]]),))

    def do_set_timer(self, words: list[str]) -> int:
        """`set_timer T`: the strategy's timer, after the last event."""
        self.after_bars().timer = seconds(words[0])
        return -1

    def read(self, number: int, text: str) -> None:
        """Read one line; one that begins with a time, `local` or `local/exchange`, is an event."""
        line = text.split("#")[0].strip()
        if not line or not line[0].isdigit():
            super().read(number, text)
            return
        head, _, tail = line.partition("->")
        stamp, verb, *words = head.split()
        local, _, exchange = stamp.partition("/")
        self.stamps = (seconds(exchange or local), seconds(local))
        on = getattr(self, f"on_{verb}", None)
        if on is None:
            verbs = [name[3:] for name in dir(self) if name.startswith("on_")]
            raise ScriptError(f"unknown event {verb!r}; {nearest(verb, verbs)}")
        self.script.steps.append(Step())
        items = [item.strip() for item in tail.split(",") if item.strip()]
        self.script.expected.append([Expected(number, line, items)])
        on(words)


def parse(name: str, text: str) -> TickScript:
    """Read a script; `ScriptError` names file and line."""
    parser = TickParser(name)
    for number, line in enumerate(text.splitlines(), 1):
        try:
            parser.read(number, line)
        except (ScriptError, KeyError, ValueError, IndexError, ArithmeticError) as error:
            raise ScriptError(f"{name}:{number}: {line.strip()}: {error}") from error
    script = parser.script
    n = len(script.config.instruments)
    levels = tuple(parser.levels or [BookLevel.DEPTH] * n)
    script.ticks = replace(script.ticks, base=script.config, levels=levels)
    return script


def parse_file(path: Path) -> TickScript:
    """Read a script from a file."""
    return parse(path.stem, path.read_text(encoding="utf-8"))


def shown_seconds(ns: int) -> str:
    """Return ns as seconds in shortest form."""
    return f"{Decimal(ns) / 10**9:.9f}".rstrip("0").rstrip(".")
