"""Halo lists as Rockstar and consistent-trees write them, with numbers that agree with each other.

Formats of the numbers and comments: yt-project/rockstar, io/meta_io.c, and the head of a list of
consistent-trees 1.01.
"""

import numpy as np

from mockgal.testing import COSMOLOGY

PARTICLE = 1.33925e9  # Msun/h
FIRST_ID = 2**53 + 1  # which a float cannot hold

_OUT = """ID DescID Mvir Vmax Vrms Rvir Rs Np X Y Z VX VY VZ JX JY JZ Spin rs_klypin Mvir_all
M200b M200c M500c M2500c Xoff Voff T/|U| PID"""
_HLIST = """scale id desc_scale desc_id num_prog pid upid desc_pid phantom sam_mvir mvir rvir rs
vrms mmp? scale_of_last_MM vmax x y z vx vy vz Jx Jy Jz Spin Mvir_all M200b M200c M500c b_to_a(500c)
T/|U| Log_(Vmax/Vmax_max(Tdyn;Tmpeak)) Future_merger_MMP_ID"""
OUT, HLIST = _OUT.split(), _HLIST.split()
UNITS = [
    "Units: Masses in Msun / h",
    "Units: Positions in Mpc / h (comoving)",
    "Units: Velocities in km / s (physical, peculiar)",
    "Units: Halo Distances, Lengths, and Radii in kpc / h (comoving)",
    "Units: Spins are dimensionless",
    "Np is an internal debugging quantity.",
    "Rockstar Version: 0.99.9-RC3+",
]
DESCRIPTIONS = [
    "Scale: Scale factor of halo.",
    "Pid: ID of least massive host halo (-1 if distinct halo).",
    "Mvir: Halo mass (Msun/h).",
    "Rvir: Halo radius (kpc/h comoving).",
    "X/Y/Z: Halo position (Mpc/h comoving).",
    "VX/VY/VZ: Halo velocity (km/s physical).",
    "A[x],A[y],A[z]: Largest shape ellipsoid axis (kpc/h comoving)",
    "Includes fix for Rockstar spins & T/|U| (assuming T/|U| = column 53)",
    "Consistent Trees Version 1.01",
]


def virial_density(redshift):
    """Comoving density within the virial radius [Msun/h / (Mpc/h)^3], flat (Bryan & Norman)."""
    critical = 2.7753662e11 * (COSMOLOGY.omega_m + COSMOLOGY.omega_lambda / (1 + redshift) ** 3)
    x = COSMOLOGY.omega_m / (COSMOLOGY.omega_m + COSMOLOGY.omega_lambda / (1 + redshift) ** 3) - 1
    return critical * (18 * np.pi**2 + 82 * x - 39 * x**2)


