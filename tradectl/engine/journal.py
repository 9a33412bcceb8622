"""The journal: every event of a run in the order in which it was applied, in checksummed segments.

    journal/meta.json    instruments, timeframes; `events` once the journal is whole
    journal/000000.tcj   header (32 bytes), then blocks
    header               magic 8s, version u4, record size u4, event layout 8s, segment u4, crc32 u4 of it all
    block                records u4, crc32 u4 of records, sequence and payload, sequence u8, records × 64 bytes

A record's position is its sequence; nothing is ever sorted again. All integers are little-endian.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import numpy as np

from tradectl.core.event import EVENT
from tradectl.core.instrument import Instrument
from tradectl.engine.ports import Events
from tradectl.errors import StoreError

__all__ = ["Journal", "JournalMeta", "JournalWriter", "event_layout"]

MAGIC, VERSION = b"TRADECTJ", 1
HEADER = struct.Struct("<8sII8sII")
BLOCK = struct.Struct("<IIQ")
SEGMENT_BYTES = 1 << 26
MAX_RECORDS = 1 << 20  # of one block: a larger count is damage
SYNC_S = 1.0  # seconds between two fsyncs while writing
META = "meta.json"


def event_layout() -> bytes:
    """Return 8 bytes that name the layout of EVENT."""
    return hashlib.blake2b(str(EVENT.descr).encode(), digest_size=8).digest()


def _header(segment: int) -> bytes:
    raw = HEADER.pack(MAGIC, VERSION, EVENT.itemsize, event_layout(), segment, 0)
    return raw[:-4] + struct.pack("<I", zlib.crc32(raw[:-4]))


def _crc(count: int, sequence: int, payload: Any) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<IQ", count, sequence)))


@dataclass(frozen=True)
class JournalMeta:
    """What a journal's events refer to; `frame_of` is the source timeframe of each instrument, ns (0: no bars).

    `kinds` are each instrument's kinds of data, as `config.wire_data.Opened` tells them.
    """

    instruments: tuple[Instrument, ...]
    timeframes_ns: tuple[int, ...]
    frame_of: tuple[int, ...]
    detail_ns: int = 0
    events: int | None = None  # None: still being written, or its writer died
    kinds: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> str:
        """Return it as JSON."""
        rows = [
            {key: str(value) if isinstance(value, Decimal) else value for key, value in vars(one).items()}
            for one in self.instruments
        ]
        return json.dumps({**vars(self), "instruments": rows, "schema": VERSION}, indent=1)

    @staticmethod
    def from_json(text: str) -> JournalMeta:
        """Read it back; StoreError where it is damaged."""
        try:
            raw = json.loads(text)
            sizes = ("tick_size", "lot_size", "min_qty", "min_notional")
            rows: list[dict[str, Any]] = raw["instruments"]
            instruments = tuple(
                Instrument(**(one | {key: Decimal(one[key]) for key in sizes})) for one in rows
            )
            frames = tuple(raw["timeframes_ns"]), tuple(raw["frame_of"])
            kinds = tuple(tuple(one) for one in raw.get("kinds", ()))
            return JournalMeta(instruments, *frames, int(raw["detail_ns"]), raw["events"], kinds)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise StoreError(f"{META} of the journal is damaged ({error})") from error


class JournalWriter:
    """Appends events; on disk a block is whole or its checksum says that it is not."""

    def __init__(self, folder: Path, meta: JournalMeta, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder, self.meta, self.segment_bytes = folder, meta, segment_bytes
        self.events = self.segment = 0
        self._file: IO[bytes] | None = None
        self._synced = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("*.tcj")):
            raise StoreError(f"{folder} already holds a journal")
        self._write_meta(meta)

    def append(self, events: Events) -> None:
        """Add events at the end."""
        for start in range(0, len(events), MAX_RECORDS):
            part = np.ascontiguousarray(events[start : start + MAX_RECORDS])
            payload = part.view(np.uint8).data
            stream = self._open()
            stream.write(BLOCK.pack(len(part), _crc(len(part), self.events, payload), self.events))
            stream.write(payload)
            self.events += len(part)
            if time.monotonic() - self._synced >= SYNC_S:
                self._sync()
            if stream.tell() >= self.segment_bytes:
                self._finish_segment()

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = (self.folder / f"{self.segment:06d}.tcj").open("xb")
            self._file.write(_header(self.segment))
        return self._file

    def _sync(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _finish_segment(self) -> None:
        if self._file is not None:
            self._sync()
            self._file.close()
            self._file = None
            self.segment += 1

    def _write_meta(self, meta: JournalMeta) -> None:
        temporary = self.folder / f".{META}.tmp"
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(meta.to_json())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.folder / META)

    def close(self) -> None:
        """Sync everything and write down that the journal is whole."""
        self._finish_segment()
        self._write_meta(JournalMeta(**{**vars(self.meta), "events": self.events}))


class Journal:
    """A journal on disk as an event source.

    With `recover` a damaged or cut tail ends the stream where the last whole block ends and `damage`
    says where and why; otherwise it is a StoreError, and so is a count other than the meta's.
    """

    def __init__(self, folder: Path, recover: bool = False) -> None:
        self.folder, self.recover = folder, recover
        self.damage = ""
        try:
            self.meta = JournalMeta.from_json((folder / META).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{folder} is not a readable journal ({error})") from error

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Return the instruments that events name by index."""
        return self.meta.instruments

    @property
    def timeframes_ns(self) -> Sequence[int]:
        """Return the source timeframes."""
        return self.meta.timeframes_ns

    @property
    def total_rows(self) -> int | None:
        """Return the number of events, if the journal is whole."""
        return self.meta.events

    @property
    def paths(self) -> list[Path]:
        """Return the journal's files."""
        return [self.folder / META, *sorted(self.folder.glob("*.tcj"))]

    def chunks(self, max_rows: int = 65_536) -> Iterator[Events]:
        """Yield all events as read-only arrays of at most `max_rows`."""
        sequence = 0
        self.damage = ""
        for number, path in enumerate(self.paths[1:]):
            for events in self._segment(path, number, sequence):
                sequence += len(events)
                for start in range(0, len(events), max_rows):
                    yield events[start : start + max_rows]
            if self.damage:
                return
        if self.meta.events not in (None, sequence):
            self._bad(self.folder, 0, f"{sequence:,} events, its meta says {self.meta.events:,}")

    def _bad(self, path: Path, offset: int, what: str) -> None:
        self.damage = f"{path}: byte {offset:,}: {what}"
        if not self.recover:
            raise StoreError(f"damaged journal: {self.damage}")

    def _segment(self, path: Path, number: int, sequence: int) -> Iterator[Events]:
        with path.open("rb") as stream:
            if path.name != f"{number:06d}.tcj":
                return self._bad(path, 0, f"expected segment {number:06d}.tcj: one is missing")
            if stream.read(HEADER.size) != _header(number):
                return self._bad(path, 0, _header_fault(path, number))
            while True:
                offset = stream.tell()
                head = stream.read(BLOCK.size)
                if not head:
                    return None
                if len(head) < BLOCK.size:
                    return self._bad(path, offset, "the file ends inside a block's head")
                count, crc, first = BLOCK.unpack(head)
                if not 0 < count <= MAX_RECORDS:
                    return self._bad(path, offset, f"a block of {count:,} records")
                payload = stream.read(count * EVENT.itemsize)
                if len(payload) < count * EVENT.itemsize:
                    return self._bad(path, offset, f"the file ends inside a block of {count:,} records")
                if _crc(count, first, payload) != crc:
                    return self._bad(path, offset, "the checksum of a block does not match")
                if first != sequence:
                    return self._bad(
                        path, offset, f"a block begins at event {first:,}, expected {sequence:,}"
                    )
                sequence += count
                yield np.frombuffer(payload, EVENT)


def _header_fault(path: Path, number: int) -> str:
    """Say what is wrong with a segment's header."""
    raw = path.read_bytes()[: HEADER.size]
    if len(raw) < HEADER.size:
        return "the file ends inside its header"
    magic, version, size, layout, segment, crc = HEADER.unpack(raw)
    if magic != MAGIC:
        return "this is no journal segment"
    if zlib.crc32(raw[:-4]) != crc:
        return "the header is damaged"
    if version != VERSION or size != EVENT.itemsize or layout != event_layout():
        return f"version {version} with {size}-byte events of another layout; this is version {VERSION}"
    return f"it says it is segment {segment}, expected {number}"
