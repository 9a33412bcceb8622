"""`tradectl data`: history in, out, checked, described, resampled, made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli import data_book, data_fetch, data_make, paper
from tradectl.cli.app import command, group
from tradectl.cli.data_source import DataInput, FixClock, Kind, block_options, data_input
from tradectl.cli.options import Catalogue, From, Json, Profile, Quiet, Sets, Source, Symbols, Timeframe, To

__all__ = ["register"]

SHOWN_GAPS = 5

def register(app: typer.Typer) -> None:
    """Add the group."""
    data = group(
        "data",
        "Import, check, describe, resample and generate history.\n\nA SOURCE is what a config's data.source "
        "may be, or a config itself; any key of a data block can be given by --set.",
    )
    app.add_typer(data)
    _import(data)
    _export(data)
    _check(data)
    _info(data)
    data_book.register(data)
    data_make.register(data)
    data_fetch.register(data)
    paper.register_record(data)


def _import(data: typer.Typer) -> None:
    @command(
        data,
        "import",
        "Add bars or book data of any layout to a Parquet catalogue.",
        "tradectl data import 'bars/*_1m.csv.gz' --profile bitfinex --timeframe 1m --out catalogue",
        "tradectl data import ohlc.zip --out catalogue --set data.mapping.timestamp=date --set data.on_error.ohlc=clip",
        "tradectl data import btcusdt_trades.csv.gz --kind trades --symbols BTC/USDT --out catalogue",
    )
    def import_(
        sources: Source,
        out: Catalogue,
        kind: Kind = None,
        profile: Profile = None,
        timeframe: Timeframe = None,
        symbols: Symbols = None,
        start: From = None,
        end: To = None,
        fix_clock: FixClock = False,
        sets: Sets = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Read bars or book data (packed or not), clean them, add them to a Parquet catalogue.

        The catalogue changes in one step at the end, or not at all. Bars that it already holds count once;
        trades, quotes, depth and orders replace those of their kind and time.
        """
        from tradectl.cli.output import count, print_json, print_notes, size
        from tradectl.cli.output import out as console
        from tradectl.cli.progress import Meter
        from tradectl.history.importing import import_data

        clock = "correct" if fix_clock else None
        options = block_options(profile, timeframe, symbols, start, end) | {"kind": kind, "clock": clock}
        found = data_input(sources, options, sets or ())
        with Meter(as_json or quiet) as meter:
            summary, history = import_data(
                found.blocks(), out, found.specs(), progress=meter.counter("importing rows")
            )
        if as_json:
            print_json({**vars(summary), "out": str(out), "data": history.report.to_dict()})
        elif not quiet:
            _report_faults(history.report)
            print_notes(history.report.notes)
            written = f"{count(summary.files)} files, {size(summary.bytes)}"
            of = f"{count(summary.rows)} rows of {count(summary.series)} series"
            instead = f", in place of {count(summary.replaced)} that were there" if summary.replaced else ""
            console().print(f"{of}, {count(summary.added)} of them new{instead}: {written}")
            console().print(f"catalogue: [bold]{out}[/]")


def _export(data: typer.Typer) -> None:
    @command(
        data,
        "export",
        "Write events to Parquet or CSV.",
        "tradectl data export catalogue --symbols BTC/USD --from 2017-01-01 --out btc.parquet",
        "tradectl data export runs/20240105T101500Z-quickstart-1a2b3c4d --out events.csv",
    )
    def export(
        sources: Source,
        target: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .parquet or .csv file.")],
        kind: Kind = None,
        profile: Profile = None,
        timeframe: Timeframe = None,
        symbols: Symbols = None,
        start: From = None,
        end: To = None,
        sets: Sets = None,
    ) -> None:
        """Write the events that a run would see, or a run's journal, with their words decoded into columns.

        A journal in a .parquet file is a source of its own: `data: {source: FILE.parquet, kind: journal}`.
        """
        from tradectl.cli.output import count, out
        from tradectl.cli.progress import Meter
        from tradectl.config.wire_data import open_data
        from tradectl.history.export import export_events

        options = block_options(profile, timeframe, symbols, start, end) | {"kind": kind}
        found = data_input(sources, options, sets or ())
        with Meter() as meter:
            opened = open_data(found.config, found.folder, meter.counter("reading data"))
            chunks = opened.chunks(65_536)
            meta = opened.meta() if found.is_journal else None
            rows = export_events(chunks, opened.instruments, opened.timeframes_ns, target, meta)
        out().print(f"{count(rows)} events: [bold]{target}[/]")


