"""`tradectl bench`: what each part costs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json

__all__ = ["register"]

FOLDER = Path("benchmarks")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "bench",
        "Measure what each part costs on this machine.",
        "tradectl bench",
        "tradectl bench matching --flow flow.npy --json",
        "tradectl bench all --save before",
        "tradectl bench all --against before",
    )
    def bench(
        which: Annotated[
            str,
            typer.Argument(
                metavar="WHICH",
                help="validation, risk, pipeline, matching, ladder, bars, indicators, startup, events or all.",
            ),
        ] = "all",
        flow: Annotated[
            Path | None,
            typer.Option(
                "--flow", metavar="FILE", help="Order flow (.npy) for matching; else one is made up."
            ),
        ] = None,
        as_json: Json = False,
        name: Annotated[
            str | None,
            typer.Option("--save", metavar="NAME", help="Keep the figures in benchmarks/NAME.json."),
        ] = None,
        against: Annotated[
            str | None, typer.Option("--against", metavar="NAME", help="Compare with benchmarks/NAME.json.")
        ] = None,
    ) -> None:
        """Measure this machine, beside the figures of the Rust and Node.js engines that tradectl answers.

        With --json a single bench prints its figures as one object, `all` one object with all of them.
        """
        from tradectl.bench.registry import ALL, available, run_bench
        from tradectl.bench.table import load_saved, machine, save
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter

        before = load_saved(FOLDER, against)["benches"] if against else {}
        found: dict[str, dict[str, Any]] = {}
        with Meter(as_json) as meter:
            for one in available() if which == ALL else [which]:
                meter(f"measuring {one}")
                found[one] = run_bench(one, flow)
        result = {"machine": machine(), "benches": found}
        if name:
            save(FOLDER, name, result)
        if as_json:
            print_json(_flat(result, which != ALL, before))
            return
        _tables(result)
        if before:
            _against(found, before, str(against))
        if name:
            out().print(f"saved: [bold]{FOLDER / f'{name}.json'}[/]")


def _flat(result: Mapping[str, Any], single: bool, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what --json prints; a single bench's figures stand at the top."""
    from dataclasses import asdict

    from tradectl.bench.table import PEERS, compare

    benches = result["benches"]
    made: dict[str, Any] = dict(next(iter(benches.values()))) if single else dict(benches)
    made["machine"] = result["machine"]
    made["peers"] = [asdict(peer) for peer in PEERS if peer.bench in benches]
    if before:
        made["against"] = {
            f"{bench}.{key}": times for bench, key, _now, _old, times in compare(benches, before)
        }
    return made


def _tables(result: Mapping[str, Any]) -> None:
    from tradectl.bench.registry import BENCHES
    from tradectl.bench.table import PEERS
    from tradectl.cli.output import out, table

    benches = result["benches"]
    named = result["machine"]
    out().print(f"[bold]{named['cpu']}[/], {named['cores']} cores, {named['system']}, Python {named['python']}, "
                f"numba {named['numba']}, load {named['load']}")  # fmt: skip
    rows = []
    for peer in PEERS:
        ours = benches.get(peer.bench, {}).get(peer.key)
        if ours is not None:
            times = (ours / peer.rust) if peer.more_is_better else (peer.rust / ours)
            cells = (_figure(value, peer.unit) for value in (ours, peer.rust, peer.node))
            rows.append((peer.label, *cells, f"{times:,.0f} ×"))
    if rows:
        columns = ("", "tradectl", "Rust engine", "Node.js engine", "times the Rust engine")
        out().print(table("beside the engines it answers (their own figures, on their machines)", columns, rows,
                          right=(1, 2, 3, 4)))  # fmt: skip
    for name, figures in benches.items():
        shown = [
            (key, _any(key, value)) for key, value in figures.items() if not isinstance(value, (dict, list))
        ]
        out().print(table(f"{name}: {BENCHES[name].what}", ("", ""), shown, right=(1,)))


def _against(now: Mapping[str, Any], before: Mapping[str, Any], name: str) -> None:
    from tradectl.bench.table import compare
    from tradectl.cli.output import out, table

    rows = [
        (f"{bench}.{key}", _any(key, value), _any(key, old), f"{times:.2f} ×")
        for bench, key, value, old, times in compare(now, before)
    ]
    out().print(table(f"against {name}", ("", "now", name, "times better"), rows, right=(1, 2, 3)))


def _figure(value: float, unit: str) -> str:
    if unit == "ns":
        for name, of in (("ms", 1e6), ("µs", 1e3)):
            if value >= of:
                return f"{value / of:,.3g} {name}"
        return f"{value:,.0f} ns"
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:,.3g} {unit}"


def _any(key: str, value: Any) -> str:
    """Write a figure by what the end of its name says it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if key.endswith("per_s"):
        return f"{value:,.0f}/s"
    if key.endswith("_ns"):
        return _figure(value, "ns")
    if key.endswith("_s"):
        return f"{value:,.3g} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
