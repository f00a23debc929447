"""What is measured of each catalogue, and which figures it fills."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Wanted(NamedTuple):
    """A statistic with its options, by a key; ``at_rest`` sets all velocities to zero before."""

    key: str
    statistic: str
    options: Mapping[str, Any] = MappingProxyType({})
    at_rest: bool = False


class Panel(NamedTuple):
    """A figure of one estimate of one statistic: file name, title, section of the page."""

    name: str
    key: str
    estimate: str
    title: str
    section: str


WANTED = (
    Wanted("power", "power", {"log_k_width": 0.1}),
    Wanted("bispectrum", "bispectrum"),
    Wanted("pdf", "pdf"),
    Wanted("mass_function", "mass_function", {"bin_width": 0.25}),
    Wanted("stellar_to_halo", "stellar_to_halo"),
    Wanted("occupation", "occupation"),
    Wanted("satellite_fraction", "satellite_fraction"),
    Wanted("xi_real", "xi"),
    Wanted("xi_redshift", "xi", {"line_of_sight": "z"}),
    Wanted("wp_real", "wp", {"line_of_sight": "z"}, at_rest=True),
    Wanted("wp_redshift", "wp", {"line_of_sight": "z"}),
)
N_OF_Z = "n_of_z"
SKY_WANTED = (  # of light cones; all but the first need randoms
    Wanted(N_OF_Z, N_OF_Z),
    Wanted("w_theta", "w_theta"),
    Wanted("sky_wp", "sky_wp"),
    Wanted("sky_xi_multipoles", "sky_xi_multipoles"),
)
PIT_KEY = "pit"  # of the painters' laws: of mocks alone, in a figure of its own
BOX_KEYS = (*(wanted.key for wanted in WANTED), PIT_KEY)
KEYS = (*BOX_KEYS, *(wanted.key for wanted in SKY_WANTED))
FIELD, GALAXIES, CLUSTERING, SKY = "field", "galaxies", "clustering", "sky"
PANELS = (
    Panel("power", "power", "power", "Power spectrum of stellar mass", FIELD),
    Panel("bispectrum", "bispectrum", "bispectrum", "Bispectrum of stellar mass", FIELD),
    Panel("pdf", "pdf", "voxels", "Voxels by stellar mass", FIELD),
    Panel("mass-function", "mass_function", "mass_function", "Stellar-mass function", GALAXIES),
    Panel(
        "stellar-to-halo",
        "stellar_to_halo",
        "central_stellar_mass",
        "Median stellar mass of centrals",
        GALAXIES,
    ),
    Panel(
        "scatter",
        "stellar_to_halo",
        "central_scatter",
        "Scatter of the stellar mass of centrals",
        GALAXIES,
    ),
    Panel("centrals", "occupation", "mean_centrals", "Centrals per host halo", GALAXIES),
    Panel("satellites", "occupation", "mean_satellites", "Satellites per host halo", GALAXIES),
    Panel(
        "satellite-fraction",
        "satellite_fraction",
        "satellite_fraction",
        "Satellite fraction",
        GALAXIES,
    ),
    Panel("xi-real", "xi_real", "xi", "Correlation function, real space", CLUSTERING),
    Panel("xi-redshift", "xi_redshift", "xi", "Correlation function, redshift space", CLUSTERING),
    Panel("wp-real", "wp_real", "w_p", "Projected correlation, real space", CLUSTERING),
    Panel("wp-redshift", "wp_redshift", "w_p", "Projected correlation, redshift space", CLUSTERING),
    Panel("n-of-z", N_OF_Z, N_OF_Z, "Number density by redshift", SKY),
    Panel("w-theta", "w_theta", "w", "Angular correlation function", CLUSTERING),
    Panel("sky-wp", "sky_wp", "w_p", "Projected correlation function", CLUSTERING),
    Panel("sky-xi-0", "sky_xi_multipoles", "xi_0", "Monopole of the correlation", CLUSTERING),
    Panel("sky-xi-2", "sky_xi_multipoles", "xi_2", "Quadrupole of the correlation", CLUSTERING),
)