def _check(data: typer.Typer) -> None:
    @command(
        data,
        "check",
        "Find what is wrong with data.",
        "tradectl data check configs/quickstart.yaml",
        "tradectl data check 'bars/*.csv.gz' --profile bitfinex --json",
    )
    def check(
        sources: Source,
        kind: Kind = None,
        profile: Profile = None,
        timeframe: Timeframe = None,
        symbols: Symbols = None,
        start: From = None,
        end: To = None,
        sets: Sets = None,
        as_json: Json = False,
    ) -> None:
        """Find gaps, duplicates, disorder, off-tick prices, OHLC violations and more, and say what a run does.

        Of book data also receive clocks that run behind, crossed books, and trades outside the book. A run's
        journal is read to its end, which checks its sums.

        Exit code 3 if a run over this data would be refused.
        """
        from tradectl.cli.output import out, print_json, print_notes
        from tradectl.cli.progress import Meter

        options = block_options(profile, timeframe, symbols, start, end) | {"kind": kind}
        found = data_input(sources, options, sets or ())
        with Meter(as_json) as meter:
            report = _checked(found, meter.counter("reading data"))
        failing = report.failing()
        if as_json:
            print_json({**report.to_dict(), "ok": not failing})
        else:
            _report_instruments(report)
            _report_faults(report)
            _report_gaps(report)
            print_notes(report.notes)
            done = f"{report.rows_read:,} rows read, {report.rows_used:,} used"
            verdict = "[red]a run refuses this data[/]" if failing else "[green]a run takes this data[/]"
            out().print(f"{done} · {verdict}")
        if failing:
            raise typer.Exit(3)


def _info(data: typer.Typer) -> None:
    @command(
        data,
        "info",
        "Show what a source holds.",
        "tradectl data info catalogue",
        "tradectl data info ohlc.csv.gz --json",
    )
    def info(
        sources: Source,
        kind: Kind = None,
        profile: Profile = None,
        timeframe: Timeframe = None,
        symbols: Symbols = None,
        sets: Sets = None,
        as_json: Json = False,
    ) -> None:
        """Show what a source or a run's journal holds: instruments, ranges, rows, tick and lot sizes, gaps."""
        from tradectl.cli.output import print_json

        options = block_options(profile, timeframe, symbols) | {"kind": kind}
        for shown in _described(data_input(sources, options, sets or ())):
            if as_json:
                print_json(shown)
            else:
                _show(shown)


def _checked(found: DataInput, progress: Any) -> Any:
    """Return the report on history, or on a journal."""
    from tradectl.history.checks import check_data

    if found.is_journal:
        return _journal(found)[0]
    frames_ns = [bar.ns for bar in found.config.bars or () if bar.ns]
    return check_data(found.blocks(), found.specs(), progress, frames_ns)


def _described(found: DataInput) -> Iterator[dict[str, Any]]:
    """Yield what is in each block of history, or in a journal."""
    from tradectl.history.info import describe, described

    if found.is_journal:
        report, opened = _journal(found)
        yield described(list(found.config.data[0].source), report, opened.instruments, opened.paths)
        return
    for block in found.blocks():
        yield describe(block, found.specs())


def _journal(found: DataInput) -> tuple[Any, Any]:
    """Return the report on a journal, all of it read, and the opened journal."""
    from tradectl.config.wire_data import open_data
    from tradectl.history.journal_info import journal_report

    opened = open_data(found.config, found.folder)
    is_closed = opened.total_rows is not None
    report = journal_report(opened.chunks(65_536), opened.instruments, opened.frame_of, is_closed)
    report.notes += opened.notes
    return report, opened


