"""`explain`: one order's life as plain values, from its run folder and the run folded again up to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.cli.explain_trace import KEPT_COURSES, Seen, Trace, follow
from tradectl.cli.paper_tail import stamp_of
from tradectl.cli.runner import Progress
from tradectl.cli.runner_verify import changed_sources, load_again, refuse_hang
from tradectl.config.wire import wire
from tradectl.core.codes import MESSAGES, BookLevel, OrderStatus, Reason, ReportKind
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.db.catalogue import Run, open_run
from tradectl.db.compare import compare_frames
from tradectl.db.lock import differing_versions
from tradectl.db.tables import HORIZONS, Names, orders_table
from tradectl.engine.host_fault import iso
from tradectl.engine.state import State
from tradectl.errors import ConfigError, StoreError

__all__ = ["explain"]

MS, BPS = 1e6, 1e4
NEAR = 3  # order ids that are suggested
Told = dict[str, Any]


def explain(path: Path, order_id: int, data: Sequence[str], progress: Progress) -> Told:
    """Return an order's life; ConfigError where the run has no such order, DataError where its input is missing."""
    run = open_run(path)
    refuse_hang(run)
    stored = _row(path, order_id)
    lock = run.lock()
    with tempfile.TemporaryDirectory(prefix="tradectl-explain-") as scratch:
        loaded, _ = load_again(run, lock, data, Path(scratch))
        wired = wire(loaded, lambda what: progress("compile" if what == "compile" else "load", 0, None))
        state, total = State(wired.spec), wired.data.total_rows
        chunks = wired.chunks(wired.config.engine.chunk)
        trace = follow(state, chunks, order_id, not wired.data.whole, lambda done: progress("run", done, total))
    return _Life(run, state, trace, stored, [*changed_sources(run, lock), *_versions(lock)]).to_dict()


def _versions(lock: Told) -> list[str]:
    return [f"{name} was {then}, is now {now}" for name, (then, now) in differing_versions(lock).items()]


def _scan(path: Path) -> pl.LazyFrame:
    if not path.is_file():
        raise StoreError(f"{path.parent} has no {path.name}")
    return pl.scan_parquet(path)


def _row(path: Path, order_id: int) -> pl.DataFrame:
    """Return the order's row of orders.parquet."""
    orders = _scan(path / "orders.parquet")
    try:
        found = orders.filter(pl.col("order_id") == order_id).collect()
        if found.height == 1 and order_id > 0:
            return found
        known = orders.filter(pl.col("order_id") > 0).select("order_id")
        span = known.select(pl.len(), pl.min("order_id").alias("low"), pl.max("order_id").alias("high")).collect()
        near = known.sort((pl.col("order_id") - order_id).abs()).head(NEAR).collect()["order_id"].to_list()
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{path / 'orders.parquet'} cannot be read ({error})") from error
    count, low, high = span.row(0)
    listed = ", ".join(str(one) for one in near)
    hint = f"it has {count:,} orders from {low} to {high}; nearest: {listed}" if count else "it has no orders"
    raise ConfigError(f"run {path.name} has no order {order_id}", hint=hint)


