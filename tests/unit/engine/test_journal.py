"""The journal: what is written is read back; any cut or flipped bit is found and placed."""

from __future__ import annotations

import errno
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradectl.core.event import EVENT
from tradectl.core.instrument import Instrument
from tradectl.engine.journal import BLOCK, HEADER, Journal, JournalMeta, JournalWriter
from tradectl.errors import StoreError

INSTRUMENT = Instrument("X", "A/USD", "A", "USD", Decimal("0.01"), Decimal("0.001"), listed_ns=5)
META = JournalMeta((INSTRUMENT,), (60_000_000_000,), (60_000_000_000,))


def events_of(n: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, n * EVENT.itemsize, dtype=np.uint8)
    return raw.view(EVENT)


def write(folder: Path, parts: list[np.ndarray], segment_bytes: int = 1 << 26) -> Path:
    writer = JournalWriter(folder, META, segment_bytes)
    for part in parts:
        writer.append(part)
    writer.close()
    return folder


def read(folder: Path, recover: bool = False, max_rows: int = 65_536) -> np.ndarray:
    journal = Journal(folder, recover)
    return np.concatenate([np.zeros(0, EVENT), *journal.chunks(max_rows)])


@pytest.mark.parametrize("max_rows", [1, 3, 1000])
def test_what_is_written_is_read_back(tmp_path: Path, max_rows: int) -> None:
    parts = [events_of(n, n) for n in (1, 5, 2, 100)]
    folder = write(tmp_path / "j", parts, segment_bytes=400)
    assert len(list(folder.glob("*.tcj"))) > 1
    assert read(folder, max_rows=max_rows).tobytes() == np.concatenate(parts).tobytes()
    meta = Journal(folder).meta
    assert (meta.events, meta.instruments) == (108, (INSTRUMENT,))
    assert Journal(folder).total_rows == 108


def test_an_empty_journal_is_whole(tmp_path: Path) -> None:
    assert len(read(write(tmp_path / "j", []))) == 0


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "j", [events_of(1)])
    with pytest.raises(StoreError, match="already holds"):
        JournalWriter(tmp_path / "j", META)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    parts = [events_of(1, 1), events_of(2, 2)]
    folder = write(tmp_path / "j", parts)
    path = folder / "000000.tcj"
    whole = path.read_bytes()
    first = HEADER.size + BLOCK.size + 64
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="damaged journal"):
            read(folder)
        kept = 1 if size >= first else 0
        journal = Journal(folder, recover=True)
        found = np.concatenate([np.zeros(0, EVENT), *journal.chunks()])
        assert found.tobytes() == parts[0][:kept].tobytes()
        assert journal.damage


def test_a_torn_tail_is_placed(tmp_path: Path) -> None:
    folder = write(tmp_path / "j", [events_of(1), events_of(2)])
    path = folder / "000000.tcj"
    path.write_bytes(path.read_bytes()[:-1])
    at = HEADER.size + BLOCK.size + 64
    with pytest.raises(StoreError, match=f"byte {at}: the file ends inside a block of 2 records"):
        read(folder)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "j", [events_of(1), events_of(1, 9)])
    path = folder / "000000.tcj"
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(damaged))
        with pytest.raises(StoreError, match="damaged journal"):
            read(folder)


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "j", [events_of(5, k) for k in range(4)], segment_bytes=300)
    (folder / "000001.tcj").unlink()
    with pytest.raises(StoreError, match=r"expected segment 000001\.tcj"):
        read(folder)


def test_a_missing_last_segment_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "j", [events_of(5, k) for k in range(4)], segment_bytes=300)
    (folder / "000003.tcj").unlink()
    with pytest.raises(StoreError, match="15 events, its meta says 20"):
        read(folder)


def test_exchanged_segments_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "j", [events_of(5, k) for k in range(4)], segment_bytes=300)
    (folder / "000001.tcj").rename(folder / "x")
    (folder / "000002.tcj").rename(folder / "000001.tcj")
    (folder / "x").rename(folder / "000002.tcj")
    with pytest.raises(StoreError, match="it says it is segment 2, expected 1"):
        read(folder)


def test_a_journal_without_an_end_is_readable(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", META)
    writer.append(events_of(3))
    assert len(read(tmp_path / "j")) == 3
    assert Journal(tmp_path / "j").total_rows is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"instruments": 3}'])
