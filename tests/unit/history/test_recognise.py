"""An exported journal is known by its head; read as bars it is refused as what it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tradectl.cli.data_source import data_input
from tradectl.errors import DataError
from tradectl.history.export import JOURNAL_META
from tradectl.history.model import DataBlock
from tradectl.history.open import open_history
from tradectl.history.recognise import is_journal_table


def test_an_exported_journal(tmp_path: Path) -> None:
    path, plain, damaged = (tmp_path / f"{name}.parquet" for name in ("events", "plain", "damaged"))
    names = ("sequence", "ts_event", "ts_recv", "open", "high", "low", "close", "volume", "w0", "w4")
    rows = pl.DataFrame({name: [None, None] if name == "open" else [1, 2] for name in names})
    rows.write_parquet(path, metadata={JOURNAL_META: "{}"})
    rows.write_parquet(plain)
    damaged.write_bytes(b"PAR1")
    assert [is_journal_table(str(one)) for one in (path, plain, damaged, tmp_path)] == [True, False, False, False]
    assert data_input([str(path)], {}).is_journal
    assert not data_input([str(plain)], {}).is_journal
    with pytest.raises(DataError, match=r"events.parquet: no bars, but an exported journal\n.*--kind journal"):
        open_history([DataBlock(str(path))], {})
