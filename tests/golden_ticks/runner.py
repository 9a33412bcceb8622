"""Run a tick script through a backend and compare each line with what happened."""

from __future__ import annotations

from fractions import Fraction

from tests.golden.protocol import FillRow
from tests.golden.runner import TAKEN, decimal, money, play
from tests.golden.script import Expected
from tests.golden.words import ScriptError, atoms, grid
from tests.golden_ticks.protocol import OrderState, Result, Standing, StepReport, TickBackend, Told
from tests.golden_ticks.script import TickScript, shown_seconds
from tradectl.core.codes import FillPhase, LiquiditySide, OrderStatus, Reason

__all__ = ["run_script"]

COUNTS = ("late", "crossed", "gaps", "unknown", "spent", "remainders", "strayed")
ENDINGS = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)


class Checker:
    """Compares the expectations of one script, step by step."""

    def __init__(self, script: TickScript, backend: TickBackend) -> None:
        self.script, self.backend = script, backend
        self.names = {number: label for label, number in script.labels.items()}
        self.ended: set[int] = set()

    def fail(self, at: Expected, wanted: str, got: str) -> None:
        """Complain about a line."""
        place = f"{self.script.name}:{at.line}: {at.text}"
        raise ScriptError(f"{place}\n  expected {wanted}\n  {self.backend.name} says {got}")

    def equal(self, at: Expected, wanted: str, got: str) -> None:
        """Demand that two texts are equal."""
        if wanted != got:
            self.fail(at, wanted, got)

    def size(self, lots: int, index: int = 0) -> str:
        """Return a quantity as scripts write it."""
        return decimal(lots, Fraction(self.script.config.instruments[index].lot_size))

    def price(self, ticks: int, index: int = 0) -> str:
        """Return a price as scripts write it."""
        return decimal(ticks, Fraction(self.script.config.instruments[index].tick_size))

    def step(self, expected: list[Expected], report: StepReport) -> None:
        """Check one step."""
        fills, told = list(report.fills), list(report.told)
        mentioned: set[str] = set()
        for line in expected:
            items = list(line.items)
            if line.request >= 0:
                self.outcome(line, items, report.outcomes[line.request])
            for item in items:
                if item.startswith("told "):
                    self.told(line, item.split()[1:], told)
                elif " FILL " in item:
                    self.fill(line, item.split(), fills)
                elif "=" in item:
                    self.value(line, item, self.backend.result())
                else:
                    mentioned.add(" ".join(item.split()))
                    self.status(line, item.split(), report.orders)
        last = expected[-1]
        if fills:
            self.fail(last, "no further fill", ", ".join(self.fill_text(row) for row in fills))
        if told and self.script.all_told:
            self.fail(last, "no further report", ", ".join(" ".join(self.told_words(row)) for row in told))
        for number, row in report.orders.items():
            text = f"{self.names[number]} {OrderStatus(row.status).name} {Reason(row.reason).name}"
            if OrderStatus(row.status) in ENDINGS and number not in self.ended:
                self.ended.add(number)
                if text not in mentioned:
                    self.fail(last, "no further end of an order", text)

    def outcome(self, line: Expected, items: list[str], reason: int) -> None:
        """Check the answer to a request: the first item, taken where there is none."""
        head = items[0].split() if items else ["OK"]
        if head[0] in (*TAKEN, "DENIED"):
            items.pop(0) if items else None
        else:
            head = ["OK"]
        self.equal(line, head[1] if head[0] == "DENIED" else "NONE", Reason(reason).name)

    def fill_text(self, row: FillRow) -> str:
        """Return the core of a fill."""
        qty, price = self.size(row.qty_lots, row.instrument), self.price(row.price_ticks, row.instrument)
        where = f"{LiquiditySide(row.liquidity).name} {FillPhase(row.phase).name}"
        return f"{self.names[row.order_id]} FILL {qty} @{price} {where}"

    def fill(self, line: Expected, words: list[str], fills: list[FillRow]) -> None:
        """Check the next fill: `a1 FILL qty @price MAKER|TAKER PHASE [ts=S] [fee=F]`."""
        if not fills:
            self.fail(line, " ".join(words), "no such fill")
        row = fills.pop(0)
        self.equal(line, " ".join(words[:6]), self.fill_text(row))
        for extra in words[6:]:
            got = {"ts": shown_seconds(row.ts), "fee": money(row.fee_atoms)}[extra.partition("=")[0]]
            self.equal(line, extra.partition("=")[2], got)

    def told_words(self, row: Told) -> list[str]:
        """Return what was told as words: label, FILL or status, reason, price, time."""
        if not row.order_id:
            return ["TIMER", f"t={shown_seconds(row.now)}"]
        what = [f"FILL {self.size(row.lots)}"] if row.lots else []
        what += [OrderStatus(row.status).name]
        what += [Reason(row.reason).name] if row.reason else []
        return " ".join([self.names[row.order_id], *what, f"t={shown_seconds(row.now)}"]).split()

    def told(self, line: Expected, words: list[str], told: list[Told]) -> None:
        """Check that the next thing told is `a1 [FILL qty] STATUS [reason] [t=S]` or `TIMER [t=S]`."""
        if not told:
            self.fail(line, " ".join(words), "nothing told")
        got = self.told_words(told.pop(0))
        if words != got and words != got[:-1]:
            self.fail(line, "told " + " ".join(words), " ".join(got))

    def status(self, line: Expected, words: list[str], orders: dict[int, OrderState]) -> None:
        """Check `a1 STATUS [REASON]`, `a1 LEAVES n`, `a1 FRONT x|none`, `a1 SEEN STATUS` or `a1 ARRIVED S`."""
        name, word, *rest = words
        row = orders[self.script.labels[name]]
        if word == "LEAVES":
            self.equal(line, rest[0], self.size(row.leaves_lots))
        elif word == "FRONT":
            none = row.front is None
            if (rest[0] == "none") != none or not (none or abs(float(rest[0]) - (row.front or 0.0)) < 1e-6):
                self.fail(line, " ".join(words), str(row.front))
        elif word == "SEEN":
            self.equal(line, rest[0], OrderStatus(row.seen).name)
        elif word == "ARRIVED":
            self.equal(line, rest[0], shown_seconds(row.ts_arrival))
        elif word == "LAST":
            self.equal(line, rest[0], shown_seconds(row.ts_last))
        else:
            got = [OrderStatus(row.status).name, *([Reason(row.reason).name] if rest else [])]
            self.equal(line, " ".join([word, *rest]), " ".join(got))

    def standing(self, row: Standing, index: int) -> str:
        """Return an order in a book as `id:price x left`, and `/shown` where the recording shows another quantity."""
        name = self.names[row.key] if row.own else str(row.key)
        shown = "" if row.own or row.shown_lots == row.left_lots else f"/{self.size(row.shown_lots, index)}"
        return f"{name}:{self.price(row.price_ticks, index)}x{self.size(row.left_lots, index)}{shown}"

    def value(self, line: Expected, item: str, result: Result) -> None:
        """Check `key=value`; `key.NAME=value` for the instrument NAME."""
        key, _, text = item.partition("=")
        key, _, name = key.partition(".")
        specs = self.script.config.instruments
        index = [spec.name for spec in specs].index(name) if name else 0
        if key in ("position", "seen"):
            lots = (result.positions if key == "position" else result.seen)[index]
            wanted, _ = grid(text, specs[index].lot_size, Reason.QTY_NOT_ON_LOT)
            self.equal(line, self.size(wanted, index), self.size(lots, index))
        elif key in COUNTS:
            self.equal(line, text, str(getattr(result, key)))
        elif key in ("bids", "asks"):
            rows = result.books[index].sides[key == "asks"]
            self.equal(line, text, " ".join(self.standing(row, index) for row in rows) or "none")
        elif key in ("bid", "ask"):
            price, lots = result.books[index].touch[key == "ask"]
            got = "none" if price is None else f"{self.price(price, index)}x{self.size(lots, index)}"
            self.equal(line, text, got)
        else:
            self.equal(line, money(atoms(text)), money(int(getattr(result, f"{key}_atoms"))))


def run_script(script: TickScript, backend: TickBackend) -> Result:
    """Run a script; raise `ScriptError` at the first line that does not come true."""
    backend.configure(script.ticks)
    result: Result = play(script, backend, Checker(script, backend))
    return result
