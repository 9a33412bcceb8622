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
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

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
FEW = 256  # events that are copied rather than looked at as bytes
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
    """Appends events; each call is in the hands of the system when it returns, so a killed process loses nothing.

    Every `sync_s` seconds an append also forces the file to the disk (0: the caller does, with `sync`). A block that
    cannot be written whole is taken back, and StoreError says why. `behind` is what is there already: events, segments.
    """

    def __init__(
        self,
        folder: Path,
        meta: JournalMeta,
        segment_bytes: int = SEGMENT_BYTES,
        sync_s: float = SYNC_S,
        behind: tuple[int, int] = (0, 0),
    ) -> None:
        self.folder, self.meta, self.segment_bytes, self.sync_s = folder, meta, segment_bytes, sync_s
        self.events, self.segment = behind
        self._file: int | None = None
        self._at = 0
        self._synced = time.monotonic()
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not self.segment and any(folder.glob("*.tcj")):
                raise StoreError(f"{folder} already holds a journal")
            self._write_meta(meta)

    @classmethod
    def resume(cls, journal: Journal, sync_s: float = SYNC_S) -> JournalWriter:
        """Go on behind the last whole block of a journal that was read to its end; what is behind it goes.

        StoreError where the damage is not at the end, or the journal was closed: then more than a cut-off block is
        missing.
        """
        segments = journal.paths[1:]
        with _told(journal.folder):
            if journal.damage_at is not None:
                path, offset = journal.damage_at
                closed = journal.meta.events
                in_last = bool(segments) and path == segments[-1] and not journal.goes_on(path, offset)
                if closed is not None and (in_last or path == journal.folder):
                    told = f"it was closed with {closed:,} events and has {journal.end:,} whole ones now"
                    raise StoreError(f"damaged journal: {told}: {journal.damage}")
                if not in_last:
                    raise StoreError(f"damaged journal, not only at its end: {journal.damage}")
                if offset < HEADER.size:
                    path.unlink()
                    segments.pop()
                else:
                    os.truncate(path, offset)
        behind = journal.end, len(segments)
        return cls(journal.folder, replace(journal.meta, events=None), sync_s=sync_s, behind=behind)

    def append(self, events: Events) -> None:
        """Add events at the end."""
        n = len(events)
        if n <= FEW:
            self._append(n, events.tobytes())
            return
        for start in range(0, n, MAX_RECORDS):
            part = np.ascontiguousarray(events[start : start + MAX_RECORDS])
            self._append(len(part), part.view(np.uint8).data)

    def _append(self, n: int, payload: Any) -> None:
        """Add one block of `n` records."""
        head = BLOCK.pack(n, _crc(n, self.events, payload), self.events)
        try:
            self._write(head, payload)
        except OSError as error:
            raise _unwritten(self.folder, error) from error
        self.events += n
        if self.sync_s and time.monotonic() - self._synced >= self.sync_s:
            self.sync()
        if self._at >= self.segment_bytes:
            self._finish_segment()

    def _write(self, head: bytes, payload: Any) -> None:
        """Write one block, whole or not at all."""
        handle = self._file if self._file is not None else self._open()
        size = len(head) + len(payload)
        try:
            written = os.writev(handle, (head, payload))
            while written < size:  # a signal, or a disk that is filling up
                written += os.write(handle, b"".join((head, payload))[written:])
        except OSError:
            os.ftruncate(handle, self._at)
            os.lseek(handle, self._at, os.SEEK_SET)
            raise
        self._at += size

    def _open(self) -> int:
        """Begin a segment; return its handle."""
        path = self.folder / f"{self.segment:06d}.tcj"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._at = os.write(self._file, _header(self.segment))
        return self._file

    def sync(self) -> None:
        """Force what was appended to the disk; may be called from another thread."""
        self._synced = time.monotonic()
        handle = self._file
        if handle is not None:
            with _told(self.folder):
                os.fsync(handle)

    def _finish_segment(self) -> None:
        if self._file is not None:
            self.sync()
            handle, self._file = self._file, None
            os.close(handle)
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
        with _told(self.folder):
            self._write_meta(replace(self.meta, events=self.events))


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Let an error of the system be a StoreError that names the journal."""
    try:
        yield
    except OSError as error:
        raise _unwritten(folder, error) from error


def _unwritten(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"the journal {folder} cannot be written: {error.strerror or error}")


class Journal:
    """A journal on disk as an event source.

    With `recover` a damaged or cut tail ends the stream where the last whole block ends and `damage`
    says where and why; otherwise it is a StoreError, and so is a count other than the meta's.
    """

    def __init__(self, folder: Path, recover: bool = False) -> None:
        self.folder, self.recover = folder, recover
        self.damage = ""
        self.damage_at: tuple[Path, int] | None = None  # file and byte
        self.end = 0  # events read, once `chunks` or `tail` has come to its end
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
        yield from self.tail(0, max_rows)

    def tail(self, start: int, max_rows: int = 65_536) -> Iterator[Events]:
        """Yield the events from number `start` on; segments that end before it are not read."""
        return _gathered(self._blocks(start), max_rows)

    def _blocks(self, start: int) -> Iterator[Events]:
        """Yield the events from number `start` on, block by block."""
        self.damage, self.damage_at = "", None
        paths = self.paths[1:]
        first, self.end = self._segment_of(start, paths) if start else (0, 0)
        for number, path in enumerate(paths[first:], first):
            for events in self._segment(path, number, self.end):
                part = events[max(0, start - self.end) :]
                self.end += len(events)
                if len(part):
                    yield part
            if self.damage:
                return
        if self.meta.events not in (None, self.end) or self.end < start:
            wanted = self.meta.events if self.meta.events is not None else start
            self._bad(self.folder, 0, f"{self.end:,} events, its meta says {wanted:,}")

    def goes_on(self, path: Path, offset: int) -> bool:
        """Return whether a whole block of this journal stands behind a damaged place: more than a tail is torn."""
        content = path.read_bytes()
        for at in range(offset + BLOCK.size, len(content) - BLOCK.size, BLOCK.size):
            count, crc, first = BLOCK.unpack_from(content, at)
            payload = memoryview(content)[at + BLOCK.size : at + BLOCK.size + count * EVENT.itemsize]
            plausible = 0 < count <= MAX_RECORDS and self.end < first <= self.end + len(content) // EVENT.itemsize
            if plausible and len(payload) == count * EVENT.itemsize and _crc(count, first, payload) == crc:
                return True
        return False

    def _segment_of(self, start: int, paths: Sequence[Path]) -> tuple[int, int]:
        """Return the segment that holds event `start`, and the number of its first event."""
        found = (0, 0)
        for number, path in enumerate(paths):
            with path.open("rb") as stream:
                head = stream.read(HEADER.size + BLOCK.size)[HEADER.size :]
            if len(head) < BLOCK.size or BLOCK.unpack(head)[2] > start:
                break
            found = number, int(BLOCK.unpack(head)[2])
        return found

    def _bad(self, path: Path, offset: int, what: str) -> None:
        self.damage, self.damage_at = f"{path}: byte {offset:,}: {what}", (path, offset)
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


def _gathered(blocks: Iterator[Events], max_rows: int) -> Iterator[Events]:
    """Yield blocks in arrays of at most `max_rows`; the small ones of a live session are joined."""
    few: list[Events] = []
    held = 0
    for block in blocks:
        if held and held + len(block) > max_rows:
            yield np.concatenate(few)
            few, held = [], 0
        if len(block) <= max_rows:
            few.append(block)
            held += len(block)
            continue
        for low in range(0, len(block), max_rows):
            yield block[low : low + max_rows]
    if held:
        yield np.concatenate(few) if len(few) > 1 else few[0]


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
