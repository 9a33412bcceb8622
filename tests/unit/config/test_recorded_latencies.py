"""Tables of recorded latencies: what is taken, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tradectl.config.load import load_config
from tradectl.config.models import Latency
from tradectl.config.wire import wire
from tradectl.config.wire_latency import outrun_latencies, recorded_latencies
from tradectl.errors import DataError

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


def told(folder: Path, rows: list[tuple[int, int, int]], name: str = "orders.csv") -> list[tuple[int, int, int]]:
    frame = pl.DataFrame(rows, ["request", "exchange", "response"], orient="row")
    (frame.write_parquet if name.endswith(".parquet") else frame.write_csv)(folder / name)
    return list(recorded_latencies(Latency(recorded=name), folder))


BEHIND = """
strategy: {{path: idle.py, jit: false}}
data: {{source: depth.csv, kind: depth, symbols: [X/USD], clock: {clock}}}
execution: {{latency: {{entry: {entry}, compute: {compute}}}}}
"""
IDLE = '''
"""Does nothing."""
from tradectl.strategy import strategy


@strategy
class Idle:
    """It does nothing."""

    def on_depth(ctx, p, s):
        pass
'''
LATE = "lie up to 1,250 ms before the exchange's own time: orders that take less (here {} ms) arrive in its past"


@pytest.mark.parametrize(
    ("clock", "entry", "compute", "ms"),
    [
        ("keep", "5ms", "0", "5"),
        ("keep", "5ms", "1ms", "6"),
        ("keep", "1249ms", "0", "1,249"),
        ("keep", "1249ms", "1ms", None),
        ("keep", "0", "0", None),  # none was asked for
        ("correct", "5ms", "0", None),
    ],
)
def test_latencies_that_a_clock_behind_outruns_are_told(
    tmp_path: Path, clock: str, entry: str, compute: str, ms: str | None
) -> None:
    rows = ["timestamp,local_timestamp,is_snapshot,side,price,amount"]
    for k in range(4):
        ts = T0 // 1_000 + k * 10**6
        rows.append(f"{ts},{ts - 1_250_000 + k},{'false' if k else 'true'},bid,{k + 9}.{k},1")
    (tmp_path / "depth.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "idle.py").write_text(IDLE)
    (tmp_path / "run.yaml").write_text(BEHIND.format(clock=clock, entry=entry, compute=compute))
    wired = wire(load_config(tmp_path / "run.yaml"))
    assert wired.data.report is not None
    notes = [note for note in wired.data.report.notes if "receive stamps" in note]
    assert [LATE.format(ms) in note for note in notes] == [True] * (ms is not None)
    found = outrun_latencies(wired.data.report, wired.spec, [0, 7 * MS, 2_000 * MS])
    assert ("here 7 ms" in "".join(found)) == (clock == "keep" and compute == "0")


def test_a_table_is_taken(tmp_path: Path) -> None:
    rows = [(T0 + k * 10 * MS, T0 + k * 10 * MS + MS, T0 + k * 10 * MS + 3 * MS) for k in range(5)]
    for name in ("orders.csv", "orders.parquet"):
        assert told(tmp_path, rows, name) == rows


def test_a_slow_order_may_be_overtaken(tmp_path: Path) -> None:
    rows = [(T0, T0 + 50 * MS, T0 + 60 * MS), (T0 + MS, T0 + 20 * MS, T0 + 80 * MS)]
    assert told(tmp_path, rows) == rows


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([(T0 // MS, T0 // MS + 1, T0 // MS + 3)], "line 2: expected ns since 1970, from 1980 to 2200; found request"),
        ([(T0 * 10**3 // MS,) * 3], "line 2: expected ns since 1970"),
        ([(0, 1, 2)], "line 2: expected ns since 1970"),
        ([(T0, T0 + 1, T0 + 2)] * 2, "line 3: expected one row for each request, found 1700000000000000000 again"),
        ([(T0, T0 + 1, T0 + 2), (T0 - 1, T0, T0)], f"line 3: request {T0 - 1} is earlier than {T0}"),
        ([(T0, T0 - 1, T0 + 2)], "line 2: expected request <= exchange <= response"),
        ([(T0, T0, T0 + 7_200 * 10**9)], "line 2: expected an answer within an hour of the request, found 7,200 s"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(
    tmp_path: Path, rows: list[tuple[int, int, int]], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        told(tmp_path, rows)
    with pytest.raises(DataError, match=text.replace("line 3", "row 2").replace("line 2", "row 1")):
        told(tmp_path, rows, "orders.parquet")
