"""What a halotools halo table states about its box: size, cosmology, particle mass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import HeaderError, printable, shown
from ...protocols import ReadOptions
from .. import given
from ..checks import expansion, physics
from ..stated_cosmology import flag, make_cosmology
from .table import Table

Array = NDArray[Any]

# Cosmological parameters among the metadata: under our names, then under astropy's.
COSMOLOGY = {
    "h": ("h", "H0"),
    "omega_m": ("omega_m", "Om0"),
    "omega_lambda": ("omega_lambda", "Ode0"),
    "omega_b": ("omega_b", "Ob0"),
    "sigma_8": ("sigma_8",),
    "n_s": ("n_s",),
}
_NATIVE = {"box_size": "Lbox", "redshift": "redshift"}
_SAME_DARK = 1e-6  # relative tolerance: dark energy of w0 and wa against that of the object
METADATA = (
    *("Lbox", "redshift", "particle_mass", "num_ptcl_per_dim", "cosmology"),
    *(name for names in COSMOLOGY.values() for name in names),
)


def box_and_redshift(table: Table, options: ReadOptions) -> tuple[float, float, list[str]]:
    """Return the side of the box [Mpc/h], the redshift, and which of them the user gave."""
    sides = table.numbers("Lbox")
    equal = sides.size in (1, 3) and (sides == sides[0]).all() and sides[0] > 0
    if sides.size and not equal:
        raise HeaderError(
            f"{table.header}@Lbox",
            shown(sides),
            "a positive number [Mpc/h], or three that are equal",
            "correct it; mockgal reads cubic boxes only",
        )
    stated = {
        "box_size": float(sides[0]) if sides.size else None,
        "redshift": table.number("redshift", above=-1.0),
    }
    names = [_NATIVE[name] for name, value in stated.items() if value is None]
    facts, taken = given.complete(
        f"{table.header}@{(names or ['Lbox'])[0]}",
        stated,
        options,
        expected="what every halo catalogue of halotools states",
        otherwise=f"set the attribute {' and '.join(names)}",
    )
    return facts["box_size"], facts["redshift"], taken


def cosmology(table: Table, options: ReadOptions) -> tuple[Cosmology, dict[str, Any]]:
    """Return the cosmology, and a record of where it comes from."""
    parameters: dict[str, float | None] = dict.fromkeys(COSMOLOGY)
    names: dict[str, str] = {}
    record: dict[str, Any] = {}
    stated = table.metadata["cosmology"]
    if table.text("cosmology"):
        record["cosmology_in_words"] = printable(table.text("cosmology"))[:200]
    elif stated is not None:
        parameters |= _from_astropy(f"{table.header}@cosmology", stated)
        names = dict.fromkeys(parameters, "cosmology")
        record["cosmology_object"] = type(stated).__name__
    for own, natives in COSMOLOGY.items():
        for name in natives if parameters[own] is None else ():
            number = table.number(name)
            if number is not None and parameters[own] is None:
                parameters[own] = number / 100.0 if name == "H0" else number
                names[own] = name
    facts, taken = given.complete(
        f"{table.header}@cosmology",
        {own: parameters[own] for own in given.COSMOLOGY},
        options,
        expected="the cosmology of the run",
        otherwise="state it in the catalogue, as numbers under these names",
    )
    record["given_by_user"] = taken
    return make_cosmology(
        table.header, names, {**parameters, **facts}, options, table.statements
    ), record


def _from_astropy(where: str, stated: Any) -> dict[str, float | None]:
    """Return the parameters of an astropy cosmology, whose Om0 excludes massive neutrinos."""
    try:
        h, omega_m, omega_lambda = float(stated.h), float(stated.Om0), float(stated.Ode0)
        photons, neutrinos = float(stated.Ogamma0), float(stated.Onu0)
        n_eff, omega_b = float(stated.Neff), stated.Ob0
        model = Cosmology(
            h,
            omega_m,
            omega_lambda,
            w0=_parameter(stated, "w0"),
            wa=_parameter(stated, "wa"),
        )
        known = all(
            abs(model.dark_energy(1 / (1 + z)) - omega_lambda * float(stated.de_density_scale(z)))
            <= _SAME_DARK * omega_lambda
            for z in (0.5, 1.0, 3.0)
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise HeaderError(
            where,
            f"a {type(stated).__name__}",
            "an astropy cosmology",
            "set it to an astropy.cosmology.FlatLambdaCDM, or to None and give --h, --omega-m and "
            "--omega-lambda",
        ) from error
    if not known:
        raise HeaderError(
            where,
            f"a {type(stated).__name__} whose dark energy w0 and wa do not describe",
            "LambdaCDM, or w0 + wa (1 - a)",
            "set it to the closest astropy.cosmology.Flatw0waCDM, or to None and give --h, "
            "--omega-m, --omega-lambda, --w0 and --wa",
        )
    massless = neutrinos
    if neutrinos and stated.has_massive_nu:
        masses = np.atleast_1d(stated.m_nu.value)
        massless = photons * expansion.PER_N_EFF * n_eff * float(np.mean(masses == 0))
    return {
        "h": h,
        "omega_m": omega_m,
        "omega_lambda": omega_lambda,
        "omega_b": float(omega_b) if omega_b else None,
        "w0": model.w0,
        "wa": model.wa,
        "omega_r": photons + massless or None,
        "omega_nu": neutrinos - massless or None,
    }


def _parameter(stated: Any, name: str) -> float | None:
    value = getattr(stated, name, None)
    return None if value is None else float(value)


def check_matter(
    table: Table, box_size: float, cosmology: Cosmology, redshift: float
) -> dict[str, Any]:
    """Compare the mass of all particles with Omega_m, if their number is stated."""
    side = table.number("num_ptcl_per_dim", above=0.0)
    mass = table.number("particle_mass", above=0.0)
    if side is None or mass is None:
        return {}
    where = f"{table.header}@particle_mass, for {side:g}^3 particles"
    ratio = physics.check_mean_density(mass * side**3, box_size, cosmology, redshift, where)
    return {"mean_density_over_omega_m": ratio}


def particle_mass(
    table: Table, mass: Array, box_size: float, cosmology: Cosmology, options: ReadOptions
) -> tuple[float | None, list[str]]:
    """Return the particle mass [Msun/h], checked against the box and its halos.

    The list names it if the user stated it, and is empty otherwise.
    """
    stated, taken = given.optional(
        "particle_mass", table.number("particle_mass", above=0.0), options
    )
    if stated is not None:
        where = flag("particle_mass") if taken else f"{table.header}@particle_mass"
        physics.check_particle_number(stated, mass, box_size, cosmology, where)
    return stated, taken
