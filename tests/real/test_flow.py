"""Matching against digests and a reference book that others wrote; skipped where ../shared/flow is absent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tradectl.bench.flow import generate_flow, load_flow
from tradectl.bench.matching import bench_matching, replay
from tradectl.core.jit import DISABLE_JIT
from tradectl.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "flow"
FIELDS = (
    "trades", "traded_qty", "trade_hash", "book_hash", "live", "live_qty", "best_bid", "best_ask", "levels"
)  # fmt: skip
SEEDS = range(7001, 7021)

needs_flow = pytest.mark.skipif(not SHARED.exists(), reason="../shared/flow is not there")
needs_jit = pytest.mark.skipif(DISABLE_JIT, reason="the reference book is too slow without compilation")


@pytest.fixture(scope="module")
def flowlib(tmp_path_factory):
    """Import the reference book from a copy, so that its compiled code is cached there."""
    folder = tmp_path_factory.mktemp("flowlib")
    (folder / "flowlib.py").write_bytes((SHARED / "flowlib.py").read_bytes())
    sys.path.insert(0, str(folder))
    try:
        import flowlib

        yield flowlib
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("flowlib", None)


def chosen(result):
    return {name: result[name] for name in FIELDS}


@needs_flow
@needs_jit
@pytest.mark.parametrize("index", [0, pytest.param(1, marks=pytest.mark.proof)])
def test_digests_of_three_other_engines(index, tmp_path, flowlib):
    known = json.loads((SHARED / "digests.json").read_text())[index]
    folder = Path(flowlib.__file__).parent
    for name in ("make_flow.py", "digests.json"):
        (folder / name).write_bytes((SHARED / name).read_bytes())
    file = tmp_path / "flow.npy"
    args = ["--modify", str(known["modify"])] if known["modify"] else []
    command = [sys.executable, "make_flow.py", str(file), *args]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    result = bench_matching(file, repeats=1)
    assert result["ops"] == known["ops"]
    assert chosen(result) == known["full"]
    assert chosen(replay(load_flow(file)[:50_000])[0]) == known["first50k"]


@needs_flow
@needs_jit
@pytest.mark.parametrize("seed", SEEDS)
def test_equals_the_reference_book(seed, flowlib):
    flow, _, _ = flowlib.generate(n=50_000, seed=seed, pmod=0.0 if seed % 2 else 0.05)
    assert chosen(replay(flow)[0]) == flowlib.digest(flowlib.run_replay(flow))


def test_made_up_flow_is_fixed_by_its_seed():
    ops = 3000 if DISABLE_JIT else 60_000
    flow = generate_flow(ops, seed=3, live=ops // 20)
    assert (flow == generate_flow(ops, seed=3, live=ops // 20)).all()
    assert (flow["id"] != generate_flow(ops, seed=4, live=ops // 20)["id"]).any()
    counts = np.bincount(flow["op"], minlength=4) / ops
    assert (counts > (0.3, 0.1, 0.005, 0.005)).all()
    result, _ = replay(flow)
    assert result["trades"] > ops // 50
    assert result["live"] > ops // 50
    assert result["best_bid"] < result["best_ask"]


def test_a_seed_has_the_same_bytes_everywhere():
    digest = hashlib.sha256(generate_flow(3000, seed=3, live=150).tobytes()).hexdigest()
    assert digest.startswith("68347eff32c98515")


def test_bench_reports_what_it_measured():
    result = bench_matching(None, repeats=1, ops=2000)
    wanted = {*FIELDS, "ops", "ns_per_op", "ops_per_s", "p50_ns", "p99_ns", "p99_9_ns", "clock_ns", "refused"}
    assert set(result) == wanted
    assert 0 < result["p50_ns"] <= result["p99_ns"] <= result["p99_9_ns"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("op", 4, "row 1: op is 4"), ("side", 2, "row 1: side is 2"), ("id", 1 << 40, "row 1: id is")],
)
def test_a_bad_row_is_named(tmp_path, field, value, message):
    flow = generate_flow(3)
    flow[field][1] = value
    np.save(tmp_path / "flow.npy", flow)
    with pytest.raises(DataError, match=message):
        load_flow(tmp_path / "flow.npy")


def test_a_file_that_is_no_flow(tmp_path):
    np.save(tmp_path / "other.npy", np.zeros(4))
    (tmp_path / "text.npy").write_text("id,price\n")
    for name, message in [("other.npy", "expected a non-empty"), ("text.npy", "readable"), ("none", "none")]:
        with pytest.raises(DataError, match=message):
            load_flow(tmp_path / name)
