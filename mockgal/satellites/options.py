"""The user's choices for generated satellites."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError
from ..options import check_options, choice, documented, name_or_number, number
from ..types import RADIUS_DEFINITIONS, HaloCatalog
from .concentration import CATALOGUE, CONCENTRATION_RANGE, RELATIONS


@documented
@dataclass(frozen=True)
class SatelliteOptions:
    """Options for drawing satellites from the law that a painter predicts.

    A value that is not allowed raises a `UsageError`.
    """

    numbers: str = choice(
        "Scatter of the number of satellites of a host: poisson (the default), or as measured for "
        "the calibration.",
        ("poisson", "measured"),
        "poisson",
    )
    profile: str = choice(
        "Radial profile of satellites: nfw within the radius of the host (the default), or as "
        "measured for the calibration.",
        ("nfw", "measured"),
        "nfw",
    )
    concentration: str | float = name_or_number(
        "Concentration of the hosts: duffy08 (the default), dutton_maccio14, catalogue for the "
        "column of the input, or one number for all.",
        (*RELATIONS, CATALOGUE),
        "duffy08",
        least=CONCENTRATION_RANGE[0],
        most=CONCENTRATION_RANGE[1],
    )
    velocity: str = choice(
        "Velocity dispersion of satellites: jeans, the isotropic Jeans equation in an NFW halo "
        "(the default), or as measured for the calibration.",
        ("jeans", "measured"),
        "jeans",
    )
    velocity_bias: float = number(
        "Factor on the velocity dispersion of satellites (default: 1).", 1.0, least=0
    )
    radius_definition: str | None = choice(
        "Mass definition to assume for friends-of-friends masses, which gives their hosts a "
        "radius. The masses are not converted.",
        RADIUS_DEFINITIONS,
    )

    def __post_init__(self) -> None:
        check_options(self, "populate")

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
