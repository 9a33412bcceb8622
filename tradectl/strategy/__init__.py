"""What a strategy author uses: the decorator, parameters, state, indicators; and the loader behind them."""
