"""What the headers of a CompaSO catalogue state: box, time, cosmology and units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...cosmology import Cosmology
from ...errors import HeaderError, MissingDatasetError, UnitsError, printable, shown
from ...protocols import ReadOptions
from .. import given
from ..checks.physics import box_size as checked_side
from ..checks.physics import check_mean_density
from ..hdf5.stored import COPY_AGAIN
from ..stated_cosmology import make_cosmology
from ..subfind.snapshots import check_header_time
from .asdf import AsdfFile

DEFINITION = "compaso"
_THRESHOLD = "SODensityL1"  # of halos, over the mean density
_NEAR = 0.01  # relative, between that threshold and the one of the definition
_SAME = 1e-3  # relative, between units of velocity
_AGREE = 1e-5  # relative, between the headers of a set
# Statements on which all files of a set must agree.
SHARED = (
    "BoxSize",
    "BoxSizeHMpc",
    "Redshift",
    "H0",
    "Omega_M",
    "Omega_DE",
    "ParticleMassHMsun",
    "NP",
)
_EXPANSION = {"Omega_Smooth": "omega_nu", "Omega_K": "omega_k", "w0": "w0", "wa": "wa"}


class Facts(NamedTuple):
    """Facts of a run.

    Parameters
    ----------
    name : str
    box_size : float
        Side of the box, the unit of length [Mpc/h].
    redshift : float
    cosmology : Cosmology
        ``omega_m`` is that of the particles; neutrinos, which Abacus keeps smooth, are apart.
    particle_mass : float
        [Msun/h]
    speed : float
        Unit of velocity [km/s].
    particles : int
        Particles in the whole box; 0 if not stated.
    by_user : list of str
        Facts that the user stated.
    record : dict
        The threshold of halos, and the particles' mass over that of Omega_m.
    """

    name: str
    box_size: float
    redshift: float
    cosmology: Cosmology
    particle_mass: float
    speed: float
    particles: int
    by_user: list[str]
    record: dict[str, Any]


def check_same(files: Sequence[AsdfFile]) -> None:
    """Raise if the headers of a set are of different runs or times.

    Raises
    ------
    HeaderError
        The message names the first file that differs, and the number.
    """
    first = files[0]
    for file in files[1:]:
        for name in SHARED:
            here, there = file.number(name), first.number(name)
            if here != there and (
                here is None or there is None or not abs(here - there) <= _AGREE * abs(there)
            ):
                raise HeaderError(
                    file.at(f"header/{name}"),
                    f"{here}",
                    f"{there}, as in {first.path}",
                    "do not mix files of different runs, outputs or versions",
                )


def read_facts(file: AsdfFile, options: ReadOptions) -> Facts:
    """Return the facts in the header of a file, completed by the user's.

    Raises
    ------
    MissingDatasetError
        Facts that neither the header nor the user states.
    HeaderError, UnitsError
        Facts that contradict each other.
    """
    side = file.number("BoxSizeHMpc")
    if side is None and file.number("hMpc") == 1:
        side = file.number("BoxSize")
    hubble = file.number("H0")
    stated, by_user = given.complete(
        file.at("header"),
        {
            "box_size": side,
            "redshift": file.number("Redshift"),
            "h": None if hubble is None else hubble / 100,
            "omega_m": file.number("Omega_M"),
            "omega_lambda": file.number("Omega_DE"),
        },
        options,
        expected="BoxSizeHMpc, Redshift, H0, Omega_M and Omega_DE, as Abacus writes them",
    )
    box_size, redshift = stated.pop("box_size"), stated.pop("redshift")
    box_size = checked_side(file.at("header/BoxSizeHMpc"), box_size, 1.0)
    statements = [
        (file.at(f"header/{name}"), key, value)
        for name, key in _EXPANSION.items()
        if (value := file.number(name)) is not None
    ]
    names = {"h": "H0", "omega_m": "Omega_M", "omega_lambda": "Omega_DE"}
    cosmology = make_cosmology(file.at("header"), names, dict(stated), options, statements)
    mass, also = given.optional("particle_mass", file.number("ParticleMassHMsun"), options)
    if mass is None:
        raise MissingDatasetError(
            file.at("header"),
            "no ParticleMassHMsun",
            "the mass of a particle, which masses of halos are multiples of",
            f"give {given.flags(['particle_mass'])}",
        )
    if (scale := file.number("ScaleFactor")) is not None:
        check_header_time(file.path, scale, redshift)
    particles, matter = int(max(file.number("NP") or 0, 0)), {}
    if particles:
        matter["mean_density_over_omega_m"] = check_mean_density(
            particles * mass, box_size, cosmology, redshift, file.at("header/NP")
        )
    return Facts(
        printable(_name(file)),
        box_size,
        redshift,
        cosmology,
        mass,
        _speed(file, box_size, redshift, cosmology),
        particles,
        [*by_user, *also],
        {**_threshold(file, cosmology, redshift), **matter},
    )


def _name(file: AsdfFile) -> str:
    """Return the name of the snapshot: the simulation and the folder of the redshift."""
    name = file.header.get("SimName")
    simulation = name if isinstance(name, str) and name else file.path.stem
    return f"{simulation}/z{file.number('Redshift') or 0.0:.3f}"


def _speed(file: AsdfFile, box_size: float, redshift: float, cosmology: Cosmology) -> float:
    """Return the unit of velocity [km/s], the Hubble flow across the box.

    Raises
    ------
    UnitsError
        The header states another.
    """
    expected = box_size / cosmology.redshift_space_factor(redshift)
    stated = file.number("VelZSpace_to_kms")
    if stated is None or abs(stated / expected - 1) <= _SAME:
        return expected if stated is None else stated
    raise UnitsError(
        file.at("header/VelZSpace_to_kms"),
        f"{stated:.6g} km/s",
        f"{expected:.6g} km/s within {_SAME:.1%}, the Hubble flow across {box_size:g} Mpc/h",
        "correct the box, the redshift or the cosmology, whichever is of another run",
    )


def _threshold(file: AsdfFile, cosmology: Cosmology, redshift: float) -> dict[str, Any]:
    """Return a record of the density of halos, which must be that of the definition.

    Raises
    ------
    HeaderError
        Halos of another density.
    """
    stated = file.number(_THRESHOLD)
    expected = cosmology.halo_density(DEFINITION, redshift) / cosmology.mean_matter_density
    if stated is not None and not abs(stated / expected - 1) <= _NEAR:
        raise HeaderError(
            file.at(f"header/{_THRESHOLD}"),
            f"{stated:.6g}, with SODensity {shown(file.header.get('SODensity'))}",
            f"{expected:.6g} within {_NEAR:.0%}, which AbacusSummit has at this redshift",
            "masses by other thresholds have no name in mockgal; give the halos of AbacusSummit, "
            f"or {COPY_AGAIN}",
        )
    density = {} if stated is None else {"so_density_over_mean": stated}
    return {**density, "so_density_of_header": file.header.get("SODensity")}
