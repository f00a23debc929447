"""What a calibration table says of the satellites of hosts that come without subhalos."""

from __future__ import annotations

import numpy as np

from ..errors import MissingDatasetError
from ..satellite_law import SatelliteLaw
from ..types import Scene
from .hod_columns import SATELLITES
from .hod_rows import hydro_masses, table_row
from .hod_table import HODTable, mean_number


def satellite_law(table: HODTable, scene: Scene) -> SatelliteLaw:
    """Number, mass, place and velocity of the resolved satellites of each host.

    They are the gravity-only run's (without a twin, the hydrodynamic run's): painting then decides
    which are luminous. Hosts below the table's range have none, which is counted.

    Parameters
    ----------
    table : HODTable
    scene : Scene
        Hosts only.

    Raises
    ------
    MissingDatasetError
        The table does not say: its host masses have no radius, or it was made without.
    """
    if not table.has_satellites:
        raise MissingDatasetError(
            f"HOD calibration {table.name}",
            f"no {', '.join(SATELLITES)}",
            "what satellites of hosts without subhalos are made by",
            "calibrate with spherical-overdensity host masses (--mass-definition 200c), or take "
            "another calibration",
        )
    halos, c, rows = scene.halos, table.columns, table.rows(1)
    log_host, _ = hydro_masses(table, halos["host_mass"], halos["mass"])
    number = "number_dark_mean" if table.has_twin else "resolved_hydro_mean"
    below = ~(log_host >= table.edges(1)[0])
    mean = np.where(below, 0.0, mean_number(c["log_mean_mass"][rows], c[number][rows], log_host))
    row = table_row(table, np.ones(len(halos), dtype=np.int64), log_host) - rows.start
    return SatelliteLaw(
        name=f"HOD calibration {table.name}",
        mean=mean,
        variance=mean * c["satellite_dispersion_index"][rows][row],
        row=row,
        probability=table.residual_probability,
        log_mass_ratio=c["satellite_log_mass_ratio"][rows],
        radius=c["satellite_radius"][rows],
        velocity_dispersion=c["satellite_velocity_dispersion"][rows],
        references=tuple(table.provenance.get("references", [])),
        record={"hosts_below_range": int(np.sum(below))},
    )
