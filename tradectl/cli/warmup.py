"""`tradectl warmup`: pay the compilation of all kernels ahead of the first run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Quiet

__all__ = ["holders", "register", "warm"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "warmup",
        "Compile everything ahead of the first run.",
        "tradectl warmup",
        "tradectl warmup --strategies my/strategies --json",
    )
    def warmup(
        strategies: Annotated[
            Path,
            typer.Option("--strategies", metavar="DIR", help="Also compile the strategies of this folder."),
        ] = Path("strategies"),
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Compile every kernel and strategy that is not in the cache yet, and say how long each took."""
        from tradectl.cli.output import count, out, print_json, seconds, table
        from tradectl.cli.progress import Meter
        from tradectl.core.jit import cache_directory

        with Meter(as_json or quiet) as meter:
            rows = list(warm(strategies, meter))
        if as_json:
            print_json(
                {"cache": str(cache_directory()), "entries": rows, "total_s": sum(r["seconds"] for r in rows)}
            )
        elif not quiet:
            cells = [
                (r["name"], seconds(r["seconds"]), "loaded" if r["cached"] else "compiled") for r in rows
            ]
            out().print(table("", ("entry", "time", ""), cells, right=(1,)))
            total = seconds(sum(r["seconds"] for r in rows))
            out().print(f"{count(len(rows))} entries in {total} · cache: {cache_directory()}")


def holders() -> list[str]:
    """Return the modules of the package that declare entry points, those of the engine first."""
    package = Path(__file__).parents[1]
    paths = [path for path in package.rglob("*.py") if "\n@entry(" in path.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(package.parent).with_suffix("").parts) for path in paths]
    return sorted(names, key=lambda name: (not name.startswith("tradectl.engine"), name))


def warm(strategies: Path, told: Any) -> Iterator[dict[str, Any]]:
    """Compile or load everything; yield {name, seconds, cached} of each entry."""
    for name in holders():
        importlib.import_module(name)
    from tradectl.core.jit import DISABLE_JIT, ENTRIES

    if DISABLE_JIT:
        return
    for entry in ENTRIES:
        told(f"compiling {entry.__name__}")
        begun = time.perf_counter()
        entry.load()
        yield {"name": entry.__name__, "seconds": time.perf_counter() - begun, "cached": entry.was_cached}
    yield from _strategies(strategies, told)


def _strategies(folder: Path, told: Any) -> Iterator[dict[str, Any]]:
    """Compile the hooks of a folder's strategies with their default parameters."""
    from tradectl.errors import TradectlError
    from tradectl.strategy.compile import compile_hooks
    from tradectl.strategy.loader import load_strategy

    for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
        told(f"compiling {path.name}")
        try:
            made = compile_hooks(load_strategy(path))
        except TradectlError:
            continue  # a helper file, several strategies, or a fault: `strategy show` tells
        yield {"name": path.name, "seconds": made.compile_s, "cached": made.was_cached}
