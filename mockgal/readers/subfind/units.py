"""The unit system and cosmology of a Gadget or AREPO run, from the attributes of its files."""

from __future__ import annotations

from typing import Any, NamedTuple

import h5py

from ...cosmology import Cosmology
from ...errors import HeaderError, MissingDatasetError, warn
from ...protocols import ReadOptions
from ..checks import expansion
from ..hdf5 import headers
from ..stated_cosmology import flag, make_cosmology

_MPC_CM = (3.085678e24, "Mpc", {"kpc": 1e-3, "Mpc": 1.0})
_MSUN_G = (1.989e33, "Msun", {"1e10 Msun": 1e10, "Msun": 1.0, "1e5 Msun": 1e5})
SNAP = 1e-3  # parsecs and solar masses differ by less than this between codes

# Parameters of the file, and their names in `UnitSystem`.
UNITS = {
    "UnitLength_in_cm": "length",
    "UnitMass_in_g": "mass",
    "UnitVelocity_in_cm_per_s": "velocity",
}
_UNITS = (*UNITS, "Hubble")
# Parameters of the file, and their names in `Cosmology`: the user may state those that are missing.
COSMOLOGY = {"HubbleParam": "h", "Omega0": "omega_m", "OmegaLambda": "omega_lambda"}
_ALSO = {"OmegaBaryon": "omega_b", "Sigma8": "sigma_8", "PrimordialIndex": "n_s"}
STATED = (*_UNITS, *COSMOLOGY)  # all files of a run must agree on these


class Statement(NamedTuple):
    """Where a code states its units, and what its format defines for files that do not.

    Parameters
    ----------
    code : str
    groups : tuple of str
        Groups with the attributes, in order of precedence.
    assumed : dict of str to float
        Units that the format defines, recorded when they are used.
    """

    code: str
    groups: tuple[str, ...]
    assumed: dict[str, float]


GADGET4 = Statement("Gadget-4", ("Parameters",), {})
# Nelson et al. 2019, arXiv:1812.05609, section 3: ckpc/h, 1e10 Msun/h, km/s.
AREPO = Statement(
    "AREPO",
    ("Header", "Parameters"),
    {
        "UnitLength_in_cm": 3.085678e21,
        "UnitMass_in_g": 1.989e43,
        "UnitVelocity_in_cm_per_s": 1e5,
    },
)


class UnitSystem(NamedTuple):
    """Factors from the file's numbers to internal units, the cosmology, and a record of both.

    ``length`` converts to comoving Mpc/h, ``mass`` to Msun/h, ``velocity`` to km/s.
    """

    length: float
    mass: float
    velocity: float
    cosmology: Cosmology
    record: dict[str, Any]


def _factor(value: float, table: tuple[float, str, dict[str, float]]) -> tuple[float, str]:
    """Return ``value`` [cgs] over the unit of ``table``, exact for known units within `SNAP`."""
    cgs, unit, known = table
    for name, factor in known.items():
        if abs(value / (cgs * factor) - 1) < SNAP:
            return factor, name
    return value / cgs, f"{value / cgs:.9g} {unit}"


def _attribute(file: h5py.File, statement: Statement, name: str) -> float | None:
    for group in statement.groups:
        value: float | None = headers.number(file, group, name, None)
        if value is not None:
            return value
    return None


def stated(file: h5py.File, statement: Statement) -> tuple[float | None, ...]:
    """Return the parameters `STATED` of a file, None for missing ones, for `chunks.check_same`."""
    return tuple(_attribute(file, statement, name) for name in STATED)


def _given(
    where: str, value: dict[str, float | None], options: ReadOptions, statement: Statement
) -> list[str]:
    """Fill in from ``options`` what the file lacks, and return the names of these parameters.

    Raises
    ------
    MissingDatasetError
        The file lacks units, or a part of the cosmology that the user does not state either.
    """
    taken = []
    for name, own in COSMOLOGY.items():
        if value[name] is None and getattr(options, own) is not None:
            value[name] = getattr(options, own)
            taken.append(own)
    units = [name for name in _UNITS if value[name] is None]
    cosmology = [name for name in COSMOLOGY if value[name] is None]
    if units or cosmology:
        ways = []
        if cosmology:
            flags = " ".join(f"{flag(COSMOLOGY[name])} VALUE" for name in cosmology)
            ways.append(f"give {flags}, for {', '.join(cosmology)}")
        if units:
            ways.append(
                f"write the attributes {', '.join(units)} there (no option states units), or copy "
                "the group /Parameters from another file of the run"
            )
        raise MissingDatasetError(
            where,
            "no " + ", ".join(units + cosmology),
            f"the run's cosmology and units, which {statement.code} writes as attributes there",
            "; ".join(ways),
        )
    return taken


def _assume(value: dict[str, float | None], statement: Statement) -> list[str]:
    """Fill in what the format defines and the file does not state; return the names."""
    assumed = [name for name in statement.assumed if value[name] is None]
    value.update({name: statement.assumed[name] for name in assumed})
    if statement.assumed and value["Hubble"] is None:  # these formats have units with h
        length, _ = _factor(value["UnitLength_in_cm"] or 0.0, _MPC_CM)
        velocity = (value["UnitVelocity_in_cm_per_s"] or 0.0) / 1e5
        value["Hubble"] = 100.0 * length / velocity if velocity > 0 else 0.0
        assumed.append("Hubble")
    return assumed


