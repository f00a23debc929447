"""DESI: catalogues of large-scale structure, and the columns that its mocks on the sky have.

Names follow desihub/desidatamodel (``{TARGET}_{NGC|SGC}_clustering.dat.fits``). ``STATUS`` has the
bits that desihub/LSS asks of mocks on the sky.
"""

from __future__ import annotations

import numpy as np

from ...types import Array
from .declared import Derived, Model, ModelColumn, constant, identity

IN_N_OF_Z, IN_FOOTPRINT, IN_MAIN = 1, 2, 8  # bits of STATUS; 4 is the footprint of SV3
_NZ = {"edr": "NZ"}


def desi(release: str) -> Model:
    """Return the data model of a release: ``"dr1"``, or ``"edr"``, which says NZ for NX."""
    columns = (
        ModelColumn(
            "TARGETID",
            "id of the target: of a galaxy in one copy of the box",
            make=lambda derived: derived.target_ids,
            expression="keyed by galaxy_id and copy, bit 58 set",
            dtype="<i8",
        ),
        ModelColumn("RA", "right ascension", ("ra",)),
        ModelColumn("DEC", "declination", ("dec",)),
        ModelColumn("Z", "observed redshift", ("redshift_measured", "redshift")),
        ModelColumn("Z_COSMO", "redshift of the expansion alone", ("redshift_cosmological",)),
        ModelColumn(
            "STATUS",
            "bits: 1 and 8 in the sample of n(z), 2 in the footprint",
            make=_status,
            expression="1 + 8 after the step n(z), 2 after a footprint",
            dtype="<i8",
        ),
        ModelColumn(
            _NZ.get(release, "NX"),
            "comoving number density of the complete sample at the redshift",
            ("number_density",),
        ),
        ModelColumn("WEIGHT", "product of all weights but that of FKP", ("weight",)),
        ModelColumn("WEIGHT_COMP", "weight of completeness: all of WEIGHT", ("weight",)),
        constant("WEIGHT_SYS", 1.0, "weight of systematics of the imaging: none in a mock"),
        constant("WEIGHT_ZFAIL", 1.0, "weight of redshift failures: none in a mock"),
        ModelColumn("WEIGHT_FKP", "1 / (1 + n P0)", ("weight_fkp",)),
        *identity(),
    )
    return Model(
        "desi",
        "DESI, clustering catalogues and mocks on the sky",
        "h",
        ("fits", "fits.gz", "hdf5"),
        columns,
        table="LSS",
        release=release,
    )


def _status(derived: Derived) -> Array:
    """Return the bits of all rows: they are those of the steps that were done."""
    steps = set(derived.steps)
    if "randoms" in steps:
        steps |= {"n(z)", "footprint"}
    bits = (IN_N_OF_Z + IN_MAIN) * ("n(z)" in steps) + IN_FOOTPRINT * ("footprint" in steps)
    return np.broadcast_to(np.int64(bits), len(derived.galaxies))
