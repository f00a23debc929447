"""The compiled loop that cuts crops from a volume.

Importing this module compiles the function, or loads it from numba's cache.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]

_f4, _i8 = types.float32, types.int64


def _in(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


@compiled(_in(_f4, 4), *3 * [_in(_i8, 1)], _i8, *2 * [_in(_f4, 1)], types.Array(_f4, 2, "C"))
def cut(
    channels: Array,
    first: Array,
    start: Array,
    step: Array,
    side: int,
    mean: Array,
    scale: Array,
    out: Array,
) -> None:
    """Write (value - mean) * scale of the voxels from ``first`` on, periodically, to ``out``.

    Voxel first + (a, b, c) goes to index sum(start + step * (a, b, c)) of the flat crop, shape
    (channels, S^3). The volume is read in memory order; the crop, which is small, is written in
    any order.
    """
    size = channels.shape[1]
    for channel in range(channels.shape[0]):
        less, times = mean[channel], scale[channel]
        crop = out[channel]
        for a in range(side):
            for b in range(side):
                row = channels[channel, (first[0] + a) % size, (first[1] + b) % size]
                place = start[0] + start[1] + start[2] + step[0] * a + step[1] * b
                done = 0
                while done < side:  # up to the end of the box, then from its beginning
                    begin = (first[2] + done) % size
                    number = min(side - done, size - begin)
                    run, at = row[begin : begin + number], place + step[2] * done
                    if step[2] == 1:
                        line = crop[at : at + number]
                        for c in range(number):
                            line[c] = (run[c] - less) * times
                    else:
                        for c in range(number):
                            crop[at + step[2] * c] = (run[c] - less) * times
                    done += number
