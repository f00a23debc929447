"""The cosmology of a run: of what its files state, and compared with what the user states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cosmology import LCDM, Cosmology
from ..errors import HeaderError, UsageError
from ..protocols import ReadOptions
from .checks import expansion

SAME = 1e-4  # relative, between a value in the file and the user's
SAME_PARTICLE = 1e-3  # of particle masses, which rest on the codes' gravitational constants
_NEEDED = ("h", "omega_m", "omega_lambda")  # of every run


def flag(name: str) -> str:
    """The option of the command that gives ``name``."""
    return "--" + name.replace("_", "-")


def check_given(where: str, cosmology: Cosmology, options: ReadOptions) -> None:
    """Whether what the user says is what the file says.

    Raises
    ------
    UsageError
        It is not.
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
    """Return by which values a parameter is stated: Omega_m without neutrinos, or with them."""
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
    """The cosmology that a file states, with errors that say where.

    Parameters
    ----------
    where : str
        ``FILE:/GROUP`` that holds the attributes.
    names : dict of str to str
        Attribute of each of ``values``, where it is called otherwise.
    values : dict of str to float or None
        Arguments of `Cosmology`.
    options : ReadOptions
    statements : iterable of tuple
        What else the file states of the expansion; see `mockgal.readers.checks.expansion.further`.

    Raises
    ------
    HeaderError
        A value that no universe has.
    UsageError
        The user gives other values than the file.
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
