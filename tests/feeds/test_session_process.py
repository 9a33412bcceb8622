"""`tradectl paper` as a process of its own against a sandbox process: how it ends, is killed, and goes on."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.tools import process
from tests.feeds.played import ROOT, strategies, write_config
from tradectl.bench.paper import sandbox
from tradectl.core.codes import EventKind
from tradectl.engine.journal import Journal
from tradectl.exchanges.model import GapReason

pytestmark = pytest.mark.xdist_group("paper processes")

SPARE_S = 300.0  # for starting and ending on a busy machine
PAPER = [sys.executable, "-m", "tradectl", "paper", "--headless", "--json"]


def config_file(tmp_path: Path, endpoint: str) -> Path:
    fed = {"binance": {"symbols": ["BTC/USDT"], "channels": ["trades", "depth"], "endpoint": endpoint}}
    return write_config(tmp_path, strategies(["book_grid", "twap"], ["BINANCE:BTC/USDT"]), fed)


@contextmanager
def paper(*args: object, limit_bytes: int = 0, log: Any = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Run a session in a process of its own, whose files may be no larger than a limit; it ends with the block."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    with subprocess.Popen(
        [*PAPER, *map(str, args)], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
        preexec_fn=limit if limit_bytes else None,
    ) as child:  # fmt: skip
        try:
            yield child
        finally:
            child.kill()


def wait_until(holds: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + SPARE_S
    while not holds():
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


def journaled(out: Path) -> int:
    """Return the bytes in the journal of the only session of a folder."""
    return sum(path.stat().st_size for path in out.glob("2*/journal/*.tcj"))


def folder_of(out: Path) -> Path:
    (folder,) = out.glob("2*")
    return folder


def events_of(folder: Path) -> Any:
    return np.concatenate(list(Journal(folder / "journal").chunks()))


def assert_identical(folder: Path) -> None:
    done = process("verify", str(folder))
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "runs"
    with (
        sandbox(300, "--symbol", "BTC/USDT", "--wait") as endpoint,
        paper(config_file(tmp_path, endpoint), "--out", out) as child,
    ):
        wait_until(lambda: journaled(out) > 64 * 1_000, child)
        child.send_signal(number)
        told, logged = child.communicate(timeout=SPARE_S)
    assert child.returncode == 0, logged
    summary = json.loads(told)
    assert (summary["status"], summary["ended"]) == ("complete", "interrupted")
    assert summary["fills"] > 0
    assert {one["state"] for one in summary["feeds"]["channels"]} == {"closed"}
    folder = folder_of(out)
    assert f"tradectl verify {folder}" in logged
    assert (events_of(folder)["kind"] != EventKind.GAP).all()
    assert_identical(folder)


def test_a_killed_session_goes_on_and_has_the_trades_that_were_made_meanwhile(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    with sandbox(300, "--symbol", "BTC/USDT", "--wait") as endpoint:
        config = config_file(tmp_path, endpoint)
        with paper(config, "--out", out) as child:
            wait_until(lambda: journaled(out) > 64 * 2_000, child)
            child.kill()
            child.communicate(timeout=SPARE_S)
        folder = folder_of(out)
        assert not (folder / "summary.json").exists()
        with paper("--resume", folder, "--duration", "5s") as child:
            told, logged = child.communicate(timeout=SPARE_S)
        assert child.returncode == 0, logged
    summary = json.loads(told)
    assert len(summary["feeds"]["resumed"]) == 1
    events = events_of(folder)
    assert (events["w2"][events["kind"] == EventKind.GAP] == GapReason.RESUME).all()
    ids = events["w2"][events["kind"] == EventKind.TRADE]
    assert len(ids) > 200
    assert (np.diff(ids) == 1).all()
    assert (np.diff(events["ts_recv"]) >= 0).all()
    assert_identical(folder)


def test_a_file_that_may_not_grow_ends_the_session_which_can_go_on(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    with sandbox(300, "--symbol", "BTC/USDT", "--wait") as endpoint:
        with paper(config_file(tmp_path, endpoint), "--out", out, limit_bytes=200_000) as child:
            _, logged = child.communicate(timeout=SPARE_S)
        assert child.returncode == 6, logged
        assert "--resume" in logged
        folder = folder_of(out)
        with paper("--resume", folder, "--duration", "2s") as child:
            _, logged = child.communicate(timeout=SPARE_S)
        assert child.returncode == 0, logged
    assert_identical(folder)


def test_a_venue_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        done = process("paper", str(config_file(tmp_path, f"http://127.0.0.1:{port}")), "--headless")
    assert done.code == 5
    assert f"127.0.0.1:{port}" in done.err
    assert not (tmp_path / "runs").exists()
