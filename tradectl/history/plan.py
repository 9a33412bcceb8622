"""From a block to its sources: which files, which symbols, which timeframe; then one survey of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import files as places
from tradectl.history import profiles, stamps
from tradectl.history.faults import FaultLog, failing
from tradectl.history.importers import MODULES
from tradectl.history.model import DataBlock, InstrumentSpec, actions_for, split_id
from tradectl.history.reader import SourceFile, inspect
from tradectl.history.rows import Budget
from tradectl.history.source import FileSurvey, Judge, Source

__all__ = [
    "Loaded", "Progress", "check_profile", "is_catalogue", "key_of", "load_bars", "nothing_left",
    "place_of", "profile_fault", "refuse_absent", "wanted",
]  # fmt: skip

Progress = Callable[[int], None]
WEEKEND_NS = 9 * stamps.DAY_NS // 2  # four days and a half


@dataclass
class Loaded:
    """A block's sources, its fault log and the files it read."""

    block: DataBlock
    log: FaultLog
    sources: list[Any] = field(default_factory=list)  # Source, or BookSource
    paths: list[Path] = field(default_factory=list)


def key_of(name: str) -> str:
    """Return what two spellings of a symbol share: `btc-usd`, `BTC/USD` and `X:BTC/USD` give BTCUSD."""
    return re.sub(r"[^A-Z0-9.]", "", split_id(name)[1].upper())


def place_of(found: Sequence[places.Place]) -> str:
    """Return how messages name the files of a block."""
    more = len(found) - 1
    return f"{found[0]}" + (f" and {more:,} other file{'s' * (more > 1)}" if more else "")


def wanted(block: DataBlock, specs: Mapping[str, InstrumentSpec]) -> set[str] | None:
    """Return the keys of the source symbols that the block asks for; None: all."""
    if block.symbols is None:
        return None
    aliases = {key_of(name): key_of(spec.alias) for name, spec in specs.items() if spec.alias}
    return {aliases.get(key_of(name), key_of(name)) for name in block.symbols}


def is_catalogue(block: DataBlock) -> bool:
    """Tell whether the block's source is a catalogue of ours."""
    sources = block.sources
    return len(sources) == 1 and (Path(sources[0]) / places.CATALOGUE).is_file()


def load_bars(
    block: DataBlock,
    specs: Mapping[str, InstrumentSpec],
    budget: Budget,
    strict: bool,
    progress: Progress | None,
) -> Loaded:
    """Survey a block of raw bar files; with `strict` the first failing fault raises DataError."""
    files = [inspect(place, block) for place in places.resolve(block.sources)]
    files = _of_timeframe(files, block)
    files = _of_symbols(files, block, specs)
    timeframe_ns = _timeframe(files, block)
    files = [replace(file, index=k) for k, file in enumerate(files)]
    loaded = Loaded(block, FaultLog(actions_for(block.on_error), files, strict, block.span))
    loaded.paths = [file.place.path for file in files]
    keys = wanted(block, specs)
    sources: dict[str, Source] = {}
    judges: dict[str, Judge] = {}
    seen: set[str] = set()
    for file in files:

        def find(vendor_symbol: str, file: SourceFile = file) -> Source | None:
            symbol, base, quote = profiles.split_pair(vendor_symbol, file.profile.pairs)
            seen.add(symbol)
            if keys is not None and key_of(symbol) not in keys:
                return None
            venue = (block.venue or file.profile.venue).upper()
            made = sources.get(f"{venue}:{symbol}")
            if made is None:
                made = _source(block, file, (venue, symbol, base, quote), timeframe_ns)
                sources[made.id] = made
            if file not in made.files:
                made.files.append(file)
            return made

        one = FileSurvey(file, loaded.log, budget, judges)
        one.run(find, progress)
        one.finish(sources)
    loaded.sources = list(sources.values())
    for name, judge in judges.items():
        judge.settle(sources[name], loaded.log)
    place = place_of([file.place for file in files])
    refuse_absent(place, block, specs, seen)
    if not any(source.rows for source in sources.values()):
        raise nothing_left(place, loaded)
    return loaded


def refuse_absent(
    place: object,
    block: DataBlock,
    specs: Mapping[str, InstrumentSpec],
    there: Collection[str],
    by_name: bool = False,
) -> None:
    """Raise DataError for a symbol that the block asks for and a source, with the symbols `there`, does not have.

    `by_name`: the names of the files say which they have.
    """
    known = {key_of(name) for name in there}
    for name in block.symbols or []:
        (key,) = wanted(replace(block, symbols=[name]), specs) or {""}
        if key not in known:
            alias = f"; by the file's name: instruments: {{{name}: {{alias: {sorted(there)[0]}}}}} gives it another"
            hint = nearest(name, there) + (alias if by_name and len(there) == 1 else "")
            raise DataError(f"{place}: no rows of {name}", hint=hint)


