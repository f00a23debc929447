"""What a halo table of halotools says of its box: size, cosmology, particle mass."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import HeaderError, MissingDatasetError, UnitsError, printable, shown
from ..protocols import ReadOptions
from . import physics
from .halotools_table import Table
from .units import make_cosmology

Array = NDArray[Any]

# Cosmology as numbers among the metadata: by our names, then by astropy's.
COSMOLOGY = {
    "h": ("h", "H0"),
    "omega_m": ("omega_m", "Om0"),
    "omega_lambda": ("omega_lambda", "Ode0"),
    "omega_b": ("omega_b", "Ob0"),
    "sigma_8": ("sigma_8",),
    "n_s": ("n_s",),
}
METADATA = (
    *("Lbox", "redshift", "particle_mass", "num_ptcl_per_dim", "cosmology"),
    *(name for names in COSMOLOGY.values() for name in names),
)


def box_size(table: Table) -> float:
    """Side of the box [Mpc/h]."""
    sides = table.numbers("Lbox")
    if sides.size == 0:
        raise table.missing("Lbox", " [Mpc/h]")
    if sides.size not in (1, 3) or (sides != sides[0]).any() or not sides[0] > 0:
        raise HeaderError(
            f"{table.header}@Lbox",
            shown(sides),
            "a positive number [Mpc/h], or three that are equal",
            "correct it; mockgal reads cubic boxes only",
        )
    return float(sides[0])


def cosmology(table: Table, options: ReadOptions) -> tuple[Cosmology, dict[str, Any]]:
    """The cosmology, and what is recorded of where it is from."""
    found: dict[str, float | None] = dict.fromkeys(COSMOLOGY)
    names: dict[str, str] = {}
    record: dict[str, Any] = {}
    stated = table.metadata["cosmology"]
    if table.text("cosmology"):
        record["cosmology_in_words"] = printable(table.text("cosmology"))[:200]
    elif stated is not None:
        found |= _from_astropy(f"{table.header}@cosmology", stated)
        names = dict.fromkeys(found, "cosmology")
        record["cosmology_object"] = type(stated).__name__
    for own, natives in COSMOLOGY.items():
        for name in natives if found[own] is None else ():
            number = table.number(name)
            if number is not None and found[own] is None:
                found[own], names[own] = number / 100.0 if name == "H0" else number, name
    asked = ("h", "omega_m", "omega_lambda")
    given = [own for own in asked if found[own] is None and getattr(options, own) is not None]
    found |= {own: getattr(options, own) for own in given}
    missing = [own for own in asked if found[own] is None]
    if missing:
        flags = " ".join(f"--{own.replace('_', '-')} VALUE" for own in missing)
        raise MissingDatasetError(
            f"{table.header}@cosmology",
            f"no {', '.join(missing)}",
            "the cosmology of the run",
            f"give {flags}; or state it with the catalogue, by the numbers {', '.join(missing)}",
        )
    record["cosmology_given_by_user"] = given
    return make_cosmology(table.header, names, dict(found), options), record


def _from_astropy(where: str, stated: Any) -> dict[str, float | None]:
    """Parameters of a cosmology of astropy; its radiation and neutrinos are left to Lambda."""
    try:
        steady = abs(float(stated.de_density_scale(1.0)) - 1.0) < 1e-12
        h, omega_m, curvature = float(stated.h), float(stated.Om0), float(stated.Ok0)
        omega_b = stated.Ob0
    except (AttributeError, TypeError, ValueError) as error:
        raise HeaderError(
            where,
            f"a {type(stated).__name__}",
            "a cosmology of astropy",
            "set it to an astropy.cosmology.FlatLambdaCDM, or to None and give --h, --omega-m and "
            "--omega-lambda",
        ) from error
    if not steady:
        raise HeaderError(
            where,
            f"a {type(stated).__name__} whose dark energy changes with time",
            "a cosmological constant",
            "mockgal knows LambdaCDM only",
        )
    return {
        "h": h,
        "omega_m": omega_m,
        "omega_lambda": 1.0 - omega_m - curvature,
        "omega_b": float(omega_b) if omega_b else None,
    }


def check_matter(table: Table, box_size: float, cosmology: Cosmology) -> dict[str, Any]:
    """All particles against Omega_m, where their number is stated."""
    side = table.number("num_ptcl_per_dim", above=0.0)
    mass = table.number("particle_mass", above=0.0)
    if side is None or mass is None:
        return {}
    ratio = mass * side**3 / cosmology.matter_mass(box_size)
    if not abs(ratio - 1) <= physics.TOLERANCE:
        raise UnitsError(
            f"{table.header}@particle_mass",
            f"{side:g}^3 particles of {mass:.6g} Msun/h, {ratio:.6g} times the matter in "
            f"({box_size:g} Mpc/h)^3 with Omega_m = {cosmology.omega_m:g}",
            f"1 within {physics.TOLERANCE:.0%}",
            "correct particle_mass, Lbox, num_ptcl_per_dim or the cosmology",
        )
    return {"mean_density_over_omega_m": ratio}


def particle_mass(table: Table, mass: Array, box_size: float, cosmology: Cosmology) -> float | None:
    """The particle mass [Msun/h], if the box and its halos can be made of such particles."""
    stated = table.number("particle_mass", above=0.0)
    if stated is not None:
        physics.check_particle_number(
            stated, mass, box_size, cosmology, f"{table.header}@particle_mass"
        )
    return stated
