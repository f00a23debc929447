"""Draw docs/images/demo.png from the demo, painted twice: python docs/make_picture.py."""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import mockgal
from mockgal.statistics.plotting.log_axes import readable
from mockgal.statistics.plotting.palette import BLUE, NOTE, VERMILLION, picture_style

HERE = Path(__file__).parent
DEPTH = 8.0  # thickness of the slab that is shown [Mpc/h]
KINDS = ((True, BLUE, "o", "central"), (False, VERMILLION, "D", "satellite"))


def main() -> None:
    """Draw the picture."""
    sim = mockgal.read(HERE.parent / "catalogs/demo/dark.hdf5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
        mocks = {name: mockgal.paint(sim, name, seed=1) for name in ("hod", "cnn")}
    mock = mocks["hod"]
    size, bins = sim.snapshot.box_size, 160
    matter = np.zeros((bins, bins))
    for chunk in sim.particles.chunks():
        x, y, z = chunk.position.T
        here = z < DEPTH
        matter += np.histogram2d(
            x[here], y[here], bins=bins, range=[[0, size]] * 2, weights=chunk.mass[here]
        )[0]
    matter = gaussian_filter(matter, 1.0, mode="wrap") / (size / bins) ** 2

    figure = Figure(figsize=(15, 5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
    right.sharex(middle)
    right.sharey(middle)
    image = left.imshow(
        matter.T,
        origin="lower",
        extent=[0, size, 0, size],
        cmap="gray_r",
        norm=LogNorm(1e11, 10.0 * matter.max(), clip=True),
    )
    label = r"dark matter [$h\,M_\odot\,{\rm Mpc}^{-2}$]"
    readable(figure.colorbar(image, ax=left, label=label, shrink=0.85).ax.yaxis)
    slab = mock["position_z"] < DEPTH
    for central, colour, marker, label in KINDS:
        chosen = slab & (mock["is_central"] == central)
        left.scatter(
            mock["position_x"][chosen],
            mock["position_y"][chosen],
            s=25 * (mock["stellar_mass"][chosen] / 1e10) ** 0.6,
            marker=marker,
            facecolors="none",
            edgecolors=colour,
            linewidths=1.0,
            label=f"painted {label}",
        )
    left.set(
        xlabel=r"$x$ [Mpc/$h$]",
        ylabel=r"$y$ [Mpc/$h$]",
        title=f"Painter hod, slab of {DEPTH:g} Mpc/h; size: stellar mass",
    )
    left.legend(loc="upper right", fontsize=8, framealpha=0.9)

    for axes, (name, mock) in zip((middle, right), mocks.items(), strict=True):
        for central, colour, marker, label in reversed(KINDS):
            chosen = mock["is_central"] == central
            axes.loglog(
                mock["halo_mass"][chosen],
                mock["stellar_mass"][chosen],
                marker,
                ms=3,
                color=colour,
                label=f"{label}s",
                alpha=0.7,
            )
        readable(axes.xaxis)
        readable(axes.yaxis)
        floor = mock.provenance["painter"]["luminosity_floor_msun_h"]
        axes.axhline(floor, color=NOTE, ls="--", lw=1, label="luminosity floor")
        axes.set(
            xlabel=r"host halo mass $M_{200c}$ [$M_\odot/h$]",
            title=f"Painter {name}: {len(mock)} galaxies on {len(sim.halos)} subhalos",
        )
    middle.set_ylabel(r"painted stellar mass [$M_\odot/h$]")
    middle.legend(fontsize=8, loc="upper left")
    figure.savefig(HERE / "images/demo.png", dpi=110)


if __name__ == "__main__":
    with picture_style():
        main()
