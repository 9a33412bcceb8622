"""`tradectl strategy`: make, list and describe strategies."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command, group
from tradectl.cli.options import Json
from tradectl.cli.strategy_rules import register_rules
from tradectl.errors import ConfigError, StoreError, StrategyError, TradectlError, nearest

__all__ = ["described", "register"]

SCOPES = ("instrument", "portfolio")
KINDS = ("bars", "book")
SAMPLE = ("BTCSYN/USD", "ETHSYN/USD", "SOLSYN/USD")
BOOK_SAMPLE = ("ALTSYN/USD",)


def register(app: typer.Typer) -> None:
    """Add the group."""
    strategy = group("strategy", "Make a new strategy, list those of a folder, show one, print what rules stand for.")
    app.add_typer(strategy)
    _new(strategy)
    _list(strategy)
    _show(strategy)
    register_rules(strategy)


def _new(strategy: typer.Typer) -> None:
    @command(
        strategy,
        "new",
        "Write a working strategy, its config and its test.",
        "tradectl strategy new my_idea",
        "tradectl strategy new rotation --scope portfolio",
        "tradectl strategy new quoter --kind book",
    )
    def new(
        name: Annotated[
            str, typer.Argument(metavar="NAME", help="Its file's name, e.g. my_idea.", show_default=False)
        ],
        scope: Annotated[
            str, typer.Option("--scope", metavar="S", help="instrument (one state per symbol) or portfolio.")
        ] = "instrument",
        kind: Annotated[
            str, typer.Option("--kind", metavar="K", help="What it looks at: bars, or book (depth and trades).")
        ] = "bars",
        root: Annotated[
            Path, typer.Option("--dir", metavar="DIR", help="Where strategies/ and configs/ are.")
        ] = Path(),
    ) -> None:
        """Write a working strategy, its configuration and its test; nothing that exists is overwritten.

        Where there is no sample data yet, synthetic data is written for it too.
        """
        from tradectl.cli.output import out

        if scope not in SCOPES:
            raise ConfigError(f"--scope: expected one of {', '.join(SCOPES)}, got {scope!r}")
        if kind not in KINDS:
            raise ConfigError(f"--kind: {kind!r} is none", hint=nearest(kind, KINDS))
        if kind == "book" and scope != "instrument":
            raise ConfigError("--kind book writes a strategy of one instrument: leave out --scope")
        file = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not file.isidentifier():
            raise ConfigError(f"{name!r} cannot name a Python file", hint="begin with a letter: my_idea")
        made = _book_files(file, root) if kind == "book" else _files(file, scope, root)
        there = [path for path in made if path.exists()]
        if there:
            raise StoreError(f"{there[0]} is there already", hint="choose another name")
        try:
            for path, text in made.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            sample = _write_book_sample(root) if kind == "book" else _write_sample(root)
        except OSError as error:
            raise StoreError(f"cannot write: {error}") from error
        for path in (*made, *sample):
            out().print(f"wrote [bold]{path}[/]")
        out().print(f"run it: tradectl backtest {root / 'configs' / f'{file}.yaml'}")
        out().print(f"test it: python -m pytest {root / 'tests' / 'strategies' / f'test_{file}.py'}")


def _names(file: str) -> dict[str, Any]:
    """Return what the templates fill in for a file of this name."""
    return {
        "name": "".join(part.capitalize() for part in file.split("_")), "file": file, "slug": file.replace("_", "-"),
        "title": file.replace("_", " ").capitalize(), "strategies": "strategies", "configs": "configs", "depth": 2,
    }  # fmt: skip


def _places(file: str, root: Path, texts: tuple[str, str, str], names: dict[str, Any]) -> dict[Path, str]:
    """Return path → text of a strategy, its configuration and its test."""
    paths = (
        root / "strategies" / f"{file}.py",
        root / "configs" / f"{file}.yaml",
        root / "tests" / "strategies" / f"test_{file}.py",
    )
    return {path: text.format(**names) for path, text in zip(paths, texts, strict=True)}


def _files(file: str, scope: str, root: Path) -> dict[Path, str]:
    """Return the files of a strategy on bars."""
    from tradectl.cli import templates

    one = scope == "instrument"
    names = _names(file) | {
        "symbols": SAMPLE[:1] if one else SAMPLE,
        "source": "../data/sample/" + ("BTCSYNUSD_1m.csv.gz" if one else "'*_1m.csv.gz'").strip("'"),
    }
    text = templates.INSTRUMENT if one else templates.PORTFOLIO
    return _places(file, root, (text, templates.CONFIG, templates.TEST), names)


def _book_files(file: str, root: Path) -> dict[Path, str]:
    """Return the files of a strategy on book data."""
    from tradectl.cli import templates

    names = _names(file) | {"symbols": BOOK_SAMPLE}
    return _places(file, root, (templates.BOOK, templates.BOOK_CONFIG, templates.BOOK_TEST), names)


def _write_book_sample(root: Path) -> list[Path]:
    """Write the synthetic book of the sample unless it is there; return what was written."""
    from tradectl.history.generate_book import SAMPLE as walk
    from tradectl.history.generate_book import generate_book

    folder = root / "data" / "sample" / "book"
    if folder.is_dir():
        return []
    generate_book(walk, folder)
    return [folder]


def _write_sample(root: Path) -> list[Path]:
    """Write the synthetic bars of the sample unless they are there; return what was written."""
    from decimal import Decimal

    from tradectl.history.generate import Walk, generate

    folder = root / "data" / "sample"
    if folder.is_dir() and any(folder.glob("*_1m.csv.gz")):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    cent = Decimal("0.01")
    walk = Walk(SAMPLE, bars=20_160, seed=7, price=Decimal(40_000), tick_size=cent, lot_size=cent)
    generate(walk, folder / "{symbol}_1m.csv.gz")
    return sorted(folder.glob("*_1m.csv.gz"))


def _list(strategy: typer.Typer) -> None:
    @command(
        strategy,
        "list",
        "List the strategies of a folder.",
        "tradectl strategy list",
        "tradectl strategy list my/strategies --json",
    )
    def list_(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to look.")] = Path("strategies"),
        as_json: Json = False,
    ) -> None:
        """List the strategies of a folder with their parameters and the bars that their indicators need."""
        from tradectl.cli.output import out, print_json, table

        if not folder.is_dir():
            raise ConfigError(
                f"no folder {folder}", hint="make a strategy with `tradectl strategy new my_idea`"
            )
        rows = []
        for path in sorted(folder.glob("*.py")):
            for found in described(path):
                if as_json:
                    print_json(found)
                bars = str(found.get("bars_needed", ""))
                rows.append((found["name"], found["scope"], path.name, _values(found), bars, found["summary"]))
        if not as_json:
            columns = ("strategy", "scope", "file", "parameters", "bars needed", "what it does")
            out().print(table("", columns, rows))


def _show(strategy: typer.Typer) -> None:
    @command(
        strategy,
        "show",
        "Show a strategy's parameters, hooks and state.",
        "tradectl strategy show strategies/sma_cross.py",
    )
    def show(
        path: Annotated[
            str, typer.Argument(metavar="FILE[:CLASS]", help="A strategy's file.", show_default=False)
        ],
        as_json: Json = False,
    ) -> None:
        """Show what a strategy does, its parameters with their bounds, its hooks and the size of its state."""
        from tradectl.cli.output import out, print_json, table

        loaded = _loaded(path)
        found = _facts(loaded)
        if as_json:
            print_json(found)
            return
        out().print(f"[bold]{found['name']}[/] ({found['scope']}) {found['path']}\n")
        out().print(inspect.cleandoc(loaded.doc) + "\n", markup=False)
        rows = [
            (one["name"], one["kind"], str(one["default"]), one["limits"], one["help"])
            for one in found["params"]
        ]
        out().print(table("parameters", ("name", "kind", "default", "valid", "what it is"), rows))
        out().print(f"hooks: {', '.join(found['hooks'])} · state: {', '.join(found['state'])}", markup=False)
        if found["plots"]:
            out().print(f"plots: {', '.join(one['name'] for one in found['plots'])}", markup=False)
        out().print(f"state: {found['state_bytes']:,} bytes for each {loaded.scope}", markup=False)
        needed = ", ".join(f"{name} {bars}" for name, bars in found["indicators"].items())
        out().print(f"bars needed: {found['bars_needed']}{f' ({needed})' if needed else ''}", markup=False)


def described(path: Path) -> list[dict[str, Any]]:
    """Return the facts of each strategy in a file; a file that does not load gives its first problem."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    names = re.findall(r"^@strategy\b.*\n(?:@.*\n)*class (\w+)", text, re.MULTILINE)
    found = []
    for name in names:
        try:
            found.append(_facts(_loaded(f"{path}:{name}")))
        except TradectlError as error:
            first = str(error).splitlines()[0]
            facts = {
                "name": name,
                "scope": "?",
                "path": str(path),
                "params": [],
                "summary": f"does not load: {first}",
            }
            found.append(facts)
    return found


