"""Running the program inside the test's process, or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tradectl.cli.main import run

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "configs" / "quickstart.yaml"
SAMPLE = ROOT / "data" / "sample" / "BTCSYNUSD_1m.csv.gz"


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """Return the JSON objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """`program("data", "info", path)` runs it and captures what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *args: object) -> Done:
        self.capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = self.capsys.readouterr()
        return Done(code, captured.out, captured.err)


def process(*args: str, cwd: Path = ROOT, timeout: float = 120, **env: str) -> Done:
    """Run the program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tradectl", *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
