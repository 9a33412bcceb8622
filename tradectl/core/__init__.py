"""Pure computation in numba: domain types, validation, matching, accounts. No I/O, no allocation."""
