"""From numba's wall of text to one line with the place in the author's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.strategy.modules import source_line

if TYPE_CHECKING:
    from tradectl.strategy.typed import Fault

__all__ = ["explain"]

PLACE = re.compile(r"at (\S[^\n]*?\.py) \((\d+)\)")
FILE_LINE = re.compile(r'File "([^"\n]*?\.py)", line (\d+)')
NO_MATCH = (
    r"No implementation of function Function\(<{} '?([\w.]+).*? found for signature:\s*>>> [\w.]+\(([^\n]*)\)"
)
CAUSES: tuple[tuple[str, str], ...] = (
    (r"Cannot unify (.+?) and (.+?) for '([^'.]+)", "{2} is {0} in one place and {1} in another: give it one type"),
    (r"Untyped global name '([^']+)': ?(?:Cannot determine Numba type of )?(.*)",
     "{0} ({1}) cannot be used in compiled code; with `jit: false` it can"),
    (r"Unknown attribute '(\w+)' of type Record", "no field {0!r} in this record"),
    (r"Unknown attribute '(\w+)' of type (.+)", "a {1} has no {0!r}"),
    (r"NameError: name '(\w+)' is not defined", "the name {0!r} is not defined"),
    (r"Invalid use of getiter with parameters \((.+)\)", "{0} is nothing to loop over"),
    (NO_MATCH.format("function").replace(r"([\w.]+)", r"(ctx\.\w+)"), "{0} cannot take ({1})"),
    (NO_MATCH.format("built-in function").replace(r"([\w.]+)", "[gs]etitem"), "no such [index] or cell: ({0})"),
    (NO_MATCH.format("(?:built-in function|class)"), "{0} cannot take ({1}) in compiled code"),
    (r"missing a required argument: '(\w+)'", "the argument {0!r} is missing"),
    (r"too many positional arguments", "too many arguments"),
    (r"got an unexpected keyword argument '(\w+)'", "there is no argument {0!r}"),
    (r"No conversion from (.+?) to none for", "a hook returns nothing: write a bare `return`"),
    (NO_MATCH.format("function"), "{0} cannot take ({1}) in compiled code"),
)  # fmt: skip


def _place(error: Any, text: str, sources: Sequence[Path], fn: Callable[..., Any]) -> tuple[str, int]:
    """Return the innermost (file, line) of the author's that the error names."""
    own = {str(path) for path in sources}
    for pattern in (PLACE, FILE_LINE):
        for found in pattern.finditer(text):
            for path in own:
                if path == found[1] or path.endswith("/" + found[1].lstrip("./")):
                    return path, int(found[2])
    loc = getattr(error, "loc", None)
    if loc is not None and str(loc.filename) in own:
        return str(loc.filename), int(loc.line)
    return fn.__code__.co_filename, fn.__code__.co_firstlineno


def _cause(text: str) -> str:
    for pattern, template in CAUSES:
        found = re.search(pattern, text)
        if found:
            return template.format(*(_short(group) for group in found.groups()))
    lines = [line.strip() for line in text.splitlines()]
    told = [
        line for line in lines if line and not line.startswith(("Failed in", "-", "During", "File", ">>>"))
    ]
    return _short(told[0]) if told else "numba cannot compile this"


def _short(text: str) -> str:
    text = re.sub(r"Record\(.*", "record", text)
    text = re.sub(r"Literal\[\w+\]\(([^)]*)\)", r"\1", text)
    return text if len(text) <= 160 else text[:157] + "…"


def explain(
    error: Exception, sources: Sequence[Path], fn: Callable[..., Any], faults: Sequence[Fault]
) -> str:
    """Return `file:line: what is wrong` and the source line; `faults` are our own findings and come first."""
    if faults:
        place, message = (faults[-1].filename, faults[-1].line), faults[-1].message
    else:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
        place, message = _place(error, text, sources, fn), _cause(text)
    return f"{place[0]}:{place[1]}: {message}{source_line(*place)}"
