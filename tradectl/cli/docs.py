"""The pages that are made from the code: `python -m tradectl.cli.docs` writes them, a test compares them."""

from __future__ import annotations

import inspect
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

__all__ = ["cli_page", "configuration_page", "main", "pages", "shipped_table", "strategy_tables"]

BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated -->"


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (whole name, command) of a group's commands, groups before what is in them."""
    for name, one in group.commands.items():
        whole = f"{path} {name}"
        yield whole, one
        if hasattr(one, "commands"):
            yield from commands(one, whole)


def _cell(text: Any) -> str:
    return str(text or "").replace("|", "\\|").replace("\n", " ")


def _usage(whole: str, command: Any) -> str:
    parts = [whole]
    for one in command.params:
        if one.param_type_name == "argument":
            name = one.metavar or one.name.upper()
            name += "..." if one.nargs == -1 else ""
            parts.append(name if one.required else f"[{name}]")
    return " ".join([*parts, "[OPTIONS]"])


def _option(one: Any) -> str:
    names = ", ".join(f"`{name}`" for name in one.opts)
    value = "" if one.is_flag else f" {one.metavar or one.name.upper()}"
    default = one.default
    shown = "" if default in (None, False, (), []) or one.required else f" Default: `{default}`."
    return f"| {names}{value} | {_cell(one.help)}{shown}{' **Required.**' if one.required else ''} |"


def _section(whole: str, command: Any) -> list[str]:
    """Return one command's part of the page."""
    depth = "#" * min(whole.count(" ") + 1, 4)
    lines = [f"{depth} {whole}", "", inspect.cleandoc(command.help or ""), ""]
    if hasattr(command, "commands"):
        return lines
    lines += ["```", _usage(whole, command), "```", ""]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {one.metavar or one.name.upper()} | {_cell(one.help)} |" for one in arguments]
        lines += [_option(one) for one in options]
        lines.append("")
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    return [*lines, "```sh", *examples, "```", ""]


def cli_page() -> str:
    """Return docs/cli.md."""
    from tradectl.cli.app import EXIT_CODES
    from tradectl.cli.main import app

    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Generated from the program; do not edit. `tradectl COMMAND -h` shows the same.",
        "",
        "`tradectl --version` shows the version, `--debug` (anywhere) the traceback of an error,",
        "`tradectl --install-completion` installs completion for your shell. `NO_COLOR` is respected.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES),
        "",
    ]
    for whole, one in commands(root, "tradectl"):
        lines += _section(whole, one)
    return "\n".join(lines).rstrip() + "\n"


def configuration_page() -> str:
    """Return docs/configuration.md."""
    from tradectl.config import reference_markdown

    return reference_markdown().rstrip() + "\n"


def _signature(fn: Callable[..., Any]) -> str:
    """Return the arguments of a ctx method as an author writes them."""
    shown = []
    for name, one in list(inspect.signature(fn).parameters.items())[1:]:
        default = one.default
        text = "GTC" if name == "tif" else str(default)
        shown.append(name if default is inspect.Parameter.empty else f"{name}={text}")
    return ", ".join(shown)


def _meaning(fn: Callable[..., Any]) -> str:
    return _cell(" ".join(inspect.cleandoc(fn.__doc__ or "").split("\n\n")[0].split()))


def strategy_tables() -> dict[str, str]:
    """Return the generated tables of docs/strategies.md by name."""
    from tradectl import strategy
    from tradectl.strategy import indicators
    from tradectl.strategy.context import ATTRIBUTES, METHODS

    values = [f"| `ctx.{name}` | {_meaning(fn)} |" for name, fn in ATTRIBUTES.items()]
    methods = [f"| `ctx.{name}({_signature(fn)})` | {_meaning(fn)} |" for name, fn in METHODS.items()]
    public = [(name, getattr(indicators, name)) for name in indicators.__all__ if name in strategy.__all__]
    states = [
        f"| `{name}({_arguments(one)})` | {_meaning(one)} |" for name, one in public if inspect.isclass(one)
    ]
    updates = [
        f"| `{name}{_whole_signature(one)}` | {_meaning(one)} |"
        for name, one in public
        if not inspect.isclass(one)
    ]
    head = ["| | |", "|---|---|"]
    tables = {"values": values, "methods": methods, "indicators": states, "updates": updates}
    return {name: "\n".join([*head, *rows]) for name, rows in tables.items()}


