"""From a block of book data to its sources: which importer, which symbols; then one survey of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import polars as pl

from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import files as places
from tradectl.history import profiles
from tradectl.history.book_events import groups_of
from tradectl.history.book_source import BookPart, BookSource, grid_columns, spooled
from tradectl.history.book_spool import TYPES, Columns, Spool
from tradectl.history.book_survey import BookSurvey
from tradectl.history.faults import FaultLog
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers import IMPORTERS, KINDS, MODULES, Importer, Options, importer
from tradectl.history.model import DataBlock, InstrumentSpec, actions_for, split_id
from tradectl.history.plan import Loaded, Progress, key_of, nothing_left, place_of, refuse_absent, wanted
from tradectl.history.rows import FILE_SHIFT, Budget

__all__ = ["TickFile", "all_endings", "choose_importer", "correct_clock", "judge_clock", "load_book"]

HEAD = 1 << 13  # bytes of unpacked text by which a format is told
SPOOL_BATCH = 65_536  # rows of a batch of sorted rows


@dataclass
class TickFile:
    """One file of a block, as messages name it."""

    place: Place
    index: int

    def line(self, row: int) -> int:
        """Return the line that `row` counts; 0 where the file is no text."""
        return row if self.place.is_text else 0


@dataclass
class _Survey:
    """One part's survey as it goes."""

    survey: BookSurvey
    spool: Spool
    first_ns: int = 0
    last_ns: int = 0
    rows: int = 0


@dataclass
class _Reading:
    """The block being surveyed."""

    block: DataBlock
    format: Importer
    options: Options
    loaded: Loaded
    budget: Budget
    keys: set[str] | None
    files: dict[Place, TickFile]
    sources: dict[str, BookSource] = field(default_factory=dict)
    open: dict[tuple[str, int], _Survey] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)  # the format's symbol -> the source's id
    row: dict[int, int] = field(default_factory=dict)  # rows of each file so far


def load_book(
    block: DataBlock,
    specs: Mapping[str, InstrumentSpec],
    budget: Budget,
    strict: bool,
    progress: Progress | None,
) -> Loaded:
    """Survey a block of book data; with `strict` the first failing fault raises DataError."""
    named = importer(block.profile) if block.profile else None
    endings = named.endings if named else all_endings()
    found = places.resolve(block.sources, endings, any_file=named is not None)
    chosen = named or (importer("funding") if block.kind == "funding" else choose_importer(found[0]))
    files = {place: TickFile(place, index) for index, place in enumerate(found)}
    log = FaultLog(actions_for(block.on_error), list(files.values()), strict, block.span)
    loaded = Loaded(block, log)
    loaded.paths = sorted({place.path for place in found})
    options = Options(
        kind=block.kind, symbols=block.symbols, mapping=block.mapping or {}, tz=block.tz, venue=block.venue,
        extra=block.options,
    )  # fmt: skip
    reading = _Reading(block, chosen, options, loaded, budget, wanted(block, specs), files)
    options.refuse = lambda row, text: _refused(reading, row, text)
    try:
        for symbol, frame in chosen.read(found, options):
            if frame.height:
                _feed(reading, symbol, frame)
            if progress is not None:
                progress(frame.height)
    except TruncatedError as error:
        at = files[options.place] if options.place in files else next(iter(files.values()))
        loaded.log.add("truncated", at.place.stem, 1, [(at.index << FILE_SHIFT, str(error))])
    _finish(reading)
    loaded.sources = list(reading.sources.values())
    if reading.seen:
        refuse_absent(place_of(found), block, specs, reading.seen)
    if all(source.is_empty for source in loaded.sources):
        raise _nothing(reading, found)
    judge_clock(loaded, block)
    return loaded


def _nothing(reading: _Reading, found: Sequence[Place]) -> DataError:
    """Return the error for a block that gives no row: it names the files, and what they hold."""
    block, place = reading.block, place_of(found)
    there = sorted({kind for source in reading.sources.values() for kind in groups_of(source.kinds_there)})
    if there:
        ways = [kind for kind in there if kind in KINDS]
        hint = f"set kind: {' or '.join(ways)}" if ways else "set kind: book"
        return DataError(f"{place}: no {block.kind}, but {' and '.join(there)}", hint=hint)
    if reading.seen or reading.loaded.log.counts:
        return nothing_left(place, reading.loaded)
    return DataError(f"{place}: no row that format {reading.format.name!r} understands")


