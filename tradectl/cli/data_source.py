"""What the `data` commands read: a configuration's data blocks, or sources named on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.cli.options import comma_list
from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig
    from tradectl.history.model import DataBlock, InstrumentSpec

__all__ = ["DataInput", "FixClock", "Kind", "block_options", "data_input"]

YAML = (".yaml", ".yml")
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="K",
        help="What to read: bars, trades, quotes, depth, orders, book (all but bars), journal (a run's, or an exported "
        "one). Else told from the profile, the catalogue or the file's format, else bars.",
        show_default=False,
    ),
]
FixClock = Annotated[
    bool,
    typer.Option(
        "--fix-clock", help="Shift receive stamps that are earlier than the exchange's (clock: correct)."
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
            hint = "`data info`, `check` and `export` read both"
            raise ConfigError("this command reads history, not a journal", hint=hint)
        return [block_of(block, self.folder) for block in self.config.data]

    def specs(self) -> dict[str, InstrumentSpec]:
        """Return what is said about instruments."""
        from tradectl.config.wire_data import specs_of

        return specs_of(self.config)


def block_options(
    profile: str | None,
    timeframe: str | None,
    symbols: str | None,
    start: str | None = None,
    end: str | None = None,
) -> dict[str, Any]:
    """Return the options that describe a source as keys of a data block; `symbols` is separated by commas."""
    names = None if symbols is None else comma_list(symbols)
    return {"profile": profile, "timeframe": timeframe, "symbols": names, "from": start, "to": end}


def data_input(sources: Sequence[str], options: Mapping[str, Any], sets: Sequence[str] = ()) -> DataInput:
    """Return the data of one config file, or of sources; `options` are keys of a data block."""
    from tradectl.config.load import load_config, load_text

    given = {f"data.{key}": value for key, value in options.items() if value is not None}
    given |= _kind_of(sources, options, sets)
    if len(sources) == 1 and sources[0].endswith(YAML):
        loaded = load_config(Path(sources[0]), sets, overrides=given)
        return DataInput(loaded.config, Path(sources[0]).resolve().parent)
    if any(source.endswith(YAML) for source in sources):
        raise ConfigError("name either one config or data sources, not both")
    given["data.source"] = list(sources)
    text = "strategy: none.py\ndata: {source: none}\n"
    loaded = load_text(text, Path("options"), sets, None, given)
    return DataInput(loaded.config, Path.cwd())


def _kind_of(sources: Sequence[str], options: Mapping[str, Any], sets: Sequence[str]) -> dict[str, str]:
    """Return the kind that a profile, a catalogue of nothing but book data or a file means, where none is given."""
    from tradectl.history.recognise import book_kinds, is_journal_table

    if _are_journals(sources) or all(map(is_journal_table, sources)):
        return {"data.kind": "journal"}
    said = options.get("kind") or any(one.startswith(("data.kind=", "data.mapping")) for one in sets)
    if said or any(source.endswith(YAML) for source in sources):
        return {}
    profile = options.get("profile")
    if profile:
        from tradectl.history.importers import MODULES
        from tradectl.history.profiles import PROFILES

        return {"data.kind": "book"} if profile in MODULES and profile not in PROFILES else {}
    if len(sources) == 1 and (Path(sources[0]) / "catalogue.json").is_file():
        from tradectl.history.catalogue import read_index

        index = read_index(Path(sources[0]))
        return {"data.kind": "book"} if index.get("ticks") and not index["series"] else {}
    _place, _format, kinds = book_kinds(sources)
    return {"data.kind": kinds[0]} if len(kinds) == 1 else {}


def _are_journals(sources: Sequence[str]) -> bool:
    """Tell whether the sources are run folders with a journal, or journals."""
    return all((Path(one) / "journal").is_dir() or one.rstrip("/").endswith("journal") for one in sources)
