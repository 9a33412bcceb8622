"""Tables of recorded latencies: what is taken, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tradectl.config.models import Latency
from tradectl.config.wire_latency import recorded_latencies
from tradectl.errors import DataError

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


def told(folder: Path, rows: list[tuple[int, int, int]], name: str = "orders.csv") -> list[tuple[int, int, int]]:
    frame = pl.DataFrame(rows, ["request", "exchange", "response"], orient="row")
    (frame.write_parquet if name.endswith(".parquet") else frame.write_csv)(folder / name)
    return list(recorded_latencies(Latency(recorded=name), folder))


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