def choose_importer(place: Place) -> Importer:
    """Return the importer whose format a file is of: by its first bytes and name; else the generic one."""
    head = b""
    try:
        head = b"".join(islice(places.text_blocks(place, HEAD), 1))
    except TruncatedError:
        head = b""  # the importer itself says where it ends
    for name in MODULES:
        try:
            found = IMPORTERS[name]
        except ImportError:  # a format whose library is not installed can still be asked for by name
            continue
        if found.suits is not None and found.suits(place, head):
            return found
    return IMPORTERS["generic"]


def _refused(reading: _Reading, row: int, text: str) -> None:
    """Count a field that cannot be read; raises unless such rows are left out."""
    file = reading.files.get(reading.options.place or next(iter(reading.files))) or next(
        iter(reading.files.values())
    )
    reading.loaded.log.add("unparsable", file.place.stem, 1, [((file.index << FILE_SHIFT) + row, text)])


def all_endings() -> tuple[str, ...]:
    """Return the file endings of all formats whose libraries are installed."""
    found: list[str] = []
    for name in MODULES:
        with suppress(ImportError):
            found += IMPORTERS[name].endings
    return tuple(found)


def _feed(reading: _Reading, vendor_symbol: str, frame: pl.DataFrame) -> None:
    """Judge and keep one frame of a symbol's rows."""
    place = reading.options.place or next(iter(reading.files))
    file = reading.files.get(place) or next(iter(reading.files.values()))
    name = vendor_symbol or _unsaid(reading, place)
    source = _source_of(reading, name, file)
    if source is not None:
        reading.names[vendor_symbol] = source.id
    before = reading.row.get(file.index, 0)
    reading.row[file.index] = before + frame.height
    if source is None:
        return
    source.rows_read += frame.height
    part = reading.open.get((source.id, file.index))
    if part is None:
        part = reading.open[source.id, file.index] = _Survey(
            BookSurvey(source.id, reading.loaded.log), Spool(reading.budget)
        )
    columns = part.survey.feed(_columns(frame, place, file.index << FILE_SHIFT, before))
    n = len(columns["kind"])
    if n:
        recv = columns["ts_recv"]
        part.first_ns = min(part.first_ns, int(recv.min())) if part.rows else int(recv.min())
        part.last_ns = max(part.last_ns, int(recv.max())) if part.rows else int(recv.max())
        part.rows += n
        part.spool.append(columns)
        for steps, names in ((source.prices, ("price", "price2")), (source.volumes, ("qty", "qty2"))):
            for values, origin in grid_columns(columns, names):
                steps.feed((values,), origin)


def _columns(frame: pl.DataFrame, place: Place, origin: int, before: int) -> Columns:
    """Return a frame's columns as arrays of TYPES; a null counts as 0."""
    made: Columns = {}
    for name, kind in TYPES.items():
        if name == "origin":
            continue
        if name not in frame.columns:
            raise DataError(f"{place}: the importer yielded no column {name!r}")
        series = frame[name].fill_null(0).to_numpy()
        made[name] = np.ascontiguousarray(series, kind)
    row = (
        frame["row"].to_numpy()
        if "row" in frame.columns
        else np.arange(before + 1, before + 1 + frame.height)
    )
    made["origin"] = np.asarray(row, np.int64) + origin
    return made


def _unsaid(reading: _Reading, place: Place) -> str:
    """Return the symbol of a file that names none: the only one asked for, else the file's own name."""
    asked = reading.block.symbols
    if asked is not None and len(asked) == 1:
        return asked[0]
    return place.stem


