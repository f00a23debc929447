"""The options of statistics, in the groups that the help of ``mockgal measure`` shows."""

from __future__ import annotations

import click
from cloup import option, option_group

from .shared import assigning, options, weighting
from .values import FLOAT, WHOLE

of_statistics = options(
    option_group(
        "Power spectra, bispectrum, pdf",
        option("--grid", "grid_size", type=WHOLE, help="Number of voxels along each side."),
        assigning,
        weighting,
        option(
            "--subtract-shot-noise",
            is_flag=True,
            default=None,
            help="Subtract the shot noise, which is reported in either case.",
        ),
        option(
            "--interlacing/--no-interlacing",
            default=None,
            help="Whether to remove the odd aliases of the grid from powers and bispectrum "
            "(default: yes).",
        ),
        option(
            "--k-min",
            metavar="K",
            help='For powers: lower edge of the first bin of k, such as "0.1 h/Mpc".',
        ),
        option(
            "--k-max",
            metavar="K",
            help='For powers: upper edge of the last bin of k, such as "10 h/Mpc".',
        ),
        option(
            "--k-width",
            metavar="K",
            help='For powers: width of the bins of k, such as "0.05 h/Mpc".',
        ),
        option(
            "--log-k-width",
            metavar="DEX",
            help='For powers: width of logarithmic bins of k, such as "0.1 dex".',
        ),
        option(
            "--k1",
            metavar="K",
            help='For bispectrum: first side of the triangles, such as "3 h/Mpc".',
        ),
        option(
            "--k2",
            metavar="K",
            help='For bispectrum: second side of the triangles, such as "4 h/Mpc".',
        ),
        option(
            "--angles",
            type=WHOLE,
            help="For bispectrum: number of angles between the two sides of the triangles, from 0 "
            "to pi.",
        ),
        option(
            "--shell-width",
            metavar="K",
            help='For bispectrum: width of the shells in k, such as "0.5 h/Mpc".',
        ),
    ),
    option_group(
        "Statistics by mass",
        option("--bin-width", metavar="DEX", help='Width of the bins of mass, such as "0.25 dex".'),
    ),
    option_group(
        "Correlation functions",
        option("--r-min", metavar="R", help='Least separation of pairs, such as "0.1 Mpc/h".'),
        option("--r-max", metavar="R", help='Greatest separation of pairs, such as "20 Mpc/h".'),
        option("--bins", type=WHOLE, help="Number of bins of separation."),
        option(
            "--pi-max",
            metavar="R",
            help="For wp, cross_wp, sky_wp: greatest separation of pairs along the line of sight, "
            'such as "40 Mpc/h".',
        ),
        option(
            "--mu-bins",
            type=WHOLE,
            help="For multipoles, wedges, sky_window: number of bins of the cosine of the angle to "
            "the line of sight.",
        ),
        option(
            "--weigh-by",
            metavar="COLUMNS",
            help="Columns whose product weighs galaxies, on the sky randoms too, joined by commas, "
            "or none (default: none in a box; on the sky weight,weight_fkp, of those that there "
            "are).",
        ),
    ),
    option_group(
        "On the sky",
        option(
            "--theta-min", metavar="A", help='For w_theta: least angle of pairs, such as "0.1 deg".'
        ),
        option(
            "--theta-max", metavar="A", help='For w_theta: greatest angle of pairs, "5 deg" say.'
        ),
        option(
            "--spacing",
            type=click.Choice(["log", "linear"]),
            help="Whether bins of separation are equal in the logarithm (default) or linear.",
        ),
        option(
            "--redshifts",
            metavar="COLUMN",
            help="Redshifts that become distances (default: redshift_measured if the galaxies have "
            "it, else redshift; redshift_cosmological is real space).",
        ),
        option(
            "--fiducial-cosmology",
            metavar="NAME=X,...",
            help='Cosmology of the distances, such as "omega_m=0.31,w0=-0.9" (default: that of the '
            "simulation).",
        ),
        option(
            "--random-parts",
            type=WHOLE,
            help="Parts of the randoms within which their pairs are counted (default: as many as "
            "let these cost what those with galaxies do).",
        ),
        option(
            "--padding",
            type=FLOAT,
            help="For sky_power: side of the grid over the extent of the survey (default: 2).",
        ),
    ),
    option_group(
        "Several statistics",
        option(
            "--line-of-sight",
            type=click.Choice(["x", "y", "z"]),
            help="Line of sight for redshift space (default: none, which is real space).",
        ),
        option(
            "--jackknife",
            type=WHOLE,
            help="Sub-volumes along each side of the box for jackknife errors, on the sky the "
            "number of regions, or 0 for computed errors (Gaussian, Poisson).",
        ),
    ),
)