def test_a_damaged_meta_is_told(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "j", [events_of(1)])
    (folder / "meta.json").write_text(text)
    with pytest.raises(StoreError, match=r"meta\.json of the journal is damaged"):
        Journal(folder)


def test_a_folder_without_journal_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a readable journal"):
        Journal(tmp_path)


def test_a_block_is_on_its_way_to_the_disk_when_append_returns(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", META, sync_s=0)
    for k in range(5):
        writer.append(events_of(2))
        assert len(read(tmp_path / "j")) == 2 * (k + 1)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_writer_goes_on_behind_the_last_whole_block(tmp_path: Path, cut: int) -> None:
    whole = events_of(9)
    writer = JournalWriter(tmp_path / "j", META, segment_bytes=64)  # a segment for each block
    for k in range(3):
        writer.append(whole[3 * k : 3 * k + 3])
    last = sorted((tmp_path / "j").glob("*.tcj"))[-1]
    raw = last.read_bytes()
    last.write_bytes(raw[: len(raw) * (cut - 1) // 29])
    journal = Journal(tmp_path / "j", recover=True)
    kept = sum(len(part) for part in journal.chunks())
    assert kept == journal.end == 6
    resumed = JournalWriter.resume(journal)
    resumed.append(whole[kept:])
    resumed.close()
    found = Journal(tmp_path / "j")
    assert b"".join(part.tobytes() for part in found.chunks()) == whole.tobytes()
    assert found.total_rows == 9


def test_damage_before_the_end_is_not_cut_off(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", META, segment_bytes=64)
    for _ in range(3):
        writer.append(events_of(3))
    first = min((tmp_path / "j").glob("*.tcj"))
    raw = bytearray(first.read_bytes())
    raw[-1] ^= 1
    first.write_bytes(raw)
    journal = Journal(tmp_path / "j", recover=True)
    list(journal.chunks())
    with pytest.raises(StoreError, match="not only at its end"):
        JournalWriter.resume(journal)


@pytest.mark.parametrize("start", [0, 1, 2, 3, 5, 6, 9])
def test_the_tail_of_a_journal_begins_anywhere(tmp_path: Path, start: int) -> None:
    whole = events_of(9)
    writer = JournalWriter(tmp_path / "j", META, segment_bytes=64)
    for k in range(3):
        writer.append(whole[3 * k : 3 * k + 3])
    journal = Journal(tmp_path / "j")
    parts = [part.tobytes() for part in journal.tail(start)]
    assert b"".join(parts) == whole[start:].tobytes()
    assert journal.end == 9


def test_a_full_disk_takes_the_block_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path / "j", META, sync_s=0)
    writer.append(events_of(2))

    def full(handle: int, parts: Any) -> int:
        os.write(handle, bytes(parts[0])[:7])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(StoreError, match="No space left on device"):
            writer.append(events_of(2))
    writer.append(events_of(3))
    writer.close()
    assert len(read(tmp_path / "j")) == 5


@pytest.mark.parametrize("torn", [1, 3 * EVENT.itemsize + BLOCK.size])
def test_a_closed_journal_that_lost_its_end_is_refused_as_such(tmp_path: Path, torn: int) -> None:
    writer = JournalWriter(tmp_path / "j", META)
    for seed in range(2):
        writer.append(events_of(3, seed))
    writer.close()
    path = next((tmp_path / "j").glob("*.tcj"))
    os.truncate(path, path.stat().st_size - torn)
    journal = Journal(tmp_path / "j", recover=True)
    list(journal.chunks())
    with pytest.raises(StoreError, match="damaged journal: it was closed with 6 events and has 3 whole ones now"):
        JournalWriter.resume(journal)


@pytest.mark.parametrize("closed", [True, False])
def test_a_flipped_byte_before_whole_blocks_is_not_cut_off(tmp_path: Path, closed: bool) -> None:
    writer = JournalWriter(tmp_path / "j", META)
    for seed in range(5):
        writer.append(events_of(3, seed))
    if closed:
        writer.close()
    path = next((tmp_path / "j").glob("*.tcj"))
    raw = bytearray(path.read_bytes())
    raw[HEADER.size + BLOCK.size + 100] ^= 1
    path.write_bytes(raw)
    journal = Journal(tmp_path / "j", recover=True)
    assert list(journal.chunks()) == []
    with pytest.raises(StoreError, match="not only at its end"):
        JournalWriter.resume(journal)
    assert path.read_bytes() == raw