def _show(shown: Any) -> None:
    """Print what is in a source."""
    from tradectl.cli.output import count, out, print_notes, size, table

    keys = ("id", "timeframe", "rows", "from", "to", "tick_size", "lot_size", "gaps", "missing_bars")
    rows = [
        [count(one[key]) if isinstance(one[key], int) else str(one[key]) for key in keys]
        for one in shown["instruments"]
    ]
    out().print(table("", [key.replace("_", " ") for key in keys], rows, right=(2, 5, 6, 7, 8)))
    _show_kinds(shown["instruments"])
    print_notes(shown["notes"])
    out().print(f"{count(shown['rows'])} rows in {count(shown['files'])} files, {size(shown['bytes'])}")


def _show_kinds(instruments: Any) -> None:
    """Print what kinds of book data there are, and how late they were received."""
    from tradectl.cli.output import count, out, table

    rows = []
    for one in instruments:
        if not one["kinds"]:
            continue
        kinds = ", ".join(f"{count(n)} {kind}" for kind, n in one["kinds"].items())
        clock = "none: ts_recv is ts_event"
        if one["has_receive_clock"]:
            clock = f"{one['lag_min_ns'] / 1e6:,.3f} to {one['lag_max_ns'] / 1e6:,.3f} ms late"
            clock += f", corrected by {one['shift_ns'] / 1e6:,.3f} ms" if one["shift_ns"] else ""
        rows.append((one["id"], kinds, clock))
    if rows:
        out().print(table("", ("id", "events", "receive clock"), rows))


def _report_instruments(report: Any) -> None:
    from tradectl.cli.output import count, out, table

    rows = [
        (
            one.instrument,
            one.timeframe,
            count(one.rows),
            f"{one.tick_size} ({one.tick_from})",
            f"{one.lot_size} ({one.lot_from})",
            count(one.zero_volume),
        )
        for one in report.instruments
    ]
    columns = ("instrument", "timeframe", "rows", "tick size", "lot size", "zero volume")
    out().print(table("", columns, rows, right=(2, 3, 4, 5)))
    _show_kinds([{**vars(one), "id": one.instrument} for one in report.instruments])


def _report_faults(report: Any) -> None:
    """Print kinds of faults with what a run does, and one example of each."""
    from tradectl.cli.output import count, out, table

    rows = []
    for fault in report.faults:
        example = fault.examples[0] if fault.examples else None
        at = f":{example.line or example.row}" if example and (example.line or example.row) else ""
        where = f"{Path(example.file).name}{at}: {example.value}" if example else ""
        rows.append((fault.instrument, fault.kind, count(fault.count), fault.action, where))
    if rows:
        out().print(table("", ("instrument", "fault", "count", "a run does", "example"), rows, right=(2,)))


def _report_gaps(report: Any) -> None:
    """Print the longest gaps between bars, and the first breaks of a sequence of messages."""
    from tradectl.cli.output import count, out, table
    from tradectl.history.model import iso

    longest = sorted((gap for gap in report.gaps if gap.missing), key=lambda gap: -gap.missing)[:SHOWN_GAPS]
    rows = [(gap.instrument, iso(gap.from_ns), iso(gap.to_ns), count(gap.missing)) for gap in longest]
    if rows:
        columns = ("instrument", "last bar before", "first bar after", "missing")
        out().print(table("longest gaps", columns, rows, right=(3,)))
    breaks = sorted((gap for gap in report.gaps if not gap.missing), key=lambda gap: gap.to_ns)[:SHOWN_GAPS]
    if breaks:
        told = [(gap.instrument, iso(gap.from_ns), iso(gap.to_ns)) for gap in breaks]
        heads = ("instrument", "last row before", "the break is found")
        out().print(table("first breaks of the sequence", heads, told))
