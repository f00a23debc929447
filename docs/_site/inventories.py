"""Where other packages document what our docstrings name: inventories of our own, of few names.

Sphinx would fetch each package's inventory at every build, and warn without a network. These are
written on the spot from the table below, so that a build is the same anywhere, and links lead to
the packages' stable pages.
"""

from __future__ import annotations

import zlib
from pathlib import Path

# package: (address, page of a name with {} for it, names by their kind)
PACKAGES = {
    "python": (
        "https://docs.python.org/3/",
        "library/{}.html",
        {"class": {"pathlib.Path": "pathlib", "os.PathLike": "os"}},
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        "reference/generated/{}.html",
        {"class": dict.fromkeys(["numpy.ndarray"])},
    ),
    "astropy": (
        "https://docs.astropy.org/en/stable/",
        "api/{}.html",
        {
            "class": dict.fromkeys(
                ["astropy.table.Table", "astropy.table.QTable", "astropy.units.Unit"]
            ),
            "data": {"astropy.cosmology.units.littleh": "astropy.cosmology.units.littleh"},
        },
    ),
    "scipy": (
        "https://docs.scipy.org/doc/scipy/",
        "reference/generated/{}.html",
        {"function": dict.fromkeys(["scipy.fft.rfftn"])},
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        "generated/{}.html",
        {"class": dict.fromkeys(["torch.nn.Module"])},
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        "api/_as_gen/{}.html",
        {
            "class": dict.fromkeys(["matplotlib.axes.Axes"]),
            "method": dict.fromkeys(["matplotlib.axes.Axes.errorbar"]),
        },
    ),
    "halotools": (
        "https://halotools.readthedocs.io/en/latest/",
        "api/{}.html",
        {"class": dict.fromkeys(["halotools.empirical_models.HodModelFactory"])},
    ),
}


def written(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the inventories into a folder, and return Sphinx's ``intersphinx_mapping``.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.

    Returns
    -------
    dict of str to (address, path)
    """
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for package, (address, page, kinds) in PACKAGES.items():
        rows = [
            f"{name} py:{kind} 1 {page.format(own or name)}#$ -"
            for kind, names in kinds.items()
            for name, own in names.items()
        ]
        head = f"# Sphinx inventory version 2\n# Project: {package}\n# Version: stable\n"
        head += "# The remainder of this file is compressed using zlib.\n"
        path = folder / f"{package}.inv"
        path.write_bytes(head.encode() + zlib.compress("\n".join(rows).encode()))
        mapping[package] = (address, str(path))
    return mapping
