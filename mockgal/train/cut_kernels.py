"""The compiled loop that cuts crops out of a volume.

Importing this module compiles the function, or loads it from numba's cache.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numpy.typing import NDArray

from ..parallel import compiled

Array = NDArray[Any]

_f4, _i8 = types.float32, types.int64


def _in(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


@compiled(_in(_f4, 4), *2 * [_in(_i8, 2)], *2 * [_in(_f4, 1)], types.Array(_f4, 2, "C"))
def cut(
    channels: Array, source: Array, place: Array, mean: Array, scale: Array, out: Array
) -> None:
    """(value - mean) * scale of the voxels (i, j, k) = (source[0, a], source[1, b], source[2, c]).

    They go to place[0, a] + place[1, b] + place[2, c] of the flat crop, shape (channels, S^3): the
    volume is read in its own order, and the crop, which is small, is written in any.
    """
    side = source.shape[1]
    for channel in range(channels.shape[0]):
        for a in range(side):
            for b in range(side):
                row = channels[channel, source[0, a], source[1, b]]
                first = place[0, a] + place[1, b]
                for c in range(side):
                    value = (row[source[2, c]] - mean[channel]) * scale[channel]
                    out[channel, first + place[2, c]] = value
