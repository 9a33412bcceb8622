"""tradectl: backtest and paper-trade Python strategies on one set of compiled kernels."""

__version__ = "0.1.0"
