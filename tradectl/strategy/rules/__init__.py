"""Strategies without code: expressions are read, checked and written out as an ordinary strategy's source.

`tokens` and `parse` make a tree (`tree`) of a text, `lower` looks up its names in the `vocabulary` and turns it
into Python (`terms`) over a state (`state`), `analyse` does so for all expressions of a `ruleset`, and `generate`
writes the class. An expression is never evaluated by Python: what is written out are numbers, operators and names
of the vocabulary, and a fault anywhere means that nothing is written.
"""

from tradectl.strategy.rules.analyse import Analysis, Trouble, analyse
from tradectl.strategy.rules.fault import Fault
from tradectl.strategy.rules.generate import source_of
from tradectl.strategy.rules.parse import parse
from tradectl.strategy.rules.ruleset import RuleParam, RuleSet, Side
from tradectl.strategy.rules.tree import written

__all__ = ["Analysis", "Fault", "RuleParam", "RuleSet", "Side", "Trouble", "analyse", "parse", "source_of", "written"]
