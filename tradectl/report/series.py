"""Long series made short: MinMax-LTTB keeps what the eye sees of them, and the page carries compact bytes.

The page shows some thousand points of a series at a time and picks them anew from what is packed here at
every zoom, so a zoomed chart stays sharp. Source: J. Van Der Donckt et al., MinMaxLTTB, 2023.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MOST", "pack", "pick"]

MOST = 60_000  # points of a series that a page carries; 8 bytes each
MS = 1_000_000  # ns
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def pick(ts: Ints, values: Floats, most: int = MOST) -> Ints:
    """Return the places of at most `most` points that stand for a series (ns, values; no NaN).

    The highest and the lowest are always among them; MinMaxLTTB alone may leave one out.
    """
    if len(ts) <= most:
        return np.arange(len(ts))
    from tsdownsample import MinMaxLTTBDownsampler

    sampler: Any = MinMaxLTTBDownsampler
    found = sampler().downsample(np.ascontiguousarray(ts), np.ascontiguousarray(values), n_out=most - 2, parallel=False)
    return np.union1d(found.astype(np.int64), [np.argmin(values), np.argmax(values)])


def pack(ts: Ints, values: Floats, extra: Floats | None = None, most: int = MOST) -> dict[str, Any]:
    """Return a series as bytes: `t` uint32 steps of `q` ms after `t0` (ms), `y` float32 above `y0`.

    `extra` (float32, `c`) is a third column, a quantity. Offsets keep seven digits of the range, not of the level.
    """
    at = pick(ts, values, most)
    ts, values = ts[at], values[at]
    if not len(ts):
        return {"t": "", "y": "", "t0": 0, "q": 1, "y0": 0.0, "n": 0}
    first, ms = int(ts[0]) // MS, (ts // MS) - int(ts[0]) // MS
    step = 1
    while int(ms[-1]) // step >= 2**32:
        step *= 10
    finite = values[np.isfinite(values)]
    base = float(finite[0]) if len(finite) else 0.0
    made: dict[str, Any] = {"t0": first, "q": step, "y0": base, "n": len(ts)}
    made |= {"t": _bytes(ms // step, "<u4"), "y": _bytes(values - base, "<f4")}
    if extra is not None:
        made["c"] = _bytes(extra[at], "<f4")
    return made


def _bytes(values: npt.NDArray[Any], dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode("ascii")
