"""A configuration wired again and again, each time as it would have been at some time: data, side files, strategies."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tradectl.cli.runner_check_files import Watch
from tradectl.cli.runner_check_tables import Table, bars_table, side_table
from tradectl.config.load import Loaded, load_config
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_data import block_of, stamped_block
from tradectl.config.wire_rules import reference_of
from tradectl.errors import ConfigError, StrategyError
from tradectl.history.files import Place, resolve
from tradectl.history.plan import is_catalogue, key_of
from tradectl.history.profiles import split_pair
from tradectl.strategy.loader import split_reference
from tradectl.strategy.modules import read_sources

__all__ = ["Asked", "Worlds"]

TEXT_AND_TABLES = ("csv", "parquet", "ipc")
Told = dict[str, str]
_dropped: list[ModuleType] = []  # compiled code knows helper functions by their identity: none may be used again


@dataclass(frozen=True)
class Asked:
    """Which configuration is checked: file, `--set`, what other options override."""

    config: Path
    sets: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def load(self, more: Mapping[str, Any] | None = None) -> Loaded:
        """Read it, with further overrides; ConfigError where it has no history."""
        loaded = load_config(self.config, self.sets, overrides={**self.overrides, **(more or {})})
        if not loaded.config.data:
            raise ConfigError(f"{loaded.path}: a check needs history, and there is no block `data`")
        return loaded


@dataclass(repr=False)
class Worlds:
    """Makes runs of one configuration in which nothing after a time is known; `trusted` files are never cut.

    `prepare` is a command that makes side files anew for each run: `{data}` is the folder of its data, `{out}` where
    the command writes.
    """

    asked: Asked
    scratch: Path
    trusted: tuple[Path, ...] = ()
    prepare: str = ""
    made: set[Path] = field(default_factory=set)  # files in whose place one that `prepare` wrote was read
    tables: list[list[Table]] = field(default_factory=list)  # of each data block, if all can be cut as files
    sides: dict[Path, Table | None] = field(default_factory=dict)  # other files that strategies read
    whole: Wired | None = None
    plain: bool = False  # run all strategies as plain Python
    _count: int = 0

    def __post_init__(self) -> None:
        """Read the configuration and find the strategies' sources."""
        self.loaded = self.asked.load()
        self.folder = self.loaded.path.resolve().parent
        config = self.loaded.config
        named = (reference_of(config, one, self.folder) for one in config.strategies)
        texts = [read_sources(split_reference(one)[0]).texts for one in named]
        self.sources = {str(path) for each in texts for path in each}

    @property
    def jit(self) -> bool:
        """Return whether no strategy runs as plain Python."""
        return not self.plain and all(block.jit for block in self.loaded.config.strategies)

    def drop_modules(self) -> None:
        """Forget the strategies' modules: what they built or read is made anew when they are loaded again."""
        for name, module in list(sys.modules.items()):
            if name.startswith("strategy_") and getattr(module, "__file__", None) in self.sources:
                _dropped.append(sys.modules.pop(name))

    def watch(self, ts: int | None = None, seed: int = 0) -> AbstractContextManager[Watch]:
        """Watch what strategies open; with a time they read copies cut there, or scrambled from there on."""
        self._count += 1
        if self.prepare:
            self._prepare(ts, seed)
        made = Watch(self.sources, lambda path: self._copy(path, ts, seed), self.scratch / f"written{self._count}")
        return made.entered()

    def wire(self, ts: int | None = None, seed: int = 0) -> Wired:
        """Wire the run anew: on all data, or (data cut as files) on what was known at a time."""
        self.drop_modules()
        more: dict[str, Any] = {}
        if self.plain:
            more |= {f"strategies[{k}].jit": False for k in range(len(self.loaded.config.strategies))}
        if ts is not None and self.tables:
            for k, tables in enumerate(self.tables):
                more[f"data[{k}].source"] = [str(self._place(one, ts, seed)) for one in tables]
            return wire(self.asked.load(more))
        made = wire(self.asked.load(more), opened=None if self.whole is None else self.whole.data)
        self.whole = self.whole or made
        return made

    def read_tables(self) -> None:
        """Read the data files, if every block is of bars in files whose rows can be cut."""
        assert self.whole is not None
        made: list[list[Table]] = []
        for block in self.loaded.config.data:
            asked = stamped_block(self.loaded.config, block, self.folder)
            places = [] if block.kind != "bars" or is_catalogue(asked) else resolve(asked.sources)
            if not places or any(one.member or one.format not in TEXT_AND_TABLES for one in places):
                return
            step = 0 if block.timeframe is None else block.timeframe.ns
            used = set(self.whole.data.paths)
            made.append([
                bars_table(one, asked, step or self._timeframe(), self._tick(one)) for one in places if one.path in used
            ])  # fmt: skip
        self.tables = made

    def _timeframe(self) -> int:
        assert self.whole is not None
        return max(self.whole.data.frame_of)

    def _tick(self, place: Place) -> Decimal:
        """Return the tick size of the instrument that a file's name names, else the finest."""
        assert self.whole is not None
        known = {key_of(one.symbol): one.tick_size for one in self.whole.data.instruments}
        symbol = split_pair(place.stem.partition("_")[0], None)[0]
        return known.get(key_of(symbol), min(known.values()))

    def _place(self, table: Table, ts: int, seed: int) -> Path:
        """Write a data file as of a time; its name and folder are as they were, for they may say what it holds."""
        place = table.path.relative_to(self._root())
        return table.write(ts, seed, self.scratch / ("scrambled" if seed else "cut") / place)

    def _prepare(self, ts: int | None, seed: int) -> None:
        """Let the command make its files from the data of a time."""
        out = self.scratch / "prepared"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        data = self._root()
        if ts is not None:
            for table in (one for tables in self.tables for one in tables):
                self._place(table, ts, seed)
            data = self.scratch / ("scrambled" if seed else "cut")
        words = [one.replace("{data}", str(data)).replace("{out}", str(out)) for one in shlex.split(self.prepare)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ConfigError(f"--prepare: {words[0]} cannot be run: {error.strerror}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise StrategyError(f"--prepare: {words[0]} ended with exit code {done.returncode}: {last}")

    def _root(self) -> Path:
        """Return the folder that all data files are in."""
        blocks = self.loaded.config.data
        if any(block.kind != "bars" or is_catalogue(block_of(block, self.folder)) for block in blocks):
            raise ConfigError("--prepare needs data in files of bars, which can be cut")
        places = [one for block in blocks for one in resolve(block_of(block, self.folder).sources)]
        return Path(os.path.commonpath([one.path.parent for one in places]))

    def _copy(self, path: Path, ts: int | None, seed: int) -> Path | None:
        """Return a file as of a time, None where it is read as it is."""
        if path in self.trusted:
            return None
        if self.prepare and (made := self.scratch / "prepared" / path.name).is_file():
            self.made.add(path)
            return made
        for table in (one for tables in self.tables for one in tables):
            if table.path.resolve() == path and ts is not None:
                return self._place(table, ts, seed)
        if path not in self.sides:
            self.sides[path] = side_table(path)
        side = self.sides[path]
        if side is None or ts is None:
            return None
        return side.write(ts, seed, self.scratch / f"side{list(self.sides).index(path)}" / path.name)

    def same_grid(self, other: Wired) -> dict[str, str]:
        """Return what another wiring derived differently: instruments, tick and lot sizes."""
        assert self.whole is not None
        found: dict[str, str] = {}
        mine = {one.id: one for one in self.whole.data.instruments}
        its = {one.id: one for one in other.data.instruments}
        for name in sorted(mine.keys() ^ its.keys()):
            found[name] = "it is not in the data that was known"
        for name in sorted(mine.keys() & its.keys()):
            for key in ("tick_size", "lot_size"):
                was, now = getattr(mine[name], key), getattr(its[name], key)
                if was != now:
                    found[f"{name} {key}"] = f"{was:f} from all data, {now:f} from what was known"
        return found

    def inferred(self) -> list[str]:
        """Return the instruments whose tick size was found in the data."""
        assert self.whole is not None
        report = self.whole.data.report
        return [] if report is None else [one.instrument for one in report.instruments if one.tick_from == "inferred"]

    def around(self, ts: int) -> Told:
        """Return the last row of the data that was known at a time, and the first that was not, as text."""
        found: dict[str, str] = {}
        for table in self.tables[0][:1] if self.tables else []:
            later = table.known > ts
            for name, rows in (("known", np.flatnonzero(~later)[-1:]), ("unknown", np.flatnonzero(later)[:1])):
                if len(rows):
                    found[name] = ", ".join(str(value) for value in table.frame.row(int(rows[0])))
            found["file"] = table.path.name
        return found

    def data_paths(self) -> set[Path]:
        """Return the run's data files."""
        assert self.whole is not None
        return {Path(one).resolve() for one in self.whole.data.paths}