def universe(hosts=420, box_size=40.0, redshift=0.0, seed=1):
    """Columns by lower-case names: hosts, a satellite in every fourth, one in every third of those.

    ``pid`` names the next larger halo, ``upid`` the host.
    """
    rng = np.random.default_rng(seed)
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    place = (0.5 + np.outer(np.arange(1, hosts + 1), steps)) % 1.0 * box_size
    count = (60 * rng.uniform(size=hosts) ** -0.5).astype(int).clip(60, 4000)
    sub = np.arange(0, hosts, 4)
    subsub = np.arange(0, len(sub), 3)
    row = np.r_[np.arange(hosts), sub, sub[subsub]]  # of the host
    above = np.r_[np.full(hosts, -1), sub, hosts + subsub]
    number = np.r_[count, count[sub] // 4, count[sub[subsub]] // 16].clip(20)
    ids = FIRST_ID + 2 * np.arange(len(row))
    central = above < 0
    mass = number * PARTICLE
    radius = 1e3 * (mass / (4 / 3 * np.pi * virial_density(redshift))) ** (1 / 3)
    offset = rng.normal(size=(len(row), 3)) * np.where(central, 0, 0.05)[:, None]
    position = np.mod(place[row] + offset, box_size)
    velocity = 200 * rng.normal(size=(len(row), 3))
    return {
        "id": ids,
        "pid": np.where(central, -1, ids[above]),
        "upid": np.where(central, -1, ids[row]),
        "mvir": mass,
        "rvir": radius,
        "mvir_all": mass * 1.02,
        "m200b": mass * 1.03,
        "m200c": mass * 0.9,
        "m500c": mass * 0.6,
        "vmax": 100 * (mass / 1e12) ** (1 / 3),
        "np": number * 2,
        **{name: position[:, i] for i, name in enumerate("xyz")},
        **{f"v{name}": velocity[:, i] for i, name in enumerate("xyz")},
        "scale": np.full(len(row), 1 / (1 + redshift)),
        "phantom": np.zeros(len(row), int),
    }


_FORMATS = {"m": "%.5e", "scale": "%.5f", "vx": "%.2f", "vy": "%.2f", "vz": "%.2f"}


def _words(name, values):
    if values.dtype.kind == "i":
        return [str(v) for v in values.tolist()]
    form = _FORMATS.get(name) or ("%.5e" if name.startswith("m") else "%.5f")
    return [form % v for v in values]


class Sample:
    """A list that can be changed word by word before it is written.

    ``comments`` are the lines after the first, without their #.
    """

    def __init__(self, kind="hlist", table=None, *, box_size=40.0, redshift=0.0):
        self.kind = kind
        self.table = universe(box_size=box_size, redshift=redshift) if table is None else table
        self.names = list(OUT if kind == "out" else HLIST)
        rows = len(self.table["id"])
        filler = ["0.5"] * rows
        columns = [
            _words(name.lower(), self.table[name.lower()]) if name.lower() in self.table else filler
            for name in self.names
        ]
        self.rows = [list(row) for row in zip(*columns, strict=True)]
        c = COSMOLOGY
        if kind == "out":
            self.comments = [
                f"a = {1 / (1 + redshift):.6f}",
                f"Om = {c.omega_m:.6f}; Ol = {c.omega_lambda:.6f}; h = {c.h:.6f}",
                "FOF linking length: 0.280000",
                "Unbound Threshold: 0.500000; FOF Refinement Threshold: 0.700000",
                f"Particle mass: {PARTICLE:.5e} Msun/h",
                f"Box size: {box_size:.6f} Mpc/h",
                "Force resolution assumed: 0.009 Mpc/h",
                *UNITS,
            ]
        else:
            self.comments = [
                f"Omega_M = {c.omega_m:.6f}; Omega_L = {c.omega_lambda:.6f}; h0 = {c.h:.6f}",
                f"Full box size = {box_size:.6f} Mpc/h",
                *DESCRIPTIONS,
            ]

    def column(self, name):
        return [n.lower() for n in self.names].index(name)

    def set(self, row, name, word):
        self.rows[row][self.column(name)] = str(word)
        return self

    def scale(self, name, factor):
        """Multiply a column."""
        for row in self.rows:
            row[self.column(name)] = f"{float(row[self.column(name)]) * factor:.6g}"
        return self

    def drop(self, name):
        """Take a column away."""
        place = self.column(name)
        del self.names[place]
        for row in self.rows:
            del row[place]
        return self

    def comment(self, begin, line=None):
        """Replace the comment that begins so, or take it away."""
        (place,) = (i for i, text in enumerate(self.comments) if text.startswith(begin))
        self.comments[place : place + 1] = [] if line is None else [line]
        return self

    def first(self):
        numbered = self.kind == "hlist"
        return "#" + " ".join(f"{n}({i})" if numbered else n for i, n in enumerate(self.names))

    def text(self, end="\n"):
        lines = [self.first(), *(f"#{text}" for text in self.comments)]
        lines += [" ".join(row) for row in self.rows]
        return "".join(line + end for line in lines)

    def write(self, path, **how):
        path.write_text(self.text(**how))
        return path