def _loaded(reference: str) -> Any:
    """Return a strategy as it runs: compiled, or where that cannot be with `jit: false`."""
    from tradectl.strategy.loader import load_strategy

    try:
        return load_strategy(reference)
    except StrategyError as error:
        try:
            return load_strategy(reference, jit=False)
        except StrategyError:
            raise error from None


def _facts(loaded: Any) -> dict[str, Any]:
    from tradectl.strategy.plots import describe
    from tradectl.strategy.warmup import indicator_warmups, strategy_warmup

    params = [
        {"name": name, "kind": one.kind, "default": one.default, "limits": one.limits(), "help": one.help}
        for name, one in loaded.spec.params.items()
    ]
    return {
        "name": loaded.name,
        "scope": loaded.scope,
        "path": os.path.relpath(loaded.path),
        "summary": loaded.doc.splitlines()[0] if loaded.doc else "",
        "params": params,
        "bars_needed": strategy_warmup(loaded),
        "indicators": indicator_warmups(loaded),
        "hooks": [hook.name.lower() for hook in loaded.functions],
        "state": list(loaded.spec.state),
        "plots": describe(loaded.spec.plots),
        "state_bytes": loaded.state_dtype.itemsize,
        "source_hash": loaded.source_hash,
    }


def _values(found: dict[str, Any]) -> str:
    return ", ".join(f"{one['name']}={one['default']}" for one in found["params"])
