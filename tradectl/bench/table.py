"""Figures beside those of the engines that tradectl answers, and beside those of an earlier time."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradectl.errors import ConfigError, nearest

__all__ = ["PEERS", "Peer", "compare", "load_saved", "machine", "ratio", "save"]


@dataclass(frozen=True)
class Peer:
    """A figure of ours, by bench and key, and what the two other engines say of theirs, in its unit."""

    label: str
    bench: str
    key: str
    unit: str
    rust: float
    node: float
    more_is_better: bool = False


# The figures that the Rust engine publishes for itself and for the Node.js engine it replaced, on their own machines.
PEERS: tuple[Peer, ...] = (
    Peer("validation p50", "validation", "p50_ns", "ns", 80_000, 3_200_000),
    Peer("risk p50", "risk", "p50_ns", "ns", 120_000, 5_100_000),
    Peer("order through the whole pipeline p99", "pipeline", "p99_ns", "ns", 300_000, 12_000_000),
    Peer("orders a second", "pipeline", "orders_per_s", "/s", 340_000, 8_400, more_is_better=True),
    Peer("memory of the engine's state", "pipeline", "state_mb", "MB", 14, 180),
)
SMALLER_IS_BETTER = ("_ns", "ns_per_op", "ns_per_order", "ns_per_bar", "_s", "_mb")


def machine() -> dict[str, Any]:
    """Name the machine and the versions that figures belong to."""
    import llvmlite
    import numba
    import numpy

    from tradectl.core.jit import cpu_name

    return {
        "cpu": _cpu_model(),
        "llvm_cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": numpy.__version__,
        "load": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return named[0] if named else platform.machine()


def ratio(key: str, ours: float, theirs: float) -> float:
    """Return how many times better `ours` is: above 1 is better, whichever way the figure counts."""
    if ours <= 0 or theirs <= 0:
        return float("nan")
    smaller = key.endswith(SMALLER_IS_BETTER) and not key.endswith("per_s")
    return theirs / ours if smaller else ours / theirs


def compare(
    now: Mapping[str, Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str, float, float, float]]:
    """Return (bench, key, now, before, times better) of every number that both have."""
    rows = []
    for bench, figures in now.items():
        for key, value in figures.items():
            old = before.get(bench, {}).get(key)
            if old is not None and _is_number(value) and _is_number(old):
                rows.append((bench, key, float(value), float(old), ratio(key, float(value), float(old))))
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _place(folder: Path, name: str) -> Path:
    if not name or "/" in name or name.startswith("."):
        raise ConfigError(f"{name!r} cannot name a saved bench", hint="use letters, digits, - and _")
    return folder / f"{name}.json"


def save(folder: Path, name: str, result: Mapping[str, Any]) -> Path:
    """Write a result under benchmarks/ and return its place."""
    path = _place(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def load_saved(folder: Path, name: str) -> dict[str, Any]:
    """Return a saved result; ConfigError names the nearest where there is none."""
    path = _place(folder, name)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        names = [one.stem for one in folder.glob("*.json")] if folder.is_dir() else []
        hint = nearest(name, names) if names else f"nothing is saved in {folder} yet: use --save"
        raise ConfigError(f"no saved bench {name!r}", hint=hint) from None
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: {error}") from error
