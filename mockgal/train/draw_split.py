"""A picture of a split: the matter of a volume, and where regions are held out of it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from .samples import BUFFER, PARTS, TEST, VALIDATION, Samples
from .split import Region, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {TEST: "tab:red", VALIDATION: "tab:cyan"}
_PANELS = ((0, 1), (0, 2), (1, 2))  # axes across and upwards


def draw_split(samples: Samples, volume: int = 0) -> Figure:
    """The three projections of a volume with its held-out regions, and their buffers dashed.

    Parameters
    ----------
    samples : Samples
        With the split in their record.
    volume : int
        Number of the volume.

    Returns
    -------
    Figure
        Of matplotlib; not registered with pyplot, so that there is nothing to close.
    """
    from matplotlib.figure import Figure

    split = Split.from_dict(samples.record["split"])
    box, seen = split.boxes[volume], samples.volumes[volume]
    figure = Figure(figsize=(12.0, 4.6), layout="constrained")
    panels = figure.subplots(1, 3)
    mean = [np.mean(seen.channels[0], axis=axis, dtype=np.float64) for axis in range(3)]
    here = samples.volume == volume
    for axes, (across, up) in zip(panels, _PANELS, strict=True):
        axes.imshow(
            mean[3 - across - up].T,
            origin="lower",
            extent=(0.0, seen.box_size, 0.0, seen.box_size),
            cmap="gray_r",
        )
        for region in box.regions:
            grown = region.grown(split.buffer, box.grid_size)
            for shown, style in ((region, "-"), (grown, "--")):
                _frame(axes, shown, (across, up), seen.voxel_size, box.grid_size, linestyle=style)
        axes.set(
            xlabel=f"{'xyz'[across]} [Mpc/h]",
            ylabel=f"{'xyz'[up]} [Mpc/h]",
            xlim=(0, seen.box_size),
            ylim=(0, seen.box_size),
        )
    for part, name in PARTS.items():
        number = int(np.sum(here & (samples.part == part)))
        style = "--" if part not in _COLOURS else "-"
        label = f"{name}: {number} subhalos"
        panels[0].plot(
            [],
            [],
            style,
            color=_COLOURS.get(part, "0.4" if part == BUFFER else "none"),
            label=label,
        )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"{seen.name}, redshift {seen.redshift:.3g}: mean of log mass per voxel, and the regions "
        f"held out with buffers of {split.buffer} voxels (dashed)"
    )
    return figure


def _frame(
    axes: Axes,
    region: Region,
    plane: tuple[int, int],
    voxel_size: float,
    grid_size: int,
    **style: Any,
) -> None:
    """The outline of a region in a projection, with its periodic images."""
    from matplotlib.patches import Rectangle

    (x, y), (width, height) = (
        [voxel_size * of[axis] for axis in plane] for of in (region.corner, region.size)
    )
    for shift_x, shift_y in product((0.0, -grid_size * voxel_size), repeat=2):
        axes.add_patch(
            Rectangle(
                (x + shift_x, y + shift_y),
                width,
                height,
                fill=False,
                linewidth=1.5,
                color=_COLOURS[region.part],
                **style,
            )
        )
