"""The user's choices for generated satellites."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError
from ..types import RADIUS_DEFINITIONS, HaloCatalog
from .concentration import CATALOGUE, CONCENTRATION_RANGE, RELATIONS

NUMBERS = ("poisson", "measured")
PROFILES = ("nfw", "measured")
VELOCITIES = ("jeans", "measured")


@dataclass(frozen=True)
class SatelliteOptions:
    """Options for drawing satellites from the law that a painter predicts.

    Parameters
    ----------
    numbers : str
        ``"poisson"``, or ``"measured"`` for the variance of the law (`mockgal.satellites.numbers`).
    profile : str
        ``"nfw"``, truncated at the host's radius, or ``"measured"`` for the radii of the law.
    concentration : str or float
        A key of `mockgal.satellites.concentration.RELATIONS`, ``"catalogue"`` for the hosts' own
        column, or one number for all hosts.
    velocity : str
        ``"jeans"``, isotropic orbits in an NFW halo, or ``"measured"`` for the dispersion of the
        law.
    velocity_bias : float
        Factor on the dispersion.
    radius_definition : str, optional
        The mass definition to assume for friends-of-friends masses, which have no radius; for these
        masses only.

    Raises
    ------
    UsageError
        A value that is not allowed.
    """

    numbers: str = "poisson"
    profile: str = "nfw"
    concentration: str | float = "duffy08"
    velocity: str = "jeans"
    velocity_bias: float = 1.0
    radius_definition: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("numbers", NUMBERS),
            ("profile", PROFILES),
            ("velocity", VELOCITIES),
            ("radius_definition", (None, *RADIUS_DEFINITIONS)),
        ):
            if getattr(self, name) not in choices:
                allowed = [choice for choice in choices if choice is not None]
                raise UsageError(
                    f"populate:{name}",
                    repr(getattr(self, name)),
                    "one of " + ", ".join(allowed),
                    "choose one of these",
                )
        low, high = CONCENTRATION_RANGE
        chosen = self.concentration
        if not (
            chosen in (*RELATIONS, CATALOGUE)
            if isinstance(chosen, str)
            else _is_number(chosen) and low <= chosen <= high
        ):
            raise UsageError(
                "populate:concentration",
                repr(self.concentration),
                ", ".join((*RELATIONS, CATALOGUE)) + f", or a number from {low:g} to {high:g}",
                "choose one of these",
            )
        if not (_is_number(self.velocity_bias) and 0 <= self.velocity_bias < math.inf):
            raise UsageError(
                "populate:velocity_bias",
                repr(self.velocity_bias),
                "a finite number, 0 or more",
                "1 gives satellites the dispersion of the matter",
            )

    @property
    def needs_concentration(self) -> bool:
        """Whether the options need concentrations."""
        return self.profile == "nfw" or self.velocity == "jeans"

    def definition(self, halos: HaloCatalog) -> str:
        """Return the mass definition that sets the radius of the hosts.

        Raises
        ------
        UsageError
            The masses have no radius and none is chosen, or they have one and another is chosen.
        """
        own, chosen = halos.mass_definition, self.radius_definition
        if own == "fof" and chosen is None:
            raise UsageError(
                "populate:radius_definition",
                "none for friends-of-friends masses, which have no radius",
                "one of " + ", ".join(RADIUS_DEFINITIONS),
                "choose the definition to assume for these masses; it is recorded "
                "(--radius-definition 200m is nearest to a linking length of 0.2)",
            )
        if own != "fof" and chosen not in (None, own):
            raise UsageError(
                "populate:radius_definition",
                f"{chosen} for masses that are {own}",
                "no radius definition: the masses have a radius of their own",
                f"leave it out, or read the hosts with --mass-definition {chosen}",
            )
        return chosen or own

    def describe(self) -> dict[str, Any]:
        """Return the options as plain JSON values."""
        return asdict(self)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