def _source_of(reading: _Reading, vendor_symbol: str, file: TickFile) -> BookSource | None:
    """Return the source of a vendor's symbol; None if the block does not ask for it."""
    venue, name = split_id(vendor_symbol)
    symbol, base, quote = profiles.split_pair(name, reading.format.pairs)
    reading.seen.add(symbol)
    if reading.keys is not None and key_of(symbol) not in reading.keys:
        return None
    meta = reading.options.metas.get(vendor_symbol)
    said = (meta.venue if meta else None) or venue or reading.format.venue
    made = BookSource(reading.block, (reading.block.venue or said).upper(), symbol, base, quote)
    source = reading.sources.setdefault(made.id, made)
    if source is made:
        source.has_receive_clock = reading.format.has_receive_clock
        source.lag_min, source.lag_max = 1 << 62, -(1 << 62)
    if meta is not None and meta.tick_size is not None:
        source.tick_size, source.given_by = meta.tick_size, "profile"
    if meta is not None and meta.lot_size is not None:
        source.lot_size, source.given_by = meta.lot_size, "profile"
    if file not in source.files:
        source.files.append(file)
    return source


def _finish(reading: _Reading) -> None:
    """Hand each part to its source; what was out of order is sorted by receive stamp, stably."""
    for (name, _), one in reading.open.items():
        source, survey = reading.sources[name], one.survey
        if not one.rows:
            continue
        if not survey.in_order:
            one.spool = _sorted(one.spool, reading.budget)
        drop = tuple(reading.loaded.log.actions[fault] == "drop" for fault in ("off_tick", "off_lot"))
        source.parts.append(
            BookPart(
                spooled(one.spool, drop),
                one.first_ns,
                one.last_ns,
                one.rows,
                int(np.flatnonzero(survey.counts)[0]),
                survey.lag_min,
            )
        )
        source.spools.append(one.spool)
        source.counts += survey.counts
        source.used_counts += survey.used
        source.lag_min, source.lag_max = (
            min(source.lag_min, survey.lag_min),
            max(source.lag_max, survey.lag_max),
        )
        source.behind += survey.behind
        reading.loaded.log.add("clock", name, survey.behind, survey.behind_first)
        source.gap_count += int(survey.used[EventKind.GAP])
        source.gaps += survey.gaps
    for name, breaks in reading.options.breaks.items():
        if name in reading.names:
            reading.sources[reading.names[name]].breaks = breaks
    for source in reading.sources.values():
        source.has_receive_clock &= (source.lag_min, source.lag_max) != (0, 0)
    reading.sources = {name: source for name, source in reading.sources.items() if source.parts}


def _sorted(spool: Spool, budget: Budget) -> Spool:
    batches = list(spool)
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in TYPES}
    order = np.argsort(whole["ts_recv"], kind="stable")
    made = Spool(budget)
    for at in range(0, len(order), SPOOL_BATCH):
        made.append({name: column[order[at : at + SPOOL_BATCH]] for name, column in whole.items()})
    return made


def judge_clock(loaded: Loaded, block: DataBlock) -> None:
    """Correct a receive clock that runs behind, where the block asks for it; give one to data without."""
    if block.clock not in ("keep", "correct"):
        raise ConfigError(
            f"data.clock: {block.clock!r} is not known", hint=nearest(block.clock, ["keep", "correct"])
        )
    sources = [source for source in loaded.sources if isinstance(source, BookSource)]
    if block.clock == "correct":
        correct_clock(sources, block.clock_latency_ns)
    for source in sources:
        for part in source.parts if not source.has_receive_clock else ():
            part.shift_ns = block.feed_ns


def correct_clock(sources: Sequence[BookSource], latency_ns: int) -> None:
    """Shift receive stamps by the least that lets no row be received before `latency_ns` after it happened.

    Files whose times overlap are one recording and share a clock; so do all parts of a catalogue.
    """
    parts = [part for source in sources if source.has_receive_clock for part in source.parts]
    groups: list[list[BookPart]] = []
    end = 0
    for part in sorted(parts, key=lambda part: part.first_ns):
        if not groups or (part.first_ns > end and part.grid is None):
            groups.append([])
            end = part.last_ns
        groups[-1].append(part)
        end = max(end, part.last_ns)
    for group in groups:
        shift = max(latency_ns - min(part.lag_min for part in group), 0)
        for part in group:
            part.shift_ns = shift
