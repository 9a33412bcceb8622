"""From a venue's order id, any int64, to its slot: open addressing, linear probing, deletion by shifting back.

At most half of the places are taken, so every probe ends.
"""

from __future__ import annotations

from tradectl.core.jit import kernel
from tradectl.core.l3_layout import id_at, l3_at

__all__ = ["add_id", "drop_id", "home_of_id", "slot_of_id"]

@kernel
def home_of_id(order_id: int, mask: int) -> int:
    """Return the place where the search for an id begins: by its low bits, since venues count their ids up.

    The orders of one time then lie side by side, and those in use in the cache.
    """
    return order_id & mask


@kernel
def slot_of_id(l3: int, order_id: int) -> int:
    """Return the slot of a recorded order, 0 when its id is not known."""
    state = l3_at(l3, 0)
    table, mask = l3 + state.ids, state.id_mask
    place = home_of_id(order_id, mask)
    while id_at(table, place).slot != 0 and id_at(table, place).id != order_id:
        place = (place + 1) & mask
    return int(id_at(table, place).slot)


@kernel
def add_id(l3: int, order_id: int, slot: int) -> None:
    """Enter an id that is not in the table; there is room for it."""
    state = l3_at(l3, 0)
    table, mask = l3 + state.ids, state.id_mask
    place = home_of_id(order_id, mask)
    while id_at(table, place).slot != 0:
        place = (place + 1) & mask
    entry = id_at(table, place)
    entry.id = order_id
    entry.slot = slot


@kernel
def drop_id(l3: int, order_id: int) -> None:
    """Take out an id that is in the table, shifting back what was pushed on by it."""
    state = l3_at(l3, 0)
    table, mask = l3 + state.ids, state.id_mask
    hole = home_of_id(order_id, mask)
    while id_at(table, hole).id != order_id or id_at(table, hole).slot == 0:
        hole = (hole + 1) & mask
    probe = (hole + 1) & mask
    while id_at(table, probe).slot != 0:
        entry = id_at(table, probe)
        if ((probe - home_of_id(entry.id, mask)) & mask) >= ((probe - hole) & mask):
            target = id_at(table, hole)
            target.id = entry.id
            target.slot = entry.slot
            hole = probe
        probe = (probe + 1) & mask
    last = id_at(table, hole)
    last.id = 0
    last.slot = 0
