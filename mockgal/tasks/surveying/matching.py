"""Samples of the number density of another catalogue."""

from __future__ import annotations

from pathlib import Path

from ...errors import warn
from ...selection.ranks import to_density, volume_of
from ...types import GalaxyCatalog
from ..measure import look

_SAME_REDSHIFT = 0.01


def match_density(galaxies: GalaxyCatalog, path: Path) -> GalaxyCatalog:
    """Return the galaxies of the highest stellar mass, down to the number density of others.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    path : Path
        A mock in a periodic box, or a hydrodynamic run.

    Returns
    -------
    GalaxyCatalog
        See `mockgal.selection.ranks.to_density`; the entry of ``provenance["cuts"]`` says whose
        density it is.

    Raises
    ------
    MockgalError
        The others cannot be read, or are not in a box; or there are too few galaxies.

    Warns
    -----
    MockgalWarning
        The redshifts differ.
    """
    others = look(path).galaxies
    volume = volume_of(others.snapshot)
    own, other = galaxies.snapshot.redshift, others.snapshot.redshift
    if abs(own - other) > _SAME_REDSHIFT:
        warn(
            f"the number density is that of galaxies at redshift {other:.4g}, for galaxies at "
            f"redshift {own:.4g}",
        )
    chosen = to_density(galaxies, len(others) / volume)
    *before, entry = chosen.provenance["cuts"]
    matched = {
        "simulation": others.snapshot.name,
        "redshift": other,
        "galaxies": len(others),
        "volume_mpc3_h3": volume,
        "content_digest": others.digest(),
        "cuts": [cut.get("cut") for cut in others.provenance.get("cuts", [])],
    }
    return chosen.with_provenance(cuts=[*before, {**entry, "matched_to": matched}])
