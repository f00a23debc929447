"""A truth on the subhalos of the gravity-only run itself: `mockgal.Truth`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import UsageError, warn
from ...layout import STARS_OF_TRUTH, TRUTH, WARNINGS
from ...types import HaloCatalog, Scene

_CHUNK_ROWS = 1 << 20


def how_joined(record: Mapping[str, Any]) -> str:
    """Return the recorded counts of joined galaxies, orphans and empty subhalos in words."""
    from ...calibration.matching.same_halos import describe

    return describe(record)


def check_definition(options: Mapping[str, Any]) -> None:
    """Raise if the stars of a hydrodynamic run are chosen, where there is none.

    Raises
    ------
    UsageError
    """
    chosen = options.get("stellar_mass_definition")
    if chosen is not None:
        raise UsageError(
            "--stellar-mass-definition",
            f"{chosen}, for a table of galaxies",
            "none: the table has the stellar masses",
            "leave it out; --truth-columns chooses the column",
        )


@dataclass(frozen=True)
class Truth:
    """Galaxies that belong to the subhalos of a gravity-only run, in place of a hydrodynamic run.

    Such are the galaxies of semi-analytic models, of UniverseMachine and of emulators. They are
    joined by the id of their subhalo, or by its exact position, and counted.

    Parameters
    ----------
    table : path-like or object
        A table of galaxies: any file or object that `mockgal.read` takes as a table.
    columns : str or mapping, optional
        ``"halo_id=id, stellar_mass=mstar [Msun/h]"``, or the same by quantity: ``halo_id``,
        ``position``, ``stellar_mass`` and ``stellar_half_mass_radius``.

    Examples
    --------
    >>> from mockgal.testing import synthetic_pair
    >>> hydro, dark = synthetic_pair(600, seed=1, box_size=60.0)
    >>> galaxies = {"halo_id": dark.halos["halo_id"], "mstar": 0.02 * dark.halos["mass"]}
    >>> truth = mockgal.Truth(galaxies, columns="halo_id=halo_id, stellar_mass=mstar [Msun/h]")
    >>> table = mockgal.calibrate([(truth, dark)], luminosity_floor="1e9 Msun/h")
    >>> table.provenance["pairs"][0]["twins"]["joined"]["orphans"]
    0
    """

    table: Any
    columns: str | Mapping[str, Any] | None = None

    @property
    def path(self) -> Path | None:
        """The file; None for a table in memory."""
        return Path(self.table) if isinstance(self.table, str | os.PathLike) else None

    def on(self, dark: Scene) -> Scene:
        """Return the galaxies as a run with the subhalos of the gravity-only run.

        Parameters
        ----------
        dark : Scene

        Returns
        -------
        Scene
            The halos of ``dark`` with ``stellar_mass``; 0 without a galaxy.

        Raises
        ------
        MockgalError
            The table cannot be read, or joined to these subhalos.
        """
        from ...calibration.matching.same_halos import describe, join
        from ...readers.tables.galaxies import FLAG, read_galaxy_table

        halos, snapshot = dark.halos, dark.snapshot
        snapshot.check_periodic("galaxies on its subhalos", "give a periodic box")
        if "stellar_mass" in halos:
            raise UsageError(
                "--truth",
                f"{snapshot.name}, which has stars of its own",
                "a gravity-only run",
                "give the hydrodynamic run as --hydro, and its gravity-only twin as --dark",
            )
        found = read_galaxy_table(self.table, self.columns, snapshot, _CHUNK_ROWS)
        columns, joined = join(dark, found.columns, found.where, found.place, FLAG)
        told = [*snapshot.record.get(WARNINGS[0], ())]
        if joined["orphans"]:
            told.append(f"{found.place}: {describe(joined)}")
            warn(told[-1])
        record = {
            **snapshot.record,
            "stellar_mass_definition": STARS_OF_TRUTH,
            TRUTH: {**joined, **found.record},
            **({WARNINGS[0]: told} if told else {}),
        }
        own = replace(snapshot, name=found.name, source=found.files, record=record)
        return Scene(
            own, HaloCatalog({**halos.columns, **columns}, halos.mass_definition, halos.record)
        )
