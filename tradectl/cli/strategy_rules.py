"""`tradectl strategy rules`: the source that the rules of a configuration stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Sets
from tradectl.errors import ConfigError, StoreError, nearest

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig, StrategyBlock

__all__ = ["register_rules"]


def register_rules(strategy: typer.Typer) -> None:
    """Add the command to its group."""

    @command(
        strategy,
        "rules",
        "Print the Python strategy that rules stand for.",
        "tradectl strategy rules configs/rules_sma_cross.yaml",
        "tradectl strategy rules configs/rules_sma_cross.yaml --write strategies/my_cross.py",
    )
    def rules(
        config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)],
        tag: Annotated[
            str | None,
            typer.Option("--tag", metavar="TAG", help="Which strategy, where several have rules.", show_default=False),
        ] = None,
        target: Annotated[
            Path | None,
            typer.Option(
                "--write", metavar="FILE", help="Write it to a new file, to go on in Python.", show_default=False
            ),
        ] = None,
        sets: Sets = None,
        as_json: Json = False,
    ) -> None:
        """Print the strategy that the rules of a configuration stand for: what is compiled and run, and stored.

        Below the source stands how many bars pass before the first decision.
        """
        from tradectl.cli.output import err, out, print_json
        from tradectl.config import load_config
        from tradectl.config.wire_rules import reference_of, warmup_of
        from tradectl.strategy.loader import load_strategy

        loaded = load_config(config, sets or ()).config
        block = _picked(loaded, tag)
        made = load_strategy(reference_of(loaded, block, config.parent), block.params, jit=block.jit)
        source = made.path.read_text(encoding="utf-8")
        bars = warmup_of(loaded, block, made)
        if target is not None:
            _write(target, source)
        if as_json:
            print_json({"strategy": block.label, "warmup_bars": bars, "source": source})
        elif target is not None:
            out().print(f"wrote [bold]{target}[/]")
        else:
            out().print(source, markup=False, end="", soft_wrap=True)
        if not as_json:
            told = " and ".join(f"{count} bar{'' if count == 1 else 's'}{f' of {name}' if name else ''}"
                                for name, count in bars.items())  # fmt: skip
            err().print(f"first decision after {told}" if told else "decides from the first bar on")


def _picked(config: RunConfig, tag: str | None) -> StrategyBlock:
    """Return the strategy that has rules and, where one is asked for, this tag."""
    found: dict[str, Any] = {block.label: block for block in config.strategies if block.rules is not None}
    if not found:
        raise ConfigError("no strategy of this configuration has `rules`")
    if tag is None and len(found) > 1:
        raise ConfigError(f"{len(found)} strategies have rules", hint=f"name one with --tag: {', '.join(found)}")
    if tag is not None and tag not in found:
        raise ConfigError(f"--tag: no strategy {tag!r} has rules", hint=nearest(tag, found))
    made: StrategyBlock = found[tag] if tag is not None else next(iter(found.values()))
    return made


def _write(target: Path, source: str) -> None:
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(source)
    except FileExistsError as error:
        raise StoreError(f"{target} is there already", hint="choose another name") from error
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error}") from error
