"""Fixtures of the command tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tools import Program


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """Return the program, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADECTL_DEBUG", raising=False)
    return Program(capsys)
