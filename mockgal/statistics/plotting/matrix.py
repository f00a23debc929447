"""A picture of a covariance: its correlation coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .lettering import write_title
from .palette import picture_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..covariance import Covariance

_FEW = 8  # ticks along each side


def correlations(covariance: Covariance) -> Figure:
    """Return a figure of the correlation coefficients between all rows of a covariance.

    Parameters
    ----------
    covariance : Covariance

    Returns
    -------
    matplotlib.figure.Figure
        Rows and columns in the order of the covariance: bin after bin, estimate after estimate.
        Grey is where a row has no scatter.
    """
    n = len(covariance)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.0, 5.2), layout="constrained")
        axes = figure.subplots()
        axes.set_facecolor("0.85")
        image = axes.imshow(
            np.ma.masked_invalid(covariance.correlation), cmap="RdBu_r", vmin=-1, vmax=1
        )
        names = covariance.estimate.tolist()
        starts = [i for i in range(n) if i == 0 or names[i] != names[i - 1]]
        each = max(1, -(-n // _FEW))
        ticks = [i for k, i in enumerate(range(n)) if k % each == 0]
        labels = [f"{covariance.abscissa[i]:.3g}" for i in ticks]
        axes.set_xticks(ticks, labels, rotation=45)
        axes.set_yticks(ticks, labels)
        for start in starts[1:]:
            axes.axhline(start - 0.5, color="black", linewidth=0.8)
            axes.axvline(start - 0.5, color="black", linewidth=0.8)
        for start, stop in zip(starts, [*starts[1:], n], strict=True):
            axes.text((start + stop - 1) / 2, -0.8, names[start], ha="center", va="bottom")
        unit = covariance.axis_unit.replace("littleh", "h").replace(" ", "")
        label = f"{covariance.axis} [{unit}]" if unit else covariance.axis
        axes.set_xlabel(label)
        axes.set_ylabel(label)
        figure.colorbar(image, ax=axes, label="correlation coefficient")
        what = "mocks" if covariance.source == "mocks" else "jackknife sub-volumes"
        write_title(figure, [covariance.statistic, f"{covariance.number} {what}"])
    return figure
