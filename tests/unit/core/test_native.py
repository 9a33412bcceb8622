"""Kept machine code: what is written is what runs; what is damaged, missing or not self-contained is not used."""

from __future__ import annotations

from pathlib import Path

import pytest
from numba import types

from tradectl.core import native
from tradectl.core.compiler import compile_to_address, words
from tradectl.core.jit import DISABLE_JIT

pytestmark = pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")


def add_and_subtract(a, b):
    return a + b, a - b


def element_of(x):
    return [x, x + 1][x % 2]


def test_kept_code_gives_what_compiled_code_gives(tmp_path: Path) -> None:
    made = compile_to_address(add_and_subtract, words(2, 2), tmp_path / "cache", error_model="numpy")
    assert made.code is not None
    path = tmp_path / "sub" / "f.code"
    assert native.load(path) is None
    native.save(path, made.symbol, made.code)
    kept = native.load(path)
    assert kept is not None
    assert kept != made.address
    assert native.load(path) == kept
    for address in (made.address, kept):
        assert native.caller(address, 2, 2)(2**62, -5) == (2**62 - 5, 2**62 + 5)


@pytest.mark.parametrize("cut", [0, 8, 40, -1])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "f.code"
    native.save(path, "f", b"x" * 100)
    path.write_bytes(path.read_bytes()[:cut])
    assert native.load(path) is None


def test_a_folder_that_refuses_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    native.save(tmp_path / "file" / "f.code", "f", b"x")


def test_code_that_needs_the_compilers_own_functions_is_not_kept(tmp_path: Path) -> None:
    signature = types.int64(types.int64)
    made = compile_to_address(element_of, signature, tmp_path, error_model="numpy")  # a list is allocated
    assert made.code is None
    assert native.caller(made.address, 1, 1)(7) == 8
    again = compile_to_address(element_of, signature, tmp_path, error_model="numpy")
    assert again.was_cached
