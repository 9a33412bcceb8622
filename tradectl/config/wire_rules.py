"""Where a strategy's source is: the file that it names, or the one that its rules are written out to."""

from __future__ import annotations

import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from tradectl.config.rules import analysed
from tradectl.core.jit import cache_root
from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.config.models import RunConfig, StrategyBlock
    from tradectl.config.rules import Rules
    from tradectl.strategy.loader import LoadedStrategy

__all__ = ["reference_of", "rules_source", "warmup_of"]

FILE = "rules.py"


def reference_of(config: RunConfig, block: StrategyBlock, folder: Path) -> str:
    """Return `path[:Class]` of a strategy's source; paths of a configuration are relative to its folder."""
    if block.rules is not None:
        return str(_written(rules_source(config, block.rules)))
    file, name = block.file_and_class
    path = folder / file
    return f"{path}:{name}" if name else str(path)


def rules_source(config: RunConfig, rules: Rules) -> str:
    """Return the source that rules stand for; ConfigError where they have a fault."""
    from tradectl.strategy.rules import source_of

    made = analysed(config, rules)
    if made.troubles:
        raise ConfigError("\n".join(f"rules.{'.'.join(one.key)}: {one.message}" for one in made.troubles))
    return source_of(made)


def warmup_of(config: RunConfig, block: StrategyBlock, loaded: LoadedStrategy) -> dict[str, int]:
    """Return how many bars rules need before they can decide, by the length of these bars ("": those of the data)."""
    from tradectl.strategy.warmup import indicator_warmups

    if block.rules is None:
        return {}
    made = analysed(config, block.rules)
    own = made.rules.frames[0][0] if made.rules.frames else ""
    needs = indicator_warmups(loaded)
    found: dict[str, int] = {}
    for name, bars_of in made.book.frame_of.items():
        frame = bars_of or own
        found[frame] = max(found.get(frame, 1), needs.get(name, 1))
    return found


def _written(text: str) -> Path:
    """Return the file of the cache that holds a source, in a folder of its own; write it if it is not there."""
    content = text.encode()
    path = cache_root() / "rules" / blake2b(content, digest_size=10).hexdigest() / FILE
    if path.is_file() and path.read_bytes() == content:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(content)
    os.replace(part.name, path)
    return path
