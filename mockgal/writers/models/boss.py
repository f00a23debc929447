"""BOSS and eBOSS: catalogues of large-scale structure (Reid et al. 2016, arXiv:1509.06529).

The weight of a galaxy is WEIGHT_SYSTOT (WEIGHT_CP + WEIGHT_NOZ - 1).
"""

from __future__ import annotations

from .declared import Model, ModelColumn, constant, identity


def boss() -> Model:
    """Return the data model."""
    columns = (
        ModelColumn("RA", "right ascension", ("ra",)),
        ModelColumn("DEC", "declination", ("dec",)),
        ModelColumn("Z", "observed redshift", ("redshift_measured", "redshift")),
        ModelColumn("NZ", "comoving number density at the redshift", ("number_density",)),
        ModelColumn("WEIGHT_FKP", "1 / (1 + n P0)", ("weight_fkp",)),
        ModelColumn("WEIGHT_CP", "weight of close pairs: all that mockgal weights", ("weight",)),
        constant("WEIGHT_NOZ", 1.0, "weight of redshift failures: none in a mock"),
        constant("WEIGHT_SYSTOT", 1.0, "weight of systematics of the imaging: none in a mock"),
        *identity(),
    )
    return Model("boss", "BOSS and eBOSS, galaxies and randoms", "h", ("fits", "fits.gz"), columns)
