"""Run a golden script through a backend and compare each line with what happened."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.golden.protocol import ATOMS, E9, Backend, Config, FillRow, OrderRow, Result, StepReport
from tests.golden.script import START_S, Expected, Script
from tests.golden.words import ScriptError, atoms, grid
from tradectl.core.codes import FillPhase, LiquiditySide, OrderStatus, Reason, TradingState

__all__ = ["play", "run_script"]

ENDINGS = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.DENIED, OrderStatus.REJECTED)
TAKEN = ("ACCEPTED", "SUBMITTED", "OK")


def decimal(value: int, unit: Fraction) -> str:
    """Return `value` units as a plain decimal."""
    number = value * unit
    text = f"{float(number):.8f}" if abs(number) < 10**6 else str(float(number))
    return text.rstrip("0").rstrip(".")


def money(value: int) -> str:
    """Return atoms as a plain decimal, exactly."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    whole, part = divmod(value, ATOMS)
    return (f"{sign}{whole}.{part:08d}").rstrip("0").rstrip(".")


class Teller:
    """Says what happened in the words of the scripts."""

    def __init__(self, script: Script) -> None:
        self.config: Config = script.config
        self.names = {number: label for label, number in script.labels.items()} | {0: "delisting"}

    def name(self, order_id: int) -> str:
        """Return the label of an order."""
        return self.names.get(order_id, f"id{order_id}")

    def fill(self, row: FillRow) -> str:
        """Return the core of a fill, as scripts write it."""
        spec = self.config.instruments[row.instrument]
        qty, price = decimal(row.qty_lots, Fraction(spec.lot_size)), Fraction(spec.tick_size)
        where = f"{LiquiditySide(row.liquidity).name} {FillPhase(row.phase).name}"
        return f"{self.name(row.order_id)} FILL {qty} @{decimal(row.price_ticks, price)} {where}"

    def ending(self, row: OrderRow) -> str:
        """Return a final status with its reason."""
        return f"{self.name(row.order_id)} {OrderStatus(row.status).name} {Reason(row.reason).name}"


def normal(item: str) -> str:
    """Return a fill expectation with its numbers in shortest form."""
    words = item.split()
    words[2] = f"{float(words[2]):.8f}".rstrip("0").rstrip(".")
    price = float(words[3][1:])
    words[3] = "@" + (f"{price:.8f}".rstrip("0").rstrip(".") if abs(price) < 10**6 else str(price))
    return " ".join(words[:6])


