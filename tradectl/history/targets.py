"""The instruments of a run: each with the sources of its prices, and of the funding and marks that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import stamps
from tradectl.history.book_open import refuse_overlap
from tradectl.history.book_source import BookSource
from tradectl.history.extent import has_prices
from tradectl.history.importers.base import UNSAID
from tradectl.history.model import InstrumentSpec, split_id
from tradectl.history.plan import Loaded, key_of, place_of
from tradectl.history.source import Source
from tradectl.history.stream import Target

__all__ = ["targets_of"]


def targets_of(loaded: Sequence[Loaded], specs: Mapping[str, InstrumentSpec]) -> list[Target]:
    """Return the instruments, sorted by id: a source symbol's own, and those that are its aliases."""
    targets: dict[str, Target] = {}
    known: set[str] = set()
    for one in loaded:
        asked = None if one.block.symbols is None else {key_of(s) for s in one.block.symbols}
        for source in one.sources:
            if not source.rows:
                continue
            known |= {source.symbol}
            own = next(
                (s for name, s in specs.items() if _names(name, source) and not s.alias), InstrumentSpec()
            )
            pairs = [(source.symbol, own)]
            pairs += [(n.upper(), s) for n, s in specs.items() if s.alias and _names(s.alias, source)]
            for symbol, spec in pairs:
                if asked is not None and key_of(symbol) not in asked:
                    continue
                name = split_id(symbol)[1]
                target = targets.setdefault(f"{source.venue}:{name}", Target(name, source.venue, spec))
                _refuse_overlap(target, source)
                target.sources.append((source, one))
    for name, spec in specs.items():
        used = any(key_of(name) == key_of(t.symbol) for t in targets.values())
        if not used and all(one.block.symbols is None for one in loaded):
            raise DataError(
                f"instruments: {spec.alias or name!r} is not in the data", hint=nearest(name, known)
            )
    if not targets:
        names = ", ".join(name for one in loaded for name in one.block.symbols or [])
        raise DataError(f"no instrument of the data is asked for by symbols: {names}", hint=nearest(names, known))
    _give_to_priced(targets)
    return [targets[name] for name in sorted(targets)]


def _give_to_priced(targets: dict[str, Target]) -> None:
    """Let funding and marks whose venue nobody said belong to the only instrument of their symbol that has prices.

    A recording, or catalogue, may hold marks alone of one of its symbols: that is an instrument which cannot be traded.
    Of a block that has no prices at all it is an error.
    """
    priced = {name: one for name, one in targets.items() if any(has_prices(source) for source, _ in one.sources)}
    owned = {id(source) for one in priced.values() for source, _ in one.sources}
    for name in [name for name in targets if priced and name not in priced]:
        target = targets.pop(name)
        for source, loaded in target.sources:
            if id(source) in owned:  # it is known under the name of an alias
                continue
            owner = _owner(target, source, priced)
            if owner is not None:
                _refuse_overlap(owner, source)
                owner.sources.append((source, loaded))
            elif any(has_prices(each) for each in loaded.sources):
                targets[name] = target
            else:
                raise _unpriced(target, source, priced)


def _owner(target: Target, source: Source | BookSource, priced: Mapping[str, Target]) -> Target | None:
    """Return the priced instrument that a source of no venue belongs to; ConfigError where it can be several."""
    if target.venue != UNSAID or source.block.venue is not None or isinstance(source, Source):
        return None
    found = sorted(name for name, one in priced.items() if key_of(one.symbol) == key_of(target.symbol))
    if len(found) > 1:
        text = f"{_told(source)} of {target.symbol} can be that of {' or '.join(found)}"
        raise ConfigError(text, hint="say which by the block's `venue`")
    return priced[found[0]] if found else None


def _told(source: BookSource) -> str:
    return f"{place_of([file.place for file in source.files])}: {' and '.join(sorted(source.kinds))}"


def _unpriced(target: Target, source: Source | BookSource, priced: Mapping[str, Target]) -> ConfigError:
    """Return the error for an instrument without prices."""
    if isinstance(source, Source):
        text = f"data: {target.id} has only `detail: true` bars; name it in the block that is traded too"
        return ConfigError(text)
    near = nearest(target.id, [one.id for one in priced.values()])
    ways = "`symbols` says which to read"
    if source.block.kind == "funding":
        ways += ", `venue` and `options: {symbol: …}` whose it is"
    return ConfigError(f"{_told(source)} of {target.id}, which has no prices", hint=f"{near}; {ways}")


def _names(name: str, source: Source | BookSource) -> bool:
    venue = split_id(name)[0].upper()
    return key_of(name) == key_of(source.symbol) and venue in ("", source.venue)


def _refuse_overlap(target: Target, source: Source | BookSource) -> None:
    for other, _ in target.sources:
        apart = other.last_ns < source.first_ns or source.last_ns < other.first_ns
        if isinstance(other, BookSource) and isinstance(source, BookSource):
            refuse_overlap(target.id, other, source)
            continue
        if isinstance(other, Source) and other.timeframe_ns == source.timeframe_ns and not apart:
            timeframe = stamps.format_timeframe(source.timeframe_ns)
            message = f"{target.id}: two blocks have {timeframe} bars of the same time"
            raise DataError(
                message, hint="name both places in one block's source list: repeated bars are then found"
            )
