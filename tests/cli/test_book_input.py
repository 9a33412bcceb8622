"""Bad book data through the program: what it says, and with which code it ends."""

from __future__ import annotations

from pathlib import Path

from tests.cli.tools import Program

QUOTES = (
    "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
    "deribit,BTC-PERPETUAL,1582329600000000,1582329600100000,5,9682,9681.5,7\n"
)


def test_a_missing_column_of_tardis_is_named(program: Program, tmp_path: Path) -> None:
    for name, wrong in (("ask_amount", "ask_size"), ("local_timestamp", "local_time")):
        path = tmp_path / "quotes.csv"
        path.write_text(QUOTES.replace(name, wrong))
        done = program("data", "check", path, "--profile", "tardis")
        assert done.code == 3
        assert f"no column '{name}'" in done.err


def test_a_file_is_no_catalogue(program: Program, tmp_path: Path) -> None:
    (tmp_path / "quotes.csv").write_text(QUOTES)
    (tmp_path / "taken").write_text("mine")
    done = program("data", "import", tmp_path / "quotes.csv", "--profile", "tardis", "--out", tmp_path / "taken")
    assert done.code == 2
    assert "is a file; a catalogue is a folder" in done.err
    assert (tmp_path / "taken").read_text() == "mine"
