"""Pre-trade checks, position sizing, drawdown limits and the trading state: pure kernels."""
