"""What the `data` commands read: a configuration's data blocks, or sources named on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig
    from tradectl.history.model import DataBlock, InstrumentSpec

__all__ = ["DataInput", "Profile", "Source", "Symbols", "Timeframe", "data_input"]

YAML = (".yaml", ".yml")
Source = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files, folders, globs, a catalogue, a run's journal, or one config.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="Named column layout, e.g. bitfinex.", show_default=False),
]
Timeframe = Annotated[
    str | None,
    typer.Option("--timeframe", metavar="T", help="Bar length of the source, e.g. 1m.", show_default=False),
]
Symbols = Annotated[
    str | None,
    typer.Option(
        "--symbols", metavar="A,B", help="Use only these symbols, separated by commas.", show_default=False
    ),
]


@dataclass(frozen=True)
class DataInput:
    """A configuration that only its data blocks matter of; paths in it are relative to `folder`."""

    config: RunConfig
    folder: Path

    @property
    def is_journal(self) -> bool:
        """Return whether the source is the journal of a run."""
        return any(block.kind == "journal" for block in self.config.data)

    def blocks(self) -> list[DataBlock]:
        """Return the blocks in the words of the history unit."""
        from tradectl.config.wire_data import block_of

        if self.is_journal:
            raise ConfigError("this command reads bars, not a journal", hint="`data export` reads both")
        return [block_of(block, self.folder) for block in self.config.data]

    def specs(self) -> dict[str, InstrumentSpec]:
        """Return what is said about instruments."""
        from tradectl.config.wire_data import specs_of

        return specs_of(self.config)


def data_input(sources: Sequence[str], options: Mapping[str, Any], sets: Sequence[str] = ()) -> DataInput:
    """Return the data of one config file, or of sources; `options` are keys of a data block."""
    from tradectl.config.load import load_config, load_text

    given = {f"data.{key}": value for key, value in options.items() if value is not None}
    if len(sources) == 1 and sources[0].endswith(YAML):
        loaded = load_config(Path(sources[0]), sets, overrides=given)
        return DataInput(loaded.config, Path(sources[0]).resolve().parent)
    if any(source.endswith(YAML) for source in sources):
        raise ConfigError("name either one config or data sources, not both")
    given["data.source"] = list(sources)
    if all(
        (Path(source) / "journal").is_dir() or source.rstrip("/").endswith("journal") for source in sources
    ):
        given["data.kind"] = "journal"
    text = "strategy: none.py\ndata: {source: none}\n"
    loaded = load_text(text, Path("options"), sets, None, given)
    return DataInput(loaded.config, Path.cwd())