def shipped_table(root: Path) -> str:
    """Return the table of the strategies below a folder: file, configurations that run it, what it does."""
    from tradectl.cli.strategy import described

    configs = {path.name: path.read_text(encoding="utf-8") for path in sorted((root / "configs").glob("*.yaml"))}
    rows = ["| | runs it | |", "|---|---|---|"]
    for path in sorted((root / "strategies").glob("*.py")):
        names = [f"`{name}`" for name, text in configs.items() if f"strategies/{path.name}" in text]
        rows += [f"| `{path.name}` | {', '.join(names)} | {_cell(found['summary'])} |" for found in described(path)]
    return "\n".join(rows)


def _arguments(cls: type) -> str:
    names = list(inspect.signature(cls).parameters.values())
    return ", ".join(
        one.name if one.default is inspect.Parameter.empty else f"{one.name}={one.default}" for one in names
    )


def _whole_signature(fn: Callable[..., Any]) -> str:
    names = inspect.signature(getattr(fn, "__wrapped__", fn)).parameters.values()
    shown = [
        one.name if one.default is inspect.Parameter.empty else f"{one.name}={one.default}" for one in names
    ]
    return f"({', '.join(shown)})"


def filled(text: str, tables: dict[str, str]) -> str:
    """Return a page with its generated parts replaced."""
    for name, table in tables.items():
        before, begin, rest = text.partition(BEGIN.format(name))
        _old, end, after = rest.partition(END)
        if not (begin and end):
            raise ValueError(f"the page has no part {BEGIN.format(name)}")
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def blocks_of(text: str, language: str) -> list[str]:
    """Return the code blocks of a language in a Markdown text."""
    return [part.partition("\n```")[0] for part in text.split(f"```{language}\n")[1:]]


def readme_result(readme: Path) -> str:
    """Run the README's strategy with the README's configuration; return the table that it prints."""
    from rich.console import Console

    from tradectl.cli.result_table import result_table
    from tradectl.cli.runner import run_backtest

    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="tradectl-readme-") as name:
        folder = Path(name)
        folder.joinpath("my_cross.py").write_text(blocks_of(text, "python")[0], encoding="utf-8")
        config = folder / "my_cross.yaml"
        config.write_text(blocks_of(text, "yaml")[0], encoding="utf-8")
        sample = readme.resolve().parent / "data" / "sample" / "BTCSYNUSD_1m.csv.gz"
        result = run_backtest(config, overrides={"data.source": str(sample)}, out=folder / "runs")
    console = Console(width=80, color_system=None, file=io.StringIO(), highlight=False)
    console.print(result_table(result.summary))
    printed = str(console.file.getvalue())  # type: ignore[attr-defined]
    lines = [line.rstrip() for line in printed.splitlines()]
    return "```\n" + "\n".join(lines).strip("\n") + "\n```"


def pages(docs: Path) -> dict[Path, str]:
    """Return path → text of every page that is made, or partly made, from the code."""
    from tradectl.cli.docs_indicators import indicators_page
    from tradectl.cli.docs_rules import rules_tables
    from tradectl.metrics.page import metric_tables

    guide, metrics, readme = docs / "strategies.md", docs / "metrics.md", docs.parent / "README.md"
    rules = docs / "rules.md"
    return {
        readme: filled(readme.read_text(encoding="utf-8"), {"result": readme_result(readme)}),
        docs / "cli.md": cli_page(),
        docs / "configuration.md": configuration_page(),
        docs / "indicators.md": indicators_page(),
        guide: filled(guide.read_text(encoding="utf-8"), strategy_tables() | {"shipped": shipped_table(docs.parent)}),
        rules: filled(rules.read_text(encoding="utf-8"), rules_tables()),
        metrics: filled(metrics.read_text(encoding="utf-8"), metric_tables()),
    }


def main() -> None:
    """Write the pages below ./docs; say which changed."""
    for path, text in pages(Path("docs")).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
