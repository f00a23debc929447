"""Draw docs/images/statistics.png from the demo mock: python docs/make_statistics_picture.py."""

import warnings
from pathlib import Path

from matplotlib.figure import Figure

import mockgal
from mockgal.statistics.plotting.palette import picture_style

HERE = Path(__file__).parent
SHOWN = ("power", "wp", "mass_function", "stellar_to_halo", "occupation", "pdf")


def main() -> None:
    """Draw the picture."""
    sim = mockgal.read(HERE.parent / "catalogs/demo/dark.hdf5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
        mock = mockgal.paint(sim, "hod", seed=1)
    figure = Figure(figsize=(14, 8), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).flat, SHOWN, strict=True):
        mockgal.measure(mock, name, hosts=sim.halos).plot(axes)
        axes.set_title(name, fontsize=10, family="monospace")
    figure.savefig(HERE / "images/statistics.png", dpi=90)


if __name__ == "__main__":
    with picture_style():
        main()
