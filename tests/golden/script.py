"""Read a golden script into neutral steps with their expectations (grammar: README.md beside this file)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from tests.golden.protocol import (
    E9,
    Bar,
    Cancel,
    Config,
    InstrumentSpec,
    Modify,
    Step,
    Submit,
)
from tests.golden.words import ScriptError, configure, grid, instrument, seconds
from tradectl.core.codes import Command, MarketStatus, OrderType, Reason, TimeInForce
from tradectl.errors import nearest

__all__ = ["START_S", "Expected", "Script", "parse", "parse_file"]

START_S = 1_600_000_020  # end of the first bar, seconds: a whole minute
TYPES = {t.name: int(t) for t in OrderType} | {"?": 99}
SIDES = {"BUY": 1, "SELL": -1, "?": 0}
TIFS = {t.name: int(t) for t in TimeInForce} | {"tif?": 99}


@dataclass
class Expected:
    """What one line says must be so, as text; `request` is the place of its request in the step, or -1."""

    line: int
    text: str
    items: list[str]
    request: int = -1


@dataclass
class Script:
    """A parsed script: configuration, steps, what each must lead to, and how it must end."""

    name: str
    config: Config
    covers: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    expected: list[list[Expected]] = field(default_factory=list)  # one list per step
    end: Expected | None = None
    labels: dict[str, int] = field(default_factory=dict)


class Parser:
    """Reads line after line; times are given as steps are opened."""

    def __init__(self, name: str) -> None:
        self.script = Script(name, Config())
        self.now = self.origin = START_S * E9
        self.step: Step | None = None  # the open step, which takes further lines
        self.closed = True  # the open step has had its batch
        self.next_id = 1
        self.gap_ns = 0  # to the next step, where it is not a timeframe
        self.pending: dict[int, list[Bar]] = {}

    # ---- steps

    def open_step(self) -> Step:
        """Begin the next timestamp."""
        if self.script.steps:
            self.now += self.gap_ns or self.script.config.timeframe_ns
        self.gap_ns = 0
        self.step = Step(self.now)
        self.script.steps.append(self.step)
        self.script.expected.append([])
        self.closed = False
        return self.step

    def before_bars(self) -> Step:
        """Return the step whose batch is still to come."""
        return self.open_step() if self.step is None or self.closed else self.step

    def after_bars(self) -> Step:
        """Return the step that requests belong to: the last one."""
        if self.step is None:
            self.open_step()
        assert self.step is not None
        self.closed = True
        return self.step

    # ---- words

    def index(self, name: str) -> int:
        """Return the index of an instrument by its name."""
        names = [spec.name for spec in self.script.config.instruments]
        if name not in names:
            raise ScriptError(f"unknown instrument {name!r}; {nearest(name, names)}")
        return names.index(name)

    def split_name(self, words: list[str]) -> tuple[int, list[str]]:
        """Take an optional instrument name from the front."""
        if words and words[0][0].isalpha():
            return self.index(words[0]), words[1:]
        return 0, words

    def read_bar(self, words: list[str]) -> tuple[int, Bar]:
        """Read `[NAME] open high low close [v=volume] [synthetic]`."""
        index, rest = self.split_name(words)
        spec = self.script.config.instruments[index]
        opened, high, low, closed = (exact(word, spec.tick_size) for word in rest[:4])
        volume: int | None = None
        for word in rest[4:]:
            if word.startswith("v="):
                volume = exact(word[2:], spec.lot_size)
            elif word != "synthetic":
                raise ScriptError(f"unexpected {word!r} in a bar")
        return index, Bar(opened, high, low, closed, volume, "synthetic" in rest[4:])

    # ---- commands, each returns the place of its request or -1

    def do_config(self, words: list[str]) -> int:
        """`config key value …`"""
        config = configure(self.script.config, words)
        if "sessions" in words and config.sessions is not None:  # counted from the end of the first bar
            *told, beyond = config.sessions
            told = (*((a + self.origin, b + self.origin) for a, b in told), beyond)
            config = replace(config, sessions=tuple(told))
        self.script.config = config
        return -1

    def do_instrument(self, words: list[str]) -> int:
        """`instrument NAME key value …`; the first one replaces the default instrument."""
        config = self.script.config
        base = config.instruments[0] if config.instruments[0].name == "X" else InstrumentSpec()
        made = instrument(replace(base, name=words[0]), words[1:])
        first = config.instruments[0].name == "X"
        self.script.config = replace(config, instruments=(made,) if first else (*config.instruments, made))
        return -1

    def do_bar(self, words: list[str]) -> int:
        """`bar [NAME] O H L C [v=V] [synthetic] ; NAME …`: one batch."""
        step = self.before_bars()
        for part in " ".join(words).split(";"):
            index, bar = self.read_bar(part.split())
            step.bars[index] = bar
        step.details, self.pending = self.pending, {}
        self.closed = True
        return -1

    def do_warmup(self, words: list[str]) -> int:
        """`warmup O H L C …`: a batch as `bar` writes it, of the history before a session."""
        self.before_bars().warmup = True
        return self.do_bar(words)

    def do_funding(self, words: list[str]) -> int:
        """`funding [NAME] RATE [mark P] [before S]`: settled at the next bar's end, or S seconds before it."""
        named = words[0][0].isalpha()
        index, rest = self.split_name(words) if named else (0, words)
        told, step = dict(zip(rest[1::2], rest[2::2], strict=True)), self.before_bars()
        price = exact(told.get("mark", "0"), self.script.config.instruments[index].tick_size)
        ts = step.ts - int(Decimal(told.get("before", "0")) * E9)
        step.funding.append((index, ts, int(Decimal(rest[0]) * 10**12), price))
        return -1

    def do_detail(self, words: list[str]) -> int:
        """`detail [NAME] O H L C`: a finer bar inside the next bar."""
        index, bar = self.read_bar(words)
        self.pending.setdefault(index, []).append(bar)
        return -1

    def do_status(self, words: list[str]) -> int:
        """`status [NAME] DELISTED [price]`: at the time of the next bar, before it."""
        known = words[0] in MarketStatus.__members__
        index, rest = (0, words) if known else self.split_name(words)
        price = exact(rest[1], self.script.config.instruments[index].tick_size) if rest[1:] else 0
        self.before_bars().statuses.append((index, MarketStatus[rest[0]], price))
        return -1

    def do_command(self, words: list[str]) -> int:
        """`command HALT`: at the time of the next bar, before it."""
        self.before_bars().commands.append(Command[words[0]])
        return -1

    def do_wait(self, words: list[str]) -> int:
        """`wait N`: N timeframes without any event."""
        self.after_bars()
        self.now += int(words[0]) * self.script.config.timeframe_ns
        return -1

    def do_after(self, words: list[str]) -> int:
        """`after S`: the next timestamp is S seconds later, not a timeframe."""
        self.after_bars()
        self.gap_ns = int(words[0]) * E9
        return -1

    def do_submit(self, words: list[str]) -> int:
        """`submit LABEL SIDE TYPE QTY [@limit] [stop P] [TIF] [until S] [post_only] [reduce_only] [on NAME]`"""
        label, side, kind, qty, *rest = words
        made: dict[str, object] = {"time_in_force": int(TimeInForce.GTC)}
        limit_text = trigger_text = ""
        index = 0
        while rest:
            word = rest.pop(0)
            if word.startswith("@"):
                limit_text = word[1:]
            elif word == "stop":
                trigger_text = rest.pop(0)
            elif word == "until":
                made["expires"] = self.origin + seconds(rest.pop(0))
            elif word == "on":
                name = rest.pop(0)
                index = 99 if name == "?" else self.index(name)
            elif word in ("post_only", "reduce_only"):
                made[word] = True
            elif word in TIFS:
                made["time_in_force"] = TIFS[word]
            else:
                raise ScriptError(f"unexpected {word!r}; {nearest(word, TIFS)}")
        spec = self.script.config.instruments[index if index != 99 else 0]
        lots, qty_fault = grid(qty, spec.lot_size, Reason.QTY_NOT_ON_LOT)
        limit, limit_fault = grid(limit_text or "0", spec.tick_size, Reason.PRICE_NOT_ON_TICK)
        trigger, trigger_fault = grid(trigger_text or "0", spec.tick_size, Reason.PRICE_NOT_ON_TICK)
        request = Submit(
            SIDES[side], TYPES[kind], lots, limit, trigger, instrument=index, qty_fault=qty_fault,
            limit_fault=limit_fault, trigger_fault=trigger_fault, qty_text=qty, limit_text=limit_text,
            trigger_text=trigger_text,
        )  # fmt: skip
        self.script.labels[label] = self.next_id
        self.next_id += 1
        step = self.after_bars()
        step.requests.append(replace(request, **made))  # type: ignore[arg-type]
        return len(step.requests) - 1

    def do_skip_ids(self, words: list[str]) -> int:
        """`skip_ids LABEL …`: the risk unit has sent orders of its own; they are called so."""
        for label in words:
            self.script.labels[label] = self.next_id
            self.next_id += 1
        return -1

    def do_cancel(self, words: list[str]) -> int:
        """`cancel LABEL`"""
        step = self.after_bars()
        step.requests.append(Cancel(self.script.labels.get(words[0], 10**6)))
        return len(step.requests) - 1

    def do_modify(self, words: list[str]) -> int:
        """`modify LABEL [qty Q] [limit P] [stop P]`"""
        step = self.after_bars()
        order_id = self.script.labels.get(words[0], 10**6)
        spec = self.script.config.instruments[self.instrument_of(order_id)]
        asked = dict(zip(words[1::2], words[2::2], strict=True))
        made: dict[str, object] = {}
        names = {"qty": ("qty_lots", spec.lot_size, Reason.QTY_NOT_ON_LOT, "qty_fault"),
                 "limit": ("limit_ticks", spec.tick_size, Reason.PRICE_NOT_ON_TICK, "limit_fault"),
                 "stop": ("trigger_ticks", spec.tick_size, Reason.PRICE_NOT_ON_TICK, "trigger_fault")}
        for key, text in asked.items():
            name, unit, reason, fault = names[key]
            made[name], made[fault] = grid(text, unit, reason)
        step.requests.append(Modify(order_id, **made))  # type: ignore[arg-type]
        return len(step.requests) - 1

    def instrument_of(self, order_id: int) -> int:
        """Return the instrument of an order submitted above, 0 for others."""
        submits = [r for step in self.script.steps for r in step.requests if isinstance(r, Submit)]
        return submits[order_id - 1].instrument if 0 < order_id <= len(submits) else 0

    def read(self, number: int, text: str) -> None:
        """Read one line."""
        line = text.split("#")[0].strip()
        if not line:
            return
        if line.startswith("covers:"):
            self.script.covers += [word.strip() for word in line[7:].split(",") if word.strip()]
            return
        head, _, tail = line.partition("->")
        verb, *words = head.split()
        items = [item.strip() for item in tail.split(",") if item.strip()]
        if verb == "end":
            self.script.end = Expected(number, line, words)
            return
        do = getattr(self, f"do_{verb}", None)
        if do is None:
            verbs = [name[3:] for name in dir(self) if name.startswith("do_")]
            raise ScriptError(f"unknown command {verb!r}; {nearest(verb, verbs)}")
        place = do(words)
        if self.script.expected:
            self.script.expected[-1].append(Expected(number, line, items, place))


def exact(text: str, step: Decimal) -> int:
    """Return a decimal that must be on its grid."""
    value, fault = grid(text, step, Reason.PRICE_NOT_ON_TICK)
    if fault:
        raise ScriptError(f"{text} is not a multiple of {step}")
    return value


def parse(name: str, text: str) -> Script:
    """Parse a script's text; errors name the line."""
    parser = Parser(name)
    for number, line in enumerate(text.splitlines(), 1):
        try:
            parser.read(number, line)
        except (ScriptError, KeyError, ValueError, IndexError, ArithmeticError) as error:
            raise ScriptError(f"{name}:{number}: {line.strip()}: {error}") from error
    return parser.script


def parse_file(path: Path) -> Script:
    """Parse a script file."""
    return parse(path.name, path.read_text(encoding="utf-8"))


