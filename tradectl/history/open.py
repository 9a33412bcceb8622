"""Opening history: blocks and instrument overrides in; instruments, a report and streamed events out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tradectl.core.instrument import Instrument
from tradectl.errors import ConfigError, DataError
from tradectl.history import grid, profiles, stamps
from tradectl.history.book_catalogue import load_book_catalogue
from tradectl.history.book_open import book_notes, book_report, dominant_step, finest
from tradectl.history.book_plan import load_book
from tradectl.history.book_source import BookSource
from tradectl.history.catalogue import load_catalogue
from tradectl.history.extent import bound, has_prices, left_out
from tradectl.history.importers import KINDS as BOOK_KINDS
from tradectl.history.model import DataBlock, DataReport, InstrumentReport, InstrumentSpec, iso
from tradectl.history.plan import Loaded, check_kind, check_profile, is_catalogue, load_bars
from tradectl.history.recognise import not_bars
from tradectl.history.rows import Budget
from tradectl.history.source import Source
from tradectl.history.stream import History, Target, window, within
from tradectl.history.targets import targets_of

__all__ = ["KINDS", "History", "open_history"]

# One line per kind of data: what surveys a block of it.
KINDS: dict[str, Callable[..., Loaded]] = {"bars": load_bars, **dict.fromkeys(BOOK_KINDS, load_book)}


def open_history(
    blocks: Sequence[DataBlock],
    specs: Mapping[str, InstrumentSpec],
    *,
    default_quote: str = "USD",
    strict: bool = True,
    progress: Callable[[int], None] | None = None,
) -> History:
    """Survey the blocks' whole sources and return them ready to stream.

    Raises DataError at the first fault whose action is `fail` (not if `strict` is false: then the report
    says what would fail). `progress` is told the number of rows of each batch read.
    """
    if not blocks:
        raise DataError("no data block")
    budget = Budget()
    loaded = []
    for block in blocks:
        check_kind(block, list(KINDS))
        check_profile(block)
        _refuse_keys(block)
        load = KINDS[block.kind]
        if is_catalogue(block):
            load = load_catalogue if block.kind == "bars" else load_book_catalogue
        try:
            loaded.append(load(block, specs, budget, strict, progress))
        except DataError as error:
            if load is load_bars:
                raise not_bars(block, error) from error
            raise
    targets = targets_of(loaded, specs)
    bound(targets)
    report = DataReport(notes=_settle_all(targets, default_quote))
    for one in loaded:
        _report(one, [t for t in targets if any(owner is one for _, owner in t.sources)], report)
    _refuse_nothing(loaded, targets)
    return History(
        instruments=[t.instrument for t in targets if t.instrument is not None],
        timeframes_ns=sorted({s.timeframe_ns for t in targets for s, _ in t.sources if isinstance(s, Source)}),
        report=report,
        total_rows=sum(_expected(s, t.window(s)) for t in targets for s, _ in t.sources),
        paths=sorted({p for one in loaded for p in one.paths}),
        targets=targets,
    )


def _refuse_nothing(loaded: Sequence[Loaded], targets: Sequence[Target]) -> None:
    """Raise DataError where the windows of all blocks leave no price; of one block beside others it is a note."""
    sources = [source for target in targets for source, _ in target.sources]
    sources = [source for source in sources if has_prices(source)] or sources
    if not any(source.used for source in sources):
        names = ", ".join(name for one in loaded for name in one.block.sources)
        span = f"{iso(min(one.first_ns for one in sources))} to {iso(max(one.last_ns for one in sources))}"
        raise DataError(f"{names}: no row lies between `from` and `to`", hint=f"the data goes from {span}")


def _refuse_keys(block: DataBlock) -> None:
    """Raise ConfigError for keys that say nothing about this kind of data."""
    of_bars = {name: getattr(block, name) for name in ("timeframe", "session", "stamp", "detail")}
    of_book = {"clock": block.clock != "keep", "clock_latency": block.clock_latency_ns}
    of_book["options"] = bool(block.options)
    for name, value in (of_book if block.kind == "bars" else of_bars).items():
        if value:
            which = "trades, quotes, depth, orders or book" if block.kind == "bars" else "bars"
            raise ConfigError(f"data.{name} is only for `kind: {which}`; this block has `kind: {block.kind}`")


def _settle_all(targets: Sequence[Target], default_quote: str) -> list[str]:
    """Fix the grids; return notes on lots that are coarser than the volumes, one for each reason."""
    coarse: dict[str, list[str]] = {}
    for target in targets:
        if why := _settle(target, default_quote):
            coarse.setdefault(why, []).append(target.id)
    rest = {why: f" and {len(names) - 1:,} more" if len(names) > 1 else "" for why, names in coarse.items()}
    return [f"{names[0]}{rest[why]}: {why}; volumes are rounded to it" for why, names in coarse.items()]


def _settle(target: Target, default_quote: str) -> str:
    """Fix the grid from all rows of the sources, whatever the window; return why the lot is coarse, if it is."""
    spec, (source, _) = target.spec, target.sources[0]
    prices, volumes = grid.Steps(), grid.Steps()
    for each, _ in target.sources:
        prices.merge(each.prices)
        volumes.merge(each.volumes)
    known = source if isinstance(source, Source) else finest([s for s, _ in target.sources])
    tick = spec.tick_size or known.tick_size or dominant_step([s for s, _ in target.sources], prices)
    lot = spec.lot_size or known.lot_size or grid.choose_lot(volumes, tick)
    _, base, quote = profiles.split_pair(target.symbol, None if source.quote else False)
    target.instrument = Instrument(
        venue=target.venue,
        symbol=target.symbol,
        base=(spec.base or base).upper(),
        quote=(spec.quote or quote or source.quote or default_quote).upper(),
        tick_size=tick.normalize(),
        lot_size=lot.normalize(),
        min_qty=known.min_qty if spec.min_qty is None else spec.min_qty,
        min_notional=known.min_notional if spec.min_notional is None else spec.min_notional,
        listed_ns=spec.listed,
        delisted_ns=spec.delisted,
    )
    return "" if spec.lot_size or known.lot_size else grid.why_coarse(volumes, tick, lot)


def _report(one: Loaded, targets: Sequence[Target], report: DataReport) -> None:
    """Add a block's findings; the grid's own faults (off_tick, off_lot, overflow) are counted here."""
    for target in targets:
        assert target.instrument is not None
        for source, owner in target.sources:
            if owner is one:
                make = _instrument_report if isinstance(source, Source) else book_report
                report.instruments.append(make(target, source, one))
                count, text = left_out(target, source)
                report.rows_used += report.instruments[-1].rows - report.instruments[-1].outside_listing - count
                report.notes += [text] if text else []
    for source in one.sources:
        report.rows_read += source.rows_read
        report.gaps += source.gaps
        if isinstance(source, BookSource):
            report.notes += book_notes(source)
        start, end = window(InstrumentSpec(), source.block)
        if start > source.last_ns or end <= source.first_ns:
            span = f"from {iso(source.first_ns)} to {iso(source.last_ns)}"
            report.notes.append(f"{source.id}: no {source.block.kind} between the block's from and to; it goes {span}")
    if one.block.has_window and one.log.counts:
        used = sum(each.used for each in one.sources)
        text = f"{used:,} of {sum(each.rows for each in one.sources):,} rows lie between the block's from and to"
        report.notes.append(f"{', '.join(one.block.sources)}: {text}; faults and gaps are counted among these")
    report.faults += sorted(one.log.counts.values(), key=lambda f: (f.kind, f.instrument))


def _instrument_report(target: Target, source: Source, one: Loaded) -> InstrumentReport:
    assert target.instrument is not None
    tick, lot = target.instrument.tick_size, target.instrument.lot_size
    worst = _count_off(one, source, tick, "off_tick")
    if source.volumes.rows:
        _count_off(one, source, lot, "off_lot")
    start, end = window(target.spec, source.block, only_listing=True)
    outside = 0
    if target.spec.listed is not None or target.spec.delisted is not None:
        inside = (within(rows, *window(InstrumentSpec(), source.block)) for rows in source.stream())
        outside = source.used - sum(len(within(rows, start, end)) for rows in inside)
    return InstrumentReport(
        instrument=target.id,
        timeframe=stamps.format_timeframe(source.timeframe_ns),
        rows=source.used,
        first_ns=source.used_first_ns if source.used else source.first_ns,
        last_ns=source.used_last_ns if source.used else source.last_ns,
        tick_size=f"{tick:f}",
        lot_size=f"{lot:f}",
        tick_from=_from(target.spec.tick_size, source.tick_size, source),
        lot_from=_from(target.spec.lot_size, source.lot_size, source),
        worst_rounding=worst,
        outside_listing=outside,
        gap_count=source.gap_count,
        missing_bars=source.missing_bars,
        zero_volume=source.zero_volume,
    )


def _from(configured: Decimal | None, known: Decimal | None, source: Source) -> str:
    return "config" if configured is not None else source.given_by if known is not None else "inferred"


def _count_off(one: Loaded, source: Source, step: Decimal, kind: str) -> float:
    """Count a source's rows off the grid of `step`; return the largest relative rounding error."""
    steps = source.prices if kind == "off_tick" else source.volumes
    power = -step.adjusted()
    k = power if step == Decimal(1).scaleb(-power) and 0 <= power <= grid.MOST else -1
    if k < 0 or (source.block.has_window and steps.off[k]):  # the candidates, of which 0.25 is none, count all rows
        k, steps = 0, grid.Steps(fixed=step)
        for whole in source.stream():
            rows = within(whole, *window(InstrumentSpec(), source.block))
            steps.feed(grid.prices_of(rows) if kind == "off_tick" else (rows.volume,), rows.origin)
    one.log.add(kind, source.id, steps.off[k], steps.first[k])
    if steps.highest / float(step) >= grid.LIMIT:
        one.log.add(
            "overflow",
            source.id,
            1,
            [(source.files[0].index << 40, f"{steps.highest:.10g} in steps of {step:f}")],
        )
    return steps.error(k)


def _expected(source: Source | BookSource, asked: tuple[int, int]) -> int:
    """Estimate how many of a source's rows are in the window `asked`, for progress."""
    start, end = max(asked[0], source.first_ns), min(asked[1], source.last_ns)
    if (start, end) == (source.first_ns, source.last_ns):
        return source.rows
    return int(source.rows * min(max(end - start, 0) / max(source.last_ns - source.first_ns, 1), 1.0))
