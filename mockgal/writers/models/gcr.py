"""LSST DESC: the schema of extragalactic catalogues of GCRCatalogs (``GCRCatalogs/SCHEMA.md``).

Units are free of h: comoving Mpc from the observer, solar masses, peculiar km/s. There is no
lensing, so that ``ra_true`` is ``ra``. In a light cone with copies of the box, `galaxy_id` and
`halo_id` are those of one copy, as the schema asks for unique ones; those of the simulation are
native quantities.
"""

from __future__ import annotations

from functools import partial

from .declared import Derived, Model, ModelColumn


def gcr() -> Model:
    """Return the data model."""
    keyed = partial(ModelColumn, copies=True, dtype="<i8")
    columns = (
        ModelColumn("galaxy_id", "id of the galaxy", ("galaxy_id",), copies=False),
        ModelColumn("halo_id", "id of its main halo", ("halo_id",), copies=False),
        keyed(
            "galaxy_id",
            "id of the galaxy in one copy of the box",
            make=lambda derived: derived.ids[0],
            expression="keyed by galaxy_id and copy",
        ),
        keyed(
            "halo_id",
            "id of its main halo in one copy of the box",
            make=lambda derived: derived.ids[1],
            expression="keyed by halo_id and copy",
        ),
        ModelColumn("is_central", "true for the central galaxy of the main halo", ("is_central",)),
        ModelColumn("ra", "right ascension, lensed: there is no lensing", ("ra",)),
        ModelColumn("dec", "declination, lensed: there is no lensing", ("dec",)),
        ModelColumn("ra_true", "right ascension, not lensed", ("ra",)),
        ModelColumn("dec_true", "declination, not lensed", ("dec",)),
        ModelColumn("redshift", "cosmological redshift with line-of-sight motion", ("redshift",)),
        ModelColumn("redshift_true", "cosmological redshift", ("redshift_cosmological",)),
        *(
            ModelColumn(
                f"position_{x}",
                f"comoving position from the observer, {x} axis: Mpc, that is Mpc/h over h",
                (f"position_{x}",),
                expression=f"position_{x} - observer",
                origin=partial(_observer, axis),
            )
            for axis, x in enumerate("xyz")
        ),
        *(
            ModelColumn(f"velocity_{x}", f"peculiar velocity, {x} axis", (f"velocity_{x}",))
            for x in "xyz"
        ),
        ModelColumn("stellar_mass", "stellar mass: Msun, that is Msun/h over h", ("stellar_mass",)),
        ModelColumn(
            "halo_mass", "mass of the main halo: Msun, that is Msun/h over h", ("halo_mass",)
        ),
        keyed("mockgal_galaxy_id", "id of the galaxy in the simulation", ("galaxy_id",)),
        keyed("mockgal_halo_id", "id of its halo in the simulation", ("halo_id",)),
        keyed("copy", "copy of the box", ("copy",)),
    )
    return Model(
        "gcr",
        "LSST DESC, extragalactic catalogues of GCRCatalogs",
        "h-free",
        ("hdf5", "parquet"),
        columns,
        randoms=False,
    )


def _observer(axis: int, derived: Derived) -> float:
    return float(derived.observer[axis])