def nothing_left(place: str, loaded: Loaded) -> DataError:
    """Return the error for a block of which all rows are left out: what stops a run first, else the reasons."""
    for one in loaded.log.counts.values():
        if one.action == "fail":
            return failing(one)
    why = ", ".join(f"{one.count:,} {one.kind}" for one in loaded.log.counts.values() if one.action == "drop")
    return DataError(f"{place}: no usable row is left" + (f" ({why})" if why else ""))


def _source(
    block: DataBlock, file: SourceFile, names: tuple[str, str, str, str], timeframe_ns: int
) -> Source:
    venue, symbol, base, quote = names
    gap = gap_after(timeframe_ns, quote)
    made = Source(block, venue, symbol, base, quote, timeframe_ns, [], gap_ns=gap)
    made.tick_size, made.lot_size = file.profile.tick_size, file.profile.lot_size
    made.given_by = "profile" if isinstance(made.tick_size, Decimal) else ""
    return made


def gap_after(timeframe_ns: int, quote: str) -> int:
    """Return the distance of bars beyond which some are missing; daily stocks have weekends and holidays."""
    return WEEKEND_NS if timeframe_ns == stamps.DAY_NS and not quote else timeframe_ns * 3 // 2


def _of_timeframe(files: list[SourceFile], block: DataBlock) -> list[SourceFile]:
    """Keep the files whose names say the block's timeframe, or say none."""
    said = {file.timeframe_ns for file in files if file.timeframe_ns}
    listed = ", ".join(stamps.format_timeframe(t) for t in sorted(said))
    if block.timeframe is None:
        if len(said) > 1:
            raise DataError(
                f"{block.sources[0]}: files of several timeframes",
                hint=f"set data.timeframe (--timeframe): {listed}",
            )
        return files
    asked = stamps.parse_timeframe(block.timeframe)
    kept = [file for file in files if file.timeframe_ns in (0, asked)]
    if not kept:
        raise DataError(
            f"{block.sources[0]}: no file of timeframe {block.timeframe}", hint=f"there is {listed}"
        )
    return kept


def _of_symbols(
    files: list[SourceFile], block: DataBlock, specs: Mapping[str, InstrumentSpec]
) -> list[SourceFile]:
    """Leave out files whose names say another symbol than those asked for, which must all be there."""
    keys = wanted(block, specs)
    if keys is None:
        return files
    named = {profiles.split_pair(f.symbol, f.profile.pairs)[0] for f in files if f.symbol}
    kept = [
        f for f in files if not f.symbol or key_of(profiles.split_pair(f.symbol, f.profile.pairs)[0]) in keys
    ]
    if all(f.symbol for f in files):
        refuse_absent(place_of([f.place for f in files]), block, specs, named, by_name=True)
    return kept


def _timeframe(files: Sequence[SourceFile], block: DataBlock) -> int:
    """Return the block's timeframe: the config's, the file names', or the commonest distance of stamps."""
    steps: Counter[int] = Counter()
    for file in files:
        steps.update(file.steps)
    said = next((file.timeframe_ns for file in files if file.timeframe_ns), 0)
    asked = stamps.parse_timeframe(block.timeframe) if block.timeframe else said
    if not steps:
        if asked:
            return asked
        hint = "set data.timeframe (--timeframe)"
        raise DataError(f"{block.sources[0]}: too few rows to infer the timeframe", hint=hint)
    common = _nominal(max(steps, key=lambda step: (steps[step], -step)))
    if not asked:
        return common
    if sum(steps.values()) >= 10 and not any(_nominal(step) == asked for step in steps):
        message = f"{files[0].place}: the bars are {stamps.format_timeframe(common)} apart, not "
        raise DataError(
            message + stamps.format_timeframe(asked), hint="correct data.timeframe (or the unit of time)"
        )
    return asked


def _nominal(step: int) -> int:
    """Round a distance of stamps to whole seconds, and those of calendar months to the nominal month."""
    if 27.5 * stamps.DAY_NS < step < 31.5 * stamps.DAY_NS:
        return stamps.MONTH_NS
    second = 10**9
    return max(round(step / second) * second, 1) if step >= second else step


def check_kind(block: DataBlock, kinds: Sequence[str]) -> None:
    """Raise ConfigError for a kind of data that has no importer."""
    if block.kind not in kinds:
        raise ConfigError(f"data.kind: {block.kind!r} is not known", hint=nearest(block.kind, kinds))


def check_profile(block: DataBlock) -> None:
    """Raise ConfigError for a profile that is unknown, or not of this kind of data."""
    if block.profile is not None and (fault := profile_fault(block.profile, block.kind)):
        raise ConfigError(f"data.profile: {fault[0]}", hint=fault[1])


def profile_fault(profile: str, kind: str) -> tuple[str, str] | None:
    """Return what is wrong with a profile for a kind of data, and a hint; None if nothing is."""
    known = [*profiles.PROFILES, *MODULES]
    if profile not in known:
        return f"unknown profile {profile!r}", nearest(profile, known, limit=len(known))
    if profile in (profiles.PROFILES if kind == "bars" else MODULES):
        return None
    other = "book data: set kind: book, or the one you want" if kind == "bars" else "bars: set kind: bars"
    return f"{profile} does not read `kind: {kind}`", f"it is a profile of {other}"
