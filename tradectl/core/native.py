"""Machine code in files of our own: a run that finds its code there neither imports nor starts the compiler.

A file holds a digest of the rest, the function's symbol, and an object file that needs nothing but the C
library. Functions follow numba's calling convention: int32 status (result*, error*, arguments…).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["caller", "in_c_library", "load", "save"]

DIGEST = 16  # bytes
_loaded: dict[Path, int] = {}
_engines: list[Any] = []  # code lives as long as its engine


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def in_c_library(name: str) -> bool:
    """Return whether any process finds a function of this name: the C library's, not the compiler's own."""
    return not name.startswith(("Py", "_Py")) and hasattr(_c_library(), name)


def save(path: Path, symbol: str, code: bytes) -> None:
    """Write an object file with the symbol of its function; a folder that refuses it costs time only."""
    content = symbol.encode() + b"\0" + code
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.blake2b(content, digest_size=DIGEST).digest() + content)
        os.replace(file.name, path)
    except OSError:
        return


def load(path: Path) -> int | None:
    """Return the address of the function in a file, or None if the file is not there or damaged."""
    if path not in _loaded:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, content = content[:DIGEST], content[DIGEST:]
        if hashlib.blake2b(content, digest_size=DIGEST).digest() != digest:
            return None
        symbol, _, code = content.partition(b"\0")
        _loaded[path] = _link(symbol.decode(), code)
    return _loaded[path]


def _link(symbol: str, code: bytes) -> int:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(symbol))


def caller(address: int, arguments: int, results: int) -> Callable[..., Any]:
    """Return what calls a function of `arguments` int64 without the interpreter's lock.

    It returns one int, or a tuple of `results`. Kernels do not raise, so the status says nothing.
    """
    pointer, word = ctypes.c_void_p, ctypes.c_int64
    call = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *[word] * arguments)(address)
    made = word * results

    byref = ctypes.byref

    def call_words(*args: int) -> Any:
        result = made()
        call(byref(result), byref(pointer()), *args)
        return result[0] if results == 1 else tuple(result)

    return call_words
