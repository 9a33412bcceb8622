"""The sandbox exchange: a local server that speaks the protocols of real venues, with faults on demand."""

from tradectl.exchanges.sandbox.fault import Fault
from tradectl.exchanges.sandbox.server import Sandbox
from tradectl.exchanges.sandbox.sources import Source, synthetic

__all__ = ["Fault", "Sandbox", "Source", "synthetic"]
