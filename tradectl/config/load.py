"""From a file to a checked configuration that knows where each of its values came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradectl.config.models import RunConfig
from tradectl.config.problems import validate
from tradectl.config.scalars import plain_number
from tradectl.config.tree import Provenance, Tree
from tradectl.config.yamltext import YamlMistake, read_yaml
from tradectl.errors import ConfigError, nearest

__all__ = ["Loaded", "Provenance", "load_config", "load_text"]

MAX_BYTES = 8_000_000  # of a configuration file


@dataclass(frozen=True)
class Loaded:
    """A checked configuration, the text it was read from, and the origin of each of its values."""

    config: RunConfig
    path: Path
    text: str
    sources: dict[str, Provenance] = field(repr=False)

    def resolved(self) -> dict[str, Any]:
        """Return the whole configuration in plain YAML values, defaults included; it loads to the same."""
        made = _plain(self.config.model_dump(by_alias=True))
        assert isinstance(made, dict)
        return made

    def hash(self) -> str:
        """Return the blake2b hash (32 hex digits) of what determines the result: no names, no folders."""
        import hashlib  # costs 3 ms at import and is not needed to check a configuration

        content = self.resolved()
        for name in ("name", "description", "output"):
            content.pop(name, None)
        for strategy in content["strategies"]:
            if "path" in strategy:
                strategy["path"] = _last_part(strategy["path"])
        for block in content["data"]:
            block["source"] = [_last_part(source) for source in block["source"]]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _plain(value: Any) -> Any:
    """Return a value as dict, list, str, int, float or bool; keys without a value are left out."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return plain_number(value)
    return str(value) if isinstance(value, str) else value


def load_config(
    path: Path | str,
    sets: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """Read a configuration file; ConfigError lists everything that is wrong with it.

    Precedence: default < file < environment (`TRADECTL__EXECUTION__PATH`; `env=None` reads the process's) <
    `sets` (`KEY=YAML`) < `overrides` (dotted key → value; what a command's own options say).
    """
    path = Path(path)
    return load_text(_read(path), path, sets, os.environ if env is None else env, overrides)


def load_text(
    text: str,
    path: Path | str = Path("config.yaml"),
    sets: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """Do what `load_config` does for a text already read; messages and relative paths refer to `path`."""
    name = str(path)
    try:
        found = read_yaml(text)
    except YamlMistake as mistake:
        at = f"{name}:{mistake.place.line}:{mistake.place.column}" if mistake.place.line else name
        raise ConfigError(
            f"{at}: {mistake.message}" + (f"\n{mistake.picture}" if mistake.picture else "")
        ) from None
    tree = Tree(name, found)
    tree.apply_env(env or {})
    tree.apply_sets(sets)
    tree.apply_overrides(overrides or {})
    config, problems = validate(tree.data)
    tree.tell(problems)
    if tree.told or config is None:
        raise ConfigError(tree.message())
    return Loaded(config, Path(path), text, tree.sources(config))


def _read(path: Path) -> str:
    """Return the text of a file; ConfigError names the nearest file where there is none."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: expected a YAML file; this is a folder{_choices(path)}")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: expected a configuration of at most {MAX_BYTES // 10**6} MB")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_choices(path.parent, path.name)}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: expected UTF-8 text; byte {error.object[error.start]:#04x} is none"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def _choices(folder: Path, name: str = "") -> str:
    try:
        files = sorted(entry.name for entry in folder.iterdir() if entry.suffix in {".yaml", ".yml"})
    except OSError:
        parent = folder.parent
        return f"; the folder {folder} does not exist either" if parent != folder else ""
    if not files:
        return f"; {folder} holds no .yaml file"
    return f"; {nearest(name, files)}" if name else f"; it holds {', '.join(files[:12])}"
