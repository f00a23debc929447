"""Draw a split: the matter of each volume, with its held-out regions."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ...statistics.plotting.lettering import elided, legible, write_below, write_title
from ...statistics.plotting.palette import BLUE, NOTE, VERMILLION, picture_style
from ..data.samples import BUFFER, PARTS, TEST, VALIDATION, Samples
from ..data.split import Region, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_VOLUMES = 8  # most volumes in one picture
_LOOKS = {TEST: (VERMILLION, "//"), VALIDATION: (BLUE, "..")}
_LONGEST, _LEGEND = 60, 0.45  # characters of a name; height of the legend [inches]
_TITLE = ("Regions held out of training", "grey: mean log matter per voxel along the line of sight")
_PANELS = ((0, 1), (0, 2), (1, 2))  # axes across and upwards


def draw_split(samples: Samples) -> Figure:
    """Draw each volume along its axes, with its held-out regions, and their buffers dashed.

    Parameters
    ----------
    samples : Samples
        Samples with the split in their record.

    Returns
    -------
    Figure
        A matplotlib figure that is not registered with pyplot, so that it need not be closed. It
        has a row for each of the first `MOST_VOLUMES` volumes.
    """
    with picture_style():
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        split = Split.from_dict(samples.record["split"])
        drawn = min(len(samples.volumes), MOST_VOLUMES)
        figure = Figure(figsize=(12.0, 4.5 * drawn), layout="constrained")
        write_title(figure, _TITLE, fontsize=12)
        rows = figure.subfigures(drawn, 1, squeeze=False)[:, 0]
        for number, row in enumerate(rows):
            _draw_volume(row, samples, split, number)
        keys = [Patch(**_style(look), label=PARTS[part]) for part, look in _LOOKS.items()]
        if split.kind != "box":
            label = f"{PARTS[BUFFER]} of {split.buffer} voxels on each side, not used"
            keys.append(Patch(**_style((NOTE, ""), buffer=True), label=label))
        left_out = len(samples.volumes) - drawn
        notes = [f"{left_out} more boxes are not drawn"] if left_out else []
        below = write_below(figure, notes, above=_LEGEND, fontsize=9)
        place = (0.5, below / figure.get_figheight())
        figure.legend(
            handles=keys,
            loc="lower center",
            bbox_to_anchor=place,
            ncols=len(keys),
            handlelength=3.0,
            handleheight=1.2,
        )
    return figure


def _draw_volume(figure: Any, samples: Samples, split: Split, number: int) -> None:
    """Draw one row: a volume seen along each axis."""
    box, seen = split.boxes[number], samples.volumes[number]
    part = samples.part[samples.volume == number]
    counts = [f"{name} {np.count_nonzero(part == k):,}" for k, name in PARTS.items()]
    figure.suptitle(
        f"{elided(legible(seen.name), _LONGEST)}, box {seen.box_size:.5g} Mpc/h, redshift "
        f"{round(seen.redshift, 6) + 0.0:.4g}; subhalos: {', '.join(counts)}",
        fontsize=10,
        parse_math=False,  # a name may contain dollar signs
    )
    for axes, (across, up) in zip(figure.subplots(1, 3), _PANELS, strict=True):
        axes.imshow(
            np.mean(seen.channels[0], axis=3 - across - up, dtype=np.float64).T,
            origin="lower",
            extent=(0.0, seen.box_size, 0.0, seen.box_size),
            cmap="gray_r",
        )
        for region in box.regions:
            grown = region.grown(split.buffer, box.grid_size)
            shown = (region,) if split.kind == "box" else (region, grown)
            for one in shown:
                style = _style(_LOOKS[region.part], buffer=one is grown)
                _frame(axes, one, (across, up), seen.voxel_size, box.grid_size, **style)
        axes.set(
            title=f"seen along {'xyz'[3 - across - up]}",
            xlabel=f"${'xyz'[across]}$ [Mpc/$h$]",
            ylabel=f"${'xyz'[up]}$ [Mpc/$h$]",
            xlim=(0, seen.box_size),
            ylim=(0, seen.box_size),
        )


def _style(look: tuple[str, str], *, buffer: bool = False) -> dict[str, Any]:
    colour, hatch = look
    return {
        "edgecolor": colour,
        "facecolor": (colour, 0.05 if buffer else 0.25),
        "hatch": "" if buffer else hatch,
        "linestyle": "--" if buffer else "-",
        "linewidth": 1.5,
    }


def _frame(
    axes: Axes,
    region: Region,
    plane: tuple[int, int],
    voxel_size: float,
    grid_size: int,
    **style: Any,
) -> None:
    """Draw a region in a projection, with its periodic images."""
    from matplotlib.patches import Rectangle

    # A region that spans a whole axis has no edge there.
    first = [0 if region.size[a] == grid_size else region.corner[a] for a in plane]
    x, y = (voxel_size * corner for corner in first)
    width, height = (voxel_size * region.size[a] for a in plane)
    for shift_x, shift_y in product((0.0, -grid_size * voxel_size), repeat=2):
        axes.add_patch(
            Rectangle(
                (x + shift_x, y + shift_y),
                width,
                height,
                **style,
            )
        )
