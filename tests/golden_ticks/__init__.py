"""Golden scripts of the fill contract's rules for tick data."""
