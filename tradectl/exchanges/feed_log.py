"""What happened to the feeds of a session: notes of every kind, and the intervals in which something was not there."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.exchanges.model import FeedNote

__all__ = ["FeedLog"]

NOTES = 10_000  # notes, and interruptions, that are kept; all are counted
CARRIED = 200  # newest notes that a session which goes on still has
UNHEARD = ("lost", "stale")  # notes of a channel that tells nothing until it is connected


class FeedLog:
    """Notes and interruptions, the newest last; an interruption's `until_ns` is 0 as long as it lasts.

    `noted` counts each kind of note, `recalled` of them are from before this process, `lags` takes every message's
    receive time minus the venue's time (ns).
    """

    def __init__(self) -> None:
        self.notes: deque[FeedNote] = deque(maxlen=NOTES)
        self.interruptions: deque[FeedNote] = deque(maxlen=NOTES)
        self.noted: Counter[str] = Counter()
        self.recalled = 0
        self.lags: Callable[[npt.NDArray[np.int64]], None] = lambda lags: None

    def note(self, note: FeedNote) -> None:
        """Keep a note; one of a channel that is connected ends what was not heard of it."""
        self.notes.append(note)
        self.noted[note.what] += 1
        if note.what in UNHEARD and note.channel:
            self.interruptions.append(note)
        elif note.what == "connected":
            for one in [one for one in self.interruptions if not one.until_ns and one.what in UNHEARD]:
                if (one.exchange, one.symbol, one.channel) == (note.exchange, note.symbol, note.channel):
                    self.end(one, note.ts_ns)

    def interrupted(self, note: FeedNote) -> None:
        """Keep the note of a gap that the journal has."""
        self.note(note)
        self.interruptions.append(note)

    def end(self, note: FeedNote, until_ns: int) -> None:
        """Put the end of an interruption into its note, wherever that is still kept."""
        for kept in (self.notes, self.interruptions):
            for place in range(len(kept) - 1, -1, -1):
                if kept[place] == note:
                    kept[place] = replace(note, until_ns=until_ns)
                    break

    def kept(self) -> dict[str, Any]:
        """Return what a session that goes on still has to know; notes as they are, for they do not change."""
        notes = list(self.notes)[-CARRIED:]
        return {"noted": dict(self.noted), "notes": notes, "interruptions": list(self.interruptions)}

    def take_up(self, kept: Mapping[str, Any]) -> None:
        """Put what was kept before everything that is here; notes are mappings of their fields."""
        notes = [FeedNote(**one) for one in kept["notes"]]
        interruptions = [FeedNote(**one) for one in kept["interruptions"]]
        self.notes.extendleft(reversed(notes))
        self.interruptions.extendleft(reversed(interruptions))
        self.noted.update(kept["noted"])
