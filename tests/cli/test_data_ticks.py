"""`tradectl data` with trades, quotes, depth and orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.tools import Program
from tests.unit.history.book_files import T0, depth, table, trades
from tests.unit.history.test_importers_feeds import binance, diff, written
from tradectl.core.codes import Command
from tradectl.engine.host import command_event
from tradectl.engine.journal import JournalMeta, JournalWriter
from tradectl.history.importers.hftbacktest import EVENT
from tradectl.history.model import DataBlock
from tradectl.history.open import open_history


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(capsys)


def test_import_info_check_export(program: Program, tmp_path: Path) -> None:
    one, two, out = trades(tmp_path / "t.csv"), depth(tmp_path / "d.csv"), tmp_path / "cat"
    for kind, path in (("trades", one), ("depth", two)):
        done = program("data", "import", path, "--kind", kind, "--symbol", "BTC/USDT", "--out", out, "--json")
        assert done.code == 0, done.err
    done = program("data", "import", depth(tmp_path / "d.csv"), "--kind", "depth", "--symbol", "BTC/USDT", "--out", out)
    assert "84 rows of 1 series, 0 of them new, in place of 84 that were there: 1 file" in done.out
    (info,) = program("data", "info", out, "--json").objects
    (instrument,) = info["instruments"]
    assert instrument["kinds"] == {"trade": 60, "depth": 84}
    assert (instrument["id"], instrument["lag_min_ns"]) == ("LOCAL:BTC/USDT", 1_000_000)
    shown = program("data", "info", out)
    assert "60 trade, 84 depth" in shown.out
    checked = program("data", "check", out, "--json")
    assert checked.code == 0
    assert checked.objects[0]["ok"] is True
    done = program("data", "export", out, "--kind", "trades", "--out", tmp_path / "x.csv")
    assert "60 events" in done.out


def test_faults_are_errors_of_data(program: Program, tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", "timestamp,price,qty", [f"{T0},100,1", f"{T0 + 1},abc,1"])
    done = program("data", "import", path, "--kind", "trades", "--out", tmp_path / "cat")
    assert done.code == 3
    assert "X.csv, line 3: " in done.err
    assert "'abc' is not a number" in done.err
    assert not (tmp_path / "cat" / "catalogue.json").exists()
    assert program("data", "check", path, "--kind", "trades").code == 3


def test_a_clock_is_fixed_at_import(program: Program, tmp_path: Path) -> None:
    lines = [f"{T0 + k},{T0 + k - 700},100,1" for k in range(5)]
    path = table(tmp_path / "X.csv", "timestamp,local_timestamp,price,qty", lines)
    program("data", "import", path, "--kind", "trades", "--out", tmp_path / "cat", "--fix-clock")
    (info,) = program("data", "info", tmp_path / "cat", "--json").objects
    assert info["instruments"][0]["lag_min_ns"] == 0


def test_keys_of_the_other_kind_are_refused(program: Program, tmp_path: Path) -> None:
    done = program("data", "check", trades(tmp_path / "X.csv"), "--kind", "trades", "--timeframe", "1m")
    assert done.code == 2
    assert "data.timeframe is only for `kind: bars`" in done.err


def test_a_format_is_told_without_kind(program: Program, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", data=np.zeros(2, EVENT))
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    quotes = table(tmp_path / "q.csv", "time,bid,ask", [f"{T0},1,2"])
    assert program("data", "info", quotes, "--json").objects[0]["instruments"][0]["kinds"] == {"quote": 1}
    assert "ev: '0' is not one of the kinds" in program("data", "check", tmp_path / "x.npz").err
    assert "no file of arrays" in program("data", "info", tmp_path / "bad.npz").err
    done = program("data", "info", depth(tmp_path / "d.csv"))
    assert done.code == 3
    assert "no bars, but by its columns trades or depth" in done.err
    assert "set kind: trades or depth (--kind)" in done.err
    done = program("data", "info", quotes, "--profile", "tardi")
    assert done.code == 2
    for name in ("tardis", "okx_ws", "bitfinex", "lean_crypto_minute"):
        assert name in done.err


def test_check_tells_breaks_and_whole_examples(program: Program, tmp_path: Path) -> None:
    first = {"lastUpdateId": 1, "symbol": "X", "bids": [["1", "1"]], "asks": []}
    path = written(tmp_path / "a.txt", binance(first, diff(9, 9, None, [["1", "2"]]), diff(10, 10, None, [])))
    done = program("data", "check", path)
    assert "a.txt:2: the sequence breaks at 2024-08-08T23:54:15.000000001Z" in done.out
    assert "first breaks of the sequence" in done.out
    assert "1 break of its sequence" in done.out
    assert "2 messages of depth dropped until the end" in done.out
    assert "missing" not in done.out
    done = program("data", "import", path, "--out", tmp_path / "cat")
    assert "2 messages of depth dropped until the end" in done.out


def test_info_and_check_read_journals(program: Program, tmp_path: Path) -> None:
    catalogue, run = tmp_path / "cat", tmp_path / "run"
    program("data", "generate", catalogue, "--kind", "book", "--symbols", "A/USD", "--duration", "1m")
    opened = open_history([DataBlock(str(catalogue), kind="book")], {})
    meta = JournalMeta(tuple(opened.instruments), (), (0,), kinds=(("depth", "trades"),))
    writer = JournalWriter(run / "journal", meta)
    for events in (command_event(Command.START, 1), *opened.chunks(500)):
        writer.append(events)
    told = program("data", "check", run)
    assert "the journal was not closed" in told.out
    writer.close()
    (info,) = program("data", "info", run, "--json").objects
    (instrument,) = info["instruments"]
    assert instrument["kinds"] == {"trade": 193, "depth": 1482}
    assert (instrument["id"], instrument["rows"]) == ("SYNTHETIC:A/USD", 1675)
    assert info["notes"] == ["1 events are commands and timers of the run"]
    assert program("data", "info", run).code == 0
    done = program("data", "check", run / "journal", "--json")
    assert (done.code, done.objects[0]["ok"], done.objects[0]["rows_read"]) == (0, True, 1676)
    segment = run / "journal" / "000000.tcj"
    content = bytearray(segment.read_bytes())
    content[5_000] ^= 1
    segment.write_bytes(content)
    assert program("data", "check", run).code == 6
    refused = program("data", "resample", run, "--to-timeframe", "1h", "--out", tmp_path / "r")
    assert "this command reads history, not a journal" in refused.err


def test_places_to_write_to_are_made(program: Program, tmp_path: Path) -> None:
    catalogue = tmp_path / "a" / "cat"
    made = ["data", "generate", catalogue, "--kind", "book", "--symbols", "A/USD", "--duration", "10s"]
    assert program(*made).code == 0
    assert program("data", "book", catalogue, "--out", tmp_path / "b" / "c" / "book.csv").code == 0
    assert program("data", "export", catalogue, "--out", tmp_path / "d" / "e" / "events.csv").code == 0
