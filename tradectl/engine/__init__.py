"""The fold: `step` for one event, `advance` for a slice, and the host that drives them."""