def read_units(file: h5py.File, options: ReadOptions, statement: Statement) -> UnitSystem:
    """Return the unit system that a file states.

    Parameters
    ----------
    file : h5py.File
    options : ReadOptions
        Their cosmology is used where the file states none.
    statement : Statement
        Where the code states its units.

    Returns
    -------
    UnitSystem

    Raises
    ------
    MissingDatasetError
        An attribute is missing, and neither the format nor the user defines it.
    HeaderError
        The Hubble constant fits neither a run in units with h nor one without, the run is not
        comoving, or the cosmology is impossible.
    UsageError
        The user's cosmology contradicts the file's.
    """
    where = f"{file.filename}:/{statement.groups[0]}"
    parameters = dict(zip(STATED, stated(file, statement), strict=True))
    assumed = _assume(parameters, statement)
    given = _given(where, parameters, options, statement)
    value = {name: number for name, number in parameters.items() if number is not None}
    _check_run(file, statement, where, value)
    length, length_name = _factor(value["UnitLength_in_cm"], _MPC_CM)
    mass, mass_name = _factor(value["UnitMass_in_g"], _MSUN_G)
    velocity = value["UnitVelocity_in_cm_per_s"] / 1e5
    hubble = value["Hubble"] * velocity / length  # km/s/Mpc in the run's own units
    h, h_free = _hubble_constant(where, value, hubble, by_user="h" in given)
    if h_free:
        length, mass = length * h, mass * h
    over_h = "" if h_free else "/h"
    record = {
        "length_unit": length_name + over_h,
        "mass_unit": mass_name + over_h,
        "velocity_unit_km_s": velocity,
        "h_free_run": h_free,
        "h_is_one": h == 1,
        "given_by_user": given,
        "units_by_definition_of_format": assumed,
        "stated_UnitLength_in_cm": value["UnitLength_in_cm"],
        "stated_UnitMass_in_g": value["UnitMass_in_g"],
    }
    cosmology = _cosmology(file, statement, where, value | {"HubbleParam": h}, options)
    return UnitSystem(length, mass, velocity, cosmology, record)


def _check_run(file: h5py.File, statement: Statement, where: str, value: dict[str, float]) -> None:
    """Raise unless units are positive and the run is comoving.

    Raises
    ------
    HeaderError
    """
    for name in _UNITS:
        if value[name] <= 0:
            raise HeaderError(
                f"{where}@{name}",
                f"{value[name]}",
                "a positive number",
                "correct the run's parameters in the file",
            )
    if _attribute(file, statement, "ComovingIntegrationOn") == 0:
        raise HeaderError(
            f"{where}@ComovingIntegrationOn",
            "0",
            "a cosmological, comoving run",
            "use a run with ComovingIntegrationOn 1",
        )


def _hubble_constant(
    where: str, value: dict[str, float], hubble: float, *, by_user: bool
) -> tuple[float, bool]:
    """Return h, and whether the units of the run are without h.

    Parameters
    ----------
    where : str
    value : dict
        Parameters of the run.
    hubble : float
        Its Hubble constant in its own units [km/s/Mpc]: 100 in units with h.
    by_user : bool
        Whether the user states HubbleParam.

    Raises
    ------
    HeaderError
        The Hubble constant fits neither a run in units with h nor one without.
    """
    h = value["HubbleParam"]
    if abs(hubble / 100 - 1) < 5e-3:
        if h == 1 and not by_user:
            warn(
                f"{where}@HubbleParam is 1, and Hubble is 100 in the run's units: h = 1 is taken, "
                "which is right for no real universe",
            )
        return h, False
    if (h == 1 or by_user) and 30 < hubble < 150:
        return hubble / 100, True
    raise HeaderError(
        f"{where}@Hubble",
        f"{value['Hubble']}, which is {hubble:.6g} km/s/Mpc, with HubbleParam {h}",
        "100 (units with h), or the true Hubble constant with HubbleParam 1 (units without)",
        "correct Hubble, HubbleParam or the units that the file states (a factor 1000 means kpc "
        "instead of Mpc, or the reverse)",
    )


def _cosmology(
    file: h5py.File,
    statement: Statement,
    where: str,
    value: dict[str, float],
    options: ReadOptions,
) -> Cosmology:
    """Return the cosmology of a run with these parameters, and the others that the file states."""

    def if_positive(name: str) -> float | None:
        number = _attribute(file, statement, name)
        return number if number is not None and number > 0 else None

    return make_cosmology(
        where,
        {own: name for name, own in {**COSMOLOGY, **_ALSO}.items()},
        {
            **{own: value[name] for name, own in COSMOLOGY.items()},
            **{own: if_positive(name) for name, own in _ALSO.items()},
        },
        options,
        expansion.in_file(file, ("Header", "Parameters", "Cosmology", "Config")),
    )
