"""A field of WORLD hides the attribute of `ctx` of the same name in compiled hooks; it must be the same thing."""

from __future__ import annotations

from tradectl.core.layout import WORLD
from tradectl.strategy.context import ATTRIBUTES, METHODS

SAME = {"n_instruments"}


def test_no_field_hides_what_ctx_shows() -> None:
    assert {*ATTRIBUTES, *METHODS} & set(WORLD.names or ()) == SAME
