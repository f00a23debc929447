"""The cosmology that a run's files state, compared with the one that the user states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cosmology import LCDM, Cosmology
from ..errors import HeaderError, UsageError
from ..protocols import ReadOptions
from .checks import expansion

SAME = 1e-4  # relative, between a value in the file and the user's
SAME_PARTICLE = 1e-3  # for particle masses, which depend on each code's gravitational constant
_NEEDED = ("h", "omega_m", "omega_lambda")  # parameters that every run has


def flag(name: str) -> str:
    """Return the command's option for ``name``."""
    return "--" + name.replace("_", "-")


def check_given(where: str, cosmology: Cosmology, options: ReadOptions) -> None:
    """Raise if the user's cosmology is not the file's.

    Raises
    ------
    UsageError
        A parameter differs.
    """
    for name in (*_NEEDED, *LCDM):
        user, allowed = getattr(options, name), ways_to_state(cosmology, name)
        if user is not None and not any(
            abs(user - own) <= SAME * max(abs(own), SAME) for own in allowed
        ):
            raise UsageError(
                flag(name),
                f"{user}",
                " or ".join(f"{own:.9g}" for own in allowed) + f", as {where} says",
                f"leave {flag(name)} out",
            )


def ways_to_state(cosmology: Cosmology, name: str) -> list[float]:
    """Return the values that may be stated for a parameter: Omega_m without or with neutrinos."""
    own, neutrinos = getattr(cosmology, name), cosmology.omega_nu
    value = float(LCDM[name] if own is None else own)
    return [value, value + neutrinos] if name == "omega_m" and neutrinos else [value]


def make_cosmology(
    where: str,
    names: dict[str, str],
    values: dict[str, Any],
    options: ReadOptions,
    statements: Iterable[expansion.Statement] = (),
) -> Cosmology:
    """Return the cosmology that a file states, or raise an error that says where it is wrong.

    Parameters
    ----------
    where : str
        ``FILE:/GROUP`` that holds the attributes.
    names : dict of str to str
        Attribute names, by the keys of ``values``, where the two differ.
    values : dict of str to float or None
        Arguments of `Cosmology`.
    options : ReadOptions
    statements : iterable of tuple
        Further attributes about the expansion; see `mockgal.readers.checks.expansion.further`.

    Raises
    ------
    HeaderError
        An impossible value.
    UsageError
        The user's values differ from the file's.
    """
    values = values | expansion.further(statements, values)
    for name in LCDM:
        if values.get(name) is None:
            values[name] = getattr(options, name)
    try:
        cosmology = Cosmology(**values)
    except HeaderError as error:
        name = error.where.split()[-1]
        if str(getattr(options, name, None)) == error.found:
            raise UsageError(
                flag(name), error.found, error.expected, f"correct {flag(name)}"
            ) from error
        raise HeaderError(
            f"{where}@{names.get(name, name)}",
            error.found,
            error.expected,
            "correct the attribute, or fetch the file again",
        ) from error
    check_given(where, cosmology, options)
    return cosmology
