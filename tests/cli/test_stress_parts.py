"""Parts of `stress`: its lists, its plan, its break-even points with an invented run, its colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tradectl.cli import output
from tradectl.cli.stress_axes import FeeLevel, Latency, Point, Wanted, axes_of, base_of, plan, spec_at
from tradectl.cli.stress_cell import Cell, Tally
from tradectl.cli.stress_fold import Pipe
from tradectl.cli.stress_run import break_even_fee, break_even_latency
from tradectl.cli.stress_table import FILLED, GAIN, LOSS, PAPER, _latency_line, colour_of
from tradectl.core.codes import BookLevel, FillAt, QueueModel
from tradectl.core.instrument import Instrument
from tradectl.core.layout import EQUITY
from tradectl.engine.spec import ExecutionSpec, InstrumentLimits, RunSpec
from tradectl.errors import ConfigError

MS = 1_000_000
SPEC = RunSpec(
    [Instrument("T", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.1"))],
    [InstrumentLimits(maker_nano=-20_000, taker_nano=400_001, level=BookLevel.DEPTH)],
    [],
    execution=ExecutionSpec(latency_entry_ns=5 * MS, latency_response_ns=7 * MS, slip_ticks=1),
)
BARS = replace(SPEC, limits=[InstrumentLimits(taker_nano=500_000)], execution=ExecutionSpec())


def test_the_config_is_on_every_axis_once() -> None:
    base = base_of(SPEC)
    assert base.labels == {"queue": "power3", "latency": "5ms/7ms", "fee_level": "1x", "slippage": "1"}
    axes = axes_of(Wanted("LOG, log,risk_averse", "0,5ms/7ms,1ms/0", "2x,0,0.0002/0.05%,1.0", "1,0"), SPEC)
    assert axes.queue == ("power3", "log", "risk_averse")
    assert [one.label for one in axes.latency] == ["0", "1ms/0", "5ms/7ms"]
    assert [one.label for one in axes.fee_level] == ["0x", "1x", "2x", "0.0002/0.0005"]
    assert axes.slippage == (0, 1)


def test_the_plan_is_each_axis_and_the_heat_map_or_the_product() -> None:
    base = base_of(SPEC)
    axes = axes_of(Wanted("log", "0,1ms", "0,2x", "0,1,2"), SPEC)
    points = plan(axes, base, full=False)
    assert points[0] == base
    assert len(points) == len(set(points)) == 1 + 2 + 2 + 2 + 3  # base, latency, fees, slippage, log × latency
    assert {(one.queue, one.latency) for one in points} == {(q, t) for q in axes.queue for t in axes.latency}
    whole = plan(axes, base, full=True)
    assert whole[0] == base
    assert len(whole) == len(set(whole)) == 2 * 3 * 3 * 3


def test_points_change_what_they_name_and_nothing_else() -> None:
    base = base_of(SPEC)
    assert spec_at(SPEC, base) == replace(SPEC, limits=tuple(SPEC.limits))
    made = spec_at(SPEC, Point("log2", Latency(1, 2), FeeLevel(Decimal("0.5")), 3))
    assert made.execution == replace(SPEC.execution, latency_entry_ns=1, latency_response_ns=2, slip_ticks=3)
    assert made.limits[0] == replace(
        SPEC.limits[0], queue_model=QueueModel.LOG2, maker_nano=-10_000, taker_nano=200_000
    )
    in_bps = replace(SPEC, execution=replace(SPEC.execution, slip_ticks=0, slip_nano=10**5))
    assert base_of(in_bps).labels["slippage"] == "config"
    assert spec_at(in_bps, base_of(in_bps)).execution == in_bps.execution
    assert spec_at(in_bps, base_of(in_bps)._replace(slippage=2)).execution.slip_nano == 0


def test_recorded_latencies_are_the_config_and_constants_replace_them() -> None:
    recorded = replace(SPEC, latencies=[(0, 1, 2)], execution=ExecutionSpec())
    base = base_of(recorded)
    axes = axes_of(Wanted(latency="0,1ms"), recorded)
    assert [one.label for one in axes.latency] == ["recorded", "0", "1ms"]
    assert spec_at(recorded, base).latencies == [(0, 1, 2)]
    assert spec_at(recorded, base._replace(latency=Latency(0, 0))).latencies == ()


def test_bars_have_no_queue_and_a_close_no_latency() -> None:
    assert axes_of(Wanted(), BARS).queue == (None,)
    rows = {one.fee_level for one in plan(axes_of(Wanted(), BARS), base_of(BARS), full=False)}
    assert len(rows) == 3
    closing = replace(BARS, execution=ExecutionSpec(fill_at=FillAt.CLOSE))
    assert axes_of(Wanted(), closing).latency == (Latency(0, 0),)
    with pytest.raises(ConfigError, match="fill_at: close"):
        axes_of(Wanted(latency="0,1s"), closing)


@pytest.mark.parametrize(
    ("spec", "wanted", "told"),
    [
        (SPEC, Wanted(queue="powr2"), "did you mean 'power2'"),
        (BARS, Wanted(queue="log"), "this run has none"),
        (SPEC, Wanted(latency="5min"), "did you mean '5m'"),
        (SPEC, Wanted(latency="-1ms"), "expected a number with a unit"),
        (SPEC, Wanted(latency="1ms/"), "'1ms/'"),
        (SPEC, Wanted(latency="2d"), "at most 1d"),
        (SPEC, Wanted(latency=" , "), "the list is empty"),
        (SPEC, Wanted(fees="two"), "a factor"),
        (SPEC, Wanted(fees="-1"), "rates are written MAKER/TAKER"),
        (SPEC, Wanted(fees="nan"), "a factor"),
        (SPEC, Wanted(fees="0.1/0.1"), "expected a fee from -0.01 to 0.05"),
        (SPEC, Wanted(fees="0.0000000001/0"), "steps of 1e-9"),
        (SPEC, Wanted(slippage="0.5"), "whole number of ticks"),
        (SPEC, Wanted(slippage="-1"), "0 to 1,000,000"),
    ],
)
def test_wrong_lists_are_told(spec: RunSpec, wanted: Wanted, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        axes_of(wanted, spec)
    assert told in str(raised.value)


def test_too_many_variants_and_too_high_fees_are_told() -> None:
    ticks = ",".join(str(k) for k in range(300))
    with pytest.raises(ConfigError, match="variants are more than"):
        plan(axes_of(Wanted(slippage=ticks), SPEC), base_of(SPEC), full=True)
    with pytest.raises(ConfigError, match="400x makes fees of"):
        FeeLevel(Decimal(400)).rates(SPEC.limits[0])


def test_a_variant_starts_with_its_first_sample_where_a_rate_comes_late() -> None:
    samples = np.zeros(2, EQUITY)
    samples["equity_atoms"] = 500, 400
    late, known = Tally(1, None), Tally(1, 7)
    for tally in (late, known):
        tally.rows("equity", samples)
        tally.rows("equity", samples[1:])
    assert (late.initial_atoms, known.initial_atoms) == (500, 7)


# --- break-even points


def latency_of(
    gain: Callable[[int], float], words: str
) -> tuple[dict[str, object], list[Point]]:  # gain of an entry latency in ns
    base = base_of(SPEC)
    axes = axes_of(Wanted(latency=words), SPEC)
    points = [base._replace(latency=one) for one in axes.latency]
    asked: list[Point] = []

    def fold(point: Point) -> Cell:
        asked.append(point)
        return Cell(point, pnl=gain(point.latency.entry_ns))

    found = {one: fold(one) for one in points}
    asked.clear()
    return break_even_latency(axes, base, found, fold), asked


def test_the_break_even_latency_is_bracketed() -> None:
    found, asked = latency_of(lambda ns: 17_123_456.0 - ns, "0,10ms/40ms,50ms/80ms,100ms")
    assert (found["status"], found["crossings"]) == ("profit_ends", 1)
    assert found["low"]["entry_ns"] == 17_123_000  # in steps of 1 µs, for the way of 40 ms has at most 4,096 parts
    assert found["high"]["entry_ns"] == 17_124_000
    assert found["low"]["pnl"] > 0 >= found["high"]["pnl"]
    assert found["low"]["response_ns"] == 47_123_000  # grows in proportion
    assert len(asked) <= 16
    assert [one["latency"] for one in found["within"]] == ["10ms/40ms", "50ms/80ms"]
    assert found["is_jump"] is False


def test_the_first_of_several_crossings_is_told() -> None:
    found, _ = latency_of(lambda ns: 1.0 if 3 * MS < ns < 30 * MS else -1.0, "0,20ms,40ms")
    assert (found["status"], found["crossings"]) == ("profit_begins", 2)
    assert found["low"]["entry_ns"] == 3 * MS
    assert found["is_jump"] is True
    assert [one["pnl"] for one in found["within"]] == [-1.0, 1.0]
    told = _latency_line(found, output.money)
    assert "the profit begins between 3ms/4200us (-1.00) and" in told
    assert "looked for between 0 (-1.00) and 5ms/7ms (1.00)" in told
    assert "a jump: P&L does not pass through zero there" in told


@pytest.mark.parametrize(("gain", "status"), [(1.0, "always_profit"), (-1.0, "never_profit"), (0.0, "never_profit")])
def test_without_a_crossing_there_is_no_break_even_latency(gain: float, status: str) -> None:
    found, asked = latency_of(lambda _ns: gain, "0,20ms")
    assert (found["status"], found["low"], asked) == (status, None, [])


def test_the_break_even_fee_is_tried() -> None:
    base = base_of(SPEC)
    own = Cell(base, pnl=60.0, fees=40.0, notional=1_000_000.0, fills=8, fills_hash="a")

    def fold(point: Point) -> Cell:
        level = point.fee_level
        fees = 40.0 * float(level.factor) if level.factor is not None else level.maker_nano / 1e9 * 1_000_000.0
        return Cell(point, pnl=100.0 - fees, fees=fees, fills_hash="a" if level.factor is None else "b")

    found = break_even_fee(own, fold)
    assert (found["status"], found["gross"], found["rate"], found["factor"]) == ("profit", 100.0, 0.0001, 2.5)
    tried = [(one["fee_level"], one["same_fills"]) for one in found["tried"]]
    assert tried == [("0.0001/0.0001", True), ("2.5x", False)]
    assert [one["pnl"] for one in found["tried"]] == pytest.approx([0.0, 0.0], abs=1e-3)


def test_a_loss_before_fees_has_a_rebate_only() -> None:
    own = Cell(base_of(SPEC), pnl=-60.0, fees=40.0, notional=1e6, fills=8)
    found = break_even_fee(own, lambda point: Cell(point, pnl=0.0))
    assert (found["status"], found["rate"]) == ("before_fees_a_loss", -0.00002)
    assert [one["fee_level"] for one in found["tried"]] == ["-0.00002/-0.00002"]
    none = break_even_fee(Cell(base_of(SPEC), pnl=0.0, fees=0.0, notional=0.0, fills=0), lambda point: Cell(point))
    assert (none["status"], none["tried"]) == ("no_fills", [])


# --- others


def test_colours() -> None:
    assert colour_of(-8.0, "pnl", 8.0) == LOSS
    assert colour_of(8.0, "pnl", 8.0) == GAIN
    assert colour_of(0.0, "pnl", 0.0) == colour_of(0.0, "fill_ratio", 8.0) == PAPER
    assert colour_of(1.0, "fill_ratio", 8.0) == FILLED


def test_a_pipe_ends_breaks_and_lets_its_reader_go() -> None:
    chunk = np.zeros(1)
    pipe = Pipe()
    pipe.put(chunk)
    pipe.put(None)
    assert [one is chunk for one in pipe] == [True]
    pipe.put(ValueError("damaged"))
    with pytest.raises(ValueError, match="damaged"):
        list(pipe)
    pipe.put(chunk)
    pipe.close()
    for _ in range(9):  # a reader does not wait for a fold that has gone
        pipe.put(chunk)