class _Life:
    """What is told of one order."""

    def __init__(self, run: Run, state: State, trace: Trace, stored: pl.DataFrame, doubts: list[str]) -> None:
        self.run, self.state, self.trace, self.row = run, state, trace, trace.row
        self.stored = stored.row(0, named=True)
        self.names = Names.of(state)
        self.where = int(self.row["instrument"])
        self.instrument = state.spec.instruments[self.where]
        self.worth = float(self.instrument.atoms_per_tick_lot) / ATOMS_PER_UNIT
        self.side = int(self.row["side"])
        self.level = BookLevel(int(state.markets[self.where]["level"]))
        now = orders_table(np.array([self.row], self.row.dtype), self.names)
        differs = compare_frames("orders", stored.select(now.columns) if _same(stored, now) else stored, now)
        ended = trace.ended  # an order that lived on at the end of the data has no last state to compare
        self.doubts = [*doubts, *([str(differs)] if differs is not None and ended else [])]
        if trace.courses > KEPT_COURSES:
            found = f"it changed in {trace.courses:,} events"
            self.doubts.append(f"{found}; after {KEPT_COURSES} of them only what each left is told")
        self.doubts += [] if trace.same else ["the event of its decision, in plain Python, gave another state"]
        self.fills = self._stored("fills", pl.col("order_id") == trace.order_id)
        ids = [fill["fill_id"] for fill in self.fills]
        self.marks = {one["fill_id"]: one for one in self._stored("markouts", pl.col("fill_id").is_in(ids))}

    def _stored(self, kind: str, rows: pl.Expr) -> list[Told]:
        path = self.run.path / f"{kind}.parquet"
        if not path.is_file():
            return []
        return pl.scan_parquet(path).filter(rows).with_columns(ts_ns=pl.col("ts").cast(pl.Int64)).collect().to_dicts()

    def price(self, ticks: float) -> float:
        return float(self.names.price(np.array([ticks]), np.array([self.where]))[0])

    def qty(self, lots: float) -> float:
        return float(self.names.qty(np.array([lots]), np.array([self.where]))[0])

    def to_dict(self) -> Told:
        stored = self.stored
        return {
            "run": self.run.name,
            "order_id": self.trace.order_id,
            "symbol": stored["symbol"],
            "strategy": stored["strategy"],
            "side": stored["side"],
            "order_type": stored["order_type"],
            "time_in_force": stored["time_in_force"],
            **{name: stored[name] for name in ("qty", "limit", "stop", "post_only", "reduce_only", "system", "tag")},
            "decision": self.decision(),
            "checks": self.checks(),
            "latency": self.latency(),
            "moments": self.moments(),
            "interruptions": self.interruptions(),
            "queue": self.queue(),
            "fills": [self.fill(one) for one in self.fills],
            "end": self.end(),
            "cost": self.cost(),
            "doubts": self.doubts,
        }

    def decision(self) -> Told:
        """Return when, in which hook and in sight of what it was sent."""
        seen = self.trace.decision
        made: Told = {
            "ts": iso(int(self.row["ts_submitted"])),
            "hook": self.trace.hook or None,
            "event": self.trace.event,
        }
        made |= {name: self.stored[name] for name in ("qty", "limit", "stop")}
        if not seen:
            return made
        made["qty"] = self.qty(seen["qty_lots"])
        for name, ticks in (("limit", "price_ticks"), ("stop", "trigger_ticks")):
            if seen[ticks] and self.stored[name] is not None:
                made[name] = self.price(seen[ticks])
        twice = seen["twice_mark"]
        if self.level not in (BookLevel.BARS, BookLevel.PRINTS):
            for name, none in (("bid", NO_BID), ("ask", NO_ASK)):
                there = seen[f"{name}_ticks"] != none and seen[f"{name}_lots"] > 0
                made[name] = self.price(seen[f"{name}_ticks"]) if there else None
                made[f"{name}_qty"] = self.qty(seen[f"{name}_lots"]) if there else None
            made["mid"] = self.price(twice / 2) if twice else None
        return {
            **made,
            "last": self.price(seen["last_ticks"]),
            "position": self.qty(seen["position_lots"]),
            "equity": seen["equity_atoms"] / ATOMS_PER_UNIT,
        }

    def checks(self) -> list[Told]:
        """Return the checks in the gate's order; the last one may be the one that failed."""

        def value(raw: int | str | None, unit: str) -> float | int | str | None:
            if raw is None or isinstance(raw, str) or unit == "orders":
                return raw
            if unit in ("ticks", "lots"):
                return self.price(raw) if unit == "ticks" else self.qty(raw)
            return raw / ATOMS_PER_UNIT

        units = {
            "ticks": "price", "lots": "qty", "quote": self.instrument.quote,
            "account": self.state.currency_names[0], "orders": "orders", "text": "",
        }  # fmt: skip
        return [
            {
                "stage": one.stage,
                "check": one.name,
                "figure": value(one.figure, one.unit),
                "limit": value(one.limit, one.unit),
                "unit": units[one.unit],
                "passed": one.passed,
                "reason": None if one.passed else one.reason.name,
            }
            for one in self.trace.checks
        ]

    def latency(self) -> Told:
        """Return when it was sent, arrived, was answered there, and when the answer was delivered."""
        sent, arrived = int(self.row["ts_submitted"]), int(self.row["ts_arrival"])
        refused = self.row["status"] == OrderStatus.DENIED
        known = not refused and arrived > 0
        told = ((key[0], key[2], due) for key, due in self.trace.reports.items())
        answers = [(ts, due) for kind, ts, due in told if kind == ReportKind.ORDER and ts >= arrived]
        answered, delivered = min(answers) if answers and known else (int(self.row["ts_accepted"]), 0)

        def stamp(ts: int, there: bool) -> Told:
            return {"ts": iso(ts), "after_ms": (ts - sent) / MS} if there else {"ts": None, "after_ms": None}

        return {
            "sent": stamp(sent, not refused),
            "arrived": stamp(arrived, known),
            "answered": stamp(answered, known and answered > 0),
            "delivered": stamp(delivered, known and delivered > 0),
        }

    def moments(self) -> list[Told]:
        """Return each change of its status, prices or quantity: here, at the venue (null: only here), when told."""
        due = {(key[1], key[2], key[3]): ts for key, ts in self.trace.reports.items()}
        made = []
        for one in self.trace.moments:
            status, limit, stop, qty, filled = one.looks
            delivered = due.get((status, one.ts_event or one.ts, filled))
            made.append(
                {
                    "ts": iso(one.ts),
                    "ts_event": iso(one.ts_event) if one.ts_event else None,
                    "ts_delivered": None if delivered is None else iso(delivered),
                    "status": OrderStatus(status).name,
                    "qty": self.qty(qty),
                    "filled": self.qty(filled),
                    "limit": self.price(limit) if limit else None,
                    "stop": self.price(stop) if stop else None,
                }
            )
        return made

    def interruptions(self) -> list[Told]:
        """Return what of a paper session's feeds was not there while the order lived, as the summary tells it."""
        live = OrderStatus[self.stored["status"]] < OrderStatus.FILLED
        decided, ended = stamp_of(int(self.row["ts_submitted"])), stamp_of(int(self.row["ts_last"]))
        told = (self.run.summary.get("feeds") or {}).get("interruptions") or []
        return [
            one for one in told
            if (live or one["at"] < ended) and (not one.get("until") or one["until"] > decided)
        ]  # fmt: skip

    def queue(self) -> list[Told]:
        """Return the quantity ahead over time; lots beyond what is known of an L1 book are null."""
        known = 2.0**53
        return [
            {"ts": iso(ts), "ahead": self.qty(lots) if lots < known else None} for ts, lots in self.trace.points()
        ]

    def fill(self, fill: Told) -> Told:
        """Return one fill with its mid, its touch, its mark-outs, and the book or the bar that it met."""
        seen = next((one for one in self.trace.fills if one.fill_id == fill["fill_id"]), Seen(0, 0))
        mark = self.marks.get(fill["fill_id"], {})
        told: Told = {
            "fill_id": fill["fill_id"],
            "ts": iso(fill["ts_ns"]),
            **{name: fill[name] for name in ("price", "qty", "fee", "liquidity_side", "phase", "position")},
        }
        if self.level == BookLevel.BARS:
            names = ("open", "high", "low", "close")
            bar = {name: self.price(ticks) for name, ticks in zip(names, seen.bar, strict=False)}
            return {**told, "ambiguous": fill["ambiguous"], "bar": bar or None}
        moved = {
            label: None if mark.get(f"mid_{label}") is None or fill["mid"] is None
            else self.side * (mark[f"mid_{label}"] - fill["mid"]) + 0.0
            for label in HORIZONS
        }  # fmt: skip
        book = {
            side: [[self.price(ticks), self.qty(lots)] for ticks, lots in levels]
            for side, levels in (("bids", seen.bids), ("asks", seen.asks))
        }
        return {
            **told,
            **{name: fill[name] for name in ("mid", "bid", "ask")},
            "queue_ahead": None if fill["queue_ahead"] is None else self.qty(fill["queue_ahead"]),
            "markout": moved,
            "book": book if seen.bids or seen.asks else None,
        }

    def end(self) -> Told:
        """Return how and why it ended."""
        stored = self.stored
        reason = Reason[stored["reason"]] if stored["reason"] else Reason.NONE
        live = OrderStatus[stored["status"]] < OrderStatus.FILLED
        return {
            "status": stored["status"],
            "ts": None if live else iso(int(self.row["ts_last"])),
            "reason": reason.name if reason else None,
            "message": "it was still working when the data ended" if live else MESSAGES[reason] or None,
            "filled": stored["filled"],
            "avg_price": stored["avg_price"],
        }

    def cost(self) -> Told:
        """Return what it cost against the price at its decision and at its arrival; positive is a cost."""
        stored, filled = self.stored, int(self.row["filled_lots"])
        left = int(self.row["qty_lots"]) - filled
        seen = self.trace.decision.get("last_ticks") if self.level == BookLevel.BARS else None
        decision = stored["mid_submit_ticks"] if stored["mid_submit_ticks"] is not None else seen
        arrival, end = stored["mid_arrival_ticks"], stored["mid_end_ticks"]
        paid = sum(fill["price_ticks"] * fill["qty_lots"] for fill in self.fills) / filled if filled else None

        def against(mark: float | None) -> Told | None:
            if mark is None or paid is None:
                return None
            ticks = self.side * (paid - mark)
            bps = ticks / mark * BPS if mark else None
            return {"price": self.price(mark), "ticks": ticks, "bps": bps, "money": ticks * filled * self.worth}

        moved = left > 0 and end is not None and decision is not None
        return {
            "currency": self.instrument.quote,
            "against_decision": against(decision),
            "against_arrival": against(arrival),
            "fee": stored["fees"],
            "unfilled_qty": self.qty(left),
            "opportunity": self.side * (end - decision) * left * self.worth if moved else None,
        }


def _same(stored: pl.DataFrame, now: pl.DataFrame) -> bool:
    return set(now.columns) <= set(stored.columns)