class Checker:
    """Compares the expectations of one script, step by step."""

    def __init__(self, script: Script, backend: Backend) -> None:
        self.script, self.backend, self.teller = script, backend, Teller(script)
        self.rows: dict[int, OrderRow] = {}
        self.told: set[int] = set()  # orders whose end has been told

    def fail(self, at: Expected, wanted: str, got: str) -> None:
        """Complain about a line."""
        place = f"{self.script.name}:{at.line}: {at.text}"
        raise ScriptError(f"{place}\n  expected {wanted}\n  {self.backend.name} says {got}")

    def step(self, expected: list[Expected], report: StepReport) -> None:
        """Check one timestamp."""
        self.rows.update({row.order_id: row for row in report.orders})
        refused = {
            row.order_id for row in report.orders if row.status in (OrderStatus.DENIED, OrderStatus.REJECTED)
        }
        fills = list(report.fills)
        mentioned: set[str] = set()
        for line in expected:
            items = list(line.items)
            if line.request >= 0:
                self.outcome(line, items, report.outcomes[line.request])
            for item in items:
                if " FILL " in item:
                    self.fill(line, item, fills)
                elif "=" in item:
                    self.value(line, item, self.backend.result())
                else:
                    mentioned.add(" ".join(item.split()))
                    self.status(line, item)
        last = expected[-1]
        if fills:
            self.fail(last, "no further fill", ", ".join(self.teller.fill(row) for row in fills))
        for row in report.orders:
            if OrderStatus(row.status) in ENDINGS and row.order_id not in self.told:
                self.told.add(row.order_id)
                direct = row.order_id in refused and self.was_request(expected, row)
                if not direct and self.teller.ending(row) not in mentioned:
                    self.fail(last, "no further end of an order", self.teller.ending(row))

    def was_request(self, expected: list[Expected], row: OrderRow) -> bool:
        """Say whether the order was submitted in this very step (its outcome has been checked)."""
        name = self.teller.name(row.order_id)
        return any(line.request >= 0 and line.text.split()[:2] == ["submit", name] for line in expected)

    def outcome(self, line: Expected, items: list[str], reason: int) -> None:
        """Check the answer to a request: the first item, `ACCEPTED` where there is none."""
        head = items[0].split() if items else ["OK"]
        if head[0] in (*TAKEN, "DENIED", "REJECTED"):
            items.pop(0) if items else None
        else:
            head = ["OK"]
        wanted = Reason.NONE if head[0] in TAKEN else Reason[head[1]]
        if reason != wanted:
            self.fail(line, " ".join(head), Reason(reason).name)
        if head[0] in ("DENIED", "REJECTED") and (wanted >= 300) != (head[0] == "REJECTED"):
            self.fail(line, "REJECTED for 3xx, DENIED for others", " ".join(head))

    def fill(self, line: Expected, item: str, fills: list[FillRow]) -> None:
        """Check the next fill of the step."""
        if not fills:
            self.fail(line, item, "no such fill")
        row = fills.pop(0)
        got = self.teller.fill(row)
        if normal(item) != got:
            self.fail(line, normal(item), got)
        for extra in item.split()[6:]:
            key, _, text = extra.partition("=")
            value = {"fee": row.fee_atoms, "realised": row.realised_atoms}.get(key)
            if key == "ts":
                at = (row.ts - START_S * E9) / E9
                if at != float(text):
                    self.fail(line, extra, f"ts={at:g}")
            elif value is None:
                if extra != ("ambiguous" if row.ambiguous else "clear"):
                    self.fail(line, extra, "ambiguous" if row.ambiguous else "clear")
            elif value != atoms(text):
                self.fail(line, extra, f"{key}={money(value)}")

    def status(self, line: Expected, item: str) -> None:
        """Check `LABEL STATUS [REASON]` or `LABEL LEAVES n` at the end of the step."""
        name, word, *rest = item.split()
        order_id = self.script.labels[name]
        row = self.rows.get(order_id)
        if row is None:
            self.fail(line, item, "no such order")
            return
        if word == "LEAVES":
            spec = self.script.config.instruments[row.instrument]
            lots, _ = grid(rest[0], spec.lot_size, Reason.QTY_NOT_ON_LOT)
            if row.leaves_lots != lots:
                self.fail(line, item, decimal(row.leaves_lots, Fraction(spec.lot_size)))
            return
        if word == "SENT":
            if row.ts_submitted != START_S * E9 + int(rest[0]) * E9:
                self.fail(line, item, str(row.ts_submitted))
            return
        wanted = (OrderStatus[word], Reason[rest[0]] if rest else Reason(row.reason))
        if (row.status, row.reason) != wanted:
            self.fail(line, item, self.teller.ending(row))

    def value(self, line: Expected, item: str, result: Result) -> None:
        """Check `key=value`; `key.NAME=value` for the instrument NAME."""
        key, _, text = item.partition("=")
        key, _, name = key.partition(".")
        specs = self.script.config.instruments
        index = [spec.name for spec in specs].index(name) if name else 0
        position = result.positions[index]
        if key == "position":
            got, wanted = position.lots, grid(text, specs[index].lot_size, Reason.QTY_NOT_ON_LOT)[0]
            shown = decimal(got, Fraction(specs[index].lot_size))
        elif key in ("ambiguous", "fills", "samples"):
            samples = len(result.equity)
            counts = {"ambiguous": result.ambiguous_bars, "fills": len(result.fills), "samples": samples}
            got, wanted = counts[key], int(text)
            shown = str(got)
        elif key == "state":
            got, wanted, shown = int(result.trading_state), int(TradingState[text]), str(result.trading_state)
        elif key == "audit":
            got, wanted, shown = int(result.audit_ok), int(text == "ok"), str(result.audit_ok)
        else:
            got, wanted = self.amount(key, index, result), atoms(text)
            shown = money(got)
        if got != wanted:
            self.fail(line, item, shown)

    @staticmethod
    def amount(key: str, index: int, result: Result) -> int:
        """Return one of the amounts of money."""
        return {
            "balance": result.balance_atoms,
            "fees": result.fees_atoms,
            "funding": result.funding_atoms,
            "equity": result.equity[-1][1] if result.equity else result.balance_atoms,
            "cost": result.positions[index].cost_atoms,
            "realised": result.positions[index].realised_atoms,
        }[key]


def run_script(script: Script, backend: Backend) -> Result:
    """Run a script; raise `ScriptError` at the first line that does not come true."""
    backend.configure(script.config)
    return play(script, backend, Checker(script, backend))


def play(script: Any, backend: Any, checker: Any) -> Any:
    """Let a configured backend take a script's steps, and a checker look at each of them; return the result."""
    for step, expected in zip(script.steps, script.expected, strict=True):
        checker.step(expected, backend.step(step))
    result = backend.result()
    if script.end is not None:
        for item in script.end.items:
            checker.value(script.end, item, result)
    if not result.audit_ok:
        raise ScriptError(f"{script.name}: the audit of {backend.name} does not balance")
    return result
