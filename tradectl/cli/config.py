"""`tradectl config`: check, describe and resolve configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command, group
from tradectl.cli.options import Configs, Json, Sets

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group."""
    config = group("config", "Check configs, show them resolved, write their schema.")
    app.add_typer(config)
    _check(config)
    _schema(config)
    _show(config)


def _check(config: typer.Typer) -> None:
    @command(
        config, "check", "Check configs and the strategies they name.", "tradectl config check configs/*.yaml"
    )
    def check(configs: Configs, sets: Sets = None, as_json: Json = False) -> None:
        """Check files and the strategies they name: keys, types, combinations, parameters, source.

        Reads no data. Every mistake is told with its line; the exit code is that of the first file that fails.
        """
        from tradectl.cli.output import out, print_json
        from tradectl.config import load_config
        from tradectl.config.wire_rules import reference_of
        from tradectl.errors import TradectlError
        from tradectl.strategy.loader import load_strategy

        code = 0
        for path in configs:
            problem = ""
            try:
                loaded = load_config(path, sets or ())
                for block in loaded.config.strategies:
                    reference = reference_of(loaded.config, block, path.parent)
                    load_strategy(reference, block.params, jit=block.jit)
            except TradectlError as error:
                if len(configs) == 1 and not as_json:
                    raise
                problem, code = str(error), code or error.exit_code
            if as_json:
                print_json({"config": str(path), "ok": not problem, "problem": problem or None})
            elif problem:
                out().print(f"[red]✗[/] {path}")
                out().print(problem, markup=False)
            else:
                out().print(f"[green]✓[/] {path}")
        if code:
            raise typer.Exit(code)


def _schema(config: typer.Typer) -> None:
    @command(
        config,
        "schema",
        "Write the JSON Schema of a config, for editors.",
        "tradectl config schema --out tradectl.schema.json",
    )
    def schema(
        target: Annotated[
            Path | None,
            typer.Option("--out", metavar="FILE", help="Write it to a file instead of printing it."),
        ] = None,
    ) -> None:
        """Write the JSON Schema of a configuration, for editors.

        With `# yaml-language-server: $schema=tradectl.schema.json` as its first line, a YAML file is checked and
        completed while it is typed.
        """
        from tradectl.cli.output import err, json_text, write
        from tradectl.config import json_schema
        from tradectl.errors import StoreError

        text = json_text(json_schema(), indent=2)
        if target is None:
            write(text)
            return
        try:
            target.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}") from error
        err().print(f"wrote {target}", markup=False)


def _show(config: typer.Typer) -> None:
    @command(
        config,
        "show",
        "Print the resolved config and its origins.",
        "tradectl config show configs/quickstart.yaml",
        "tradectl config show configs/quickstart.yaml --set execution.path=ohlc --json",
    )
    def show(
        path: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)],
        sets: Sets = None,
        as_json: Json = False,
    ) -> None:
        """Print the resolved configuration and where each value came from: file, --set, environment, default."""
        from tradectl.cli.output import json_text, out, print_json, table
        from tradectl.config import load_config
        from tradectl.config.show import show as rows_of

        rows = rows_of(load_config(path, sets or ()))
        if as_json:
            print_json({key: {"value": value, "from": str(origin)} for key, value, origin in rows})
            return
        cells = [
            (key, value if isinstance(value, str) else json_text(value), str(origin))
            for key, value, origin in rows
        ]
        out().print(table("", ("key", "value", "from"), cells, wrap=2))
