"""Pages that are made from the code are up to date; links lead somewhere; the README does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.tools import ROOT, Program
from tradectl.cli import docs
from tradectl.core.jit import DISABLE_JIT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").glob("*.md")])
README = ROOT / "README.md"
AGAIN = "run `make docs` and commit what it writes"


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_cli_page() -> None:
    assert docs.cli_page() == text_of(ROOT / "docs" / "cli.md"), AGAIN


def test_configuration_page() -> None:
    assert docs.configuration_page() == text_of(ROOT / "docs" / "configuration.md"), AGAIN


def test_strategy_tables() -> None:
    page = text_of(ROOT / "docs" / "strategies.md")
    assert docs.filled(page, docs.strategy_tables()) == page, AGAIN


@pytest.mark.skipif(DISABLE_JIT, reason="two weeks of minutes take long in plain Python")
def test_the_readme_prints_what_its_strategy_prints() -> None:
    page = text_of(README)
    assert docs.filled(page, {"result": docs.readme_result(README)}) == page, AGAIN


def test_a_page_without_its_part_is_told() -> None:
    with pytest.raises(ValueError, match="no part"):
        docs.filled("nothing", {"values": "x"})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(path))
    gone = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not gone


def test_the_guide_names_every_hook() -> None:
    from tradectl.strategy.loader import HOOK_NAMES

    page = text_of(ROOT / "docs" / "strategies.md")
    assert not [name for name in HOOK_NAMES if f"`{name}(" not in page]


def test_the_decisions_are_numbered() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert [name[:4] for name in names] == [f"{n:04d}" for n in range(1, len(names) + 1)]


def readme_commands() -> list[list[str]]:
    """Return the commands of the README's "Commands" part."""
    part = text_of(README).partition("## Commands\n```sh\n")[2].partition("```")[0]
    return [shlex.split(line, comments=True)[1:] for line in part.splitlines()]


@pytest.mark.skipif(DISABLE_JIT, reason="commands of the README take long in plain Python")
def test_the_readme_commands_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("configs", "strategies", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    program = Program(capsys)
    for words in readme_commands():
        done = program(*words)
        assert done.code == 0, (words, done.err)
        assert done.out
