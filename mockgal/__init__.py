"""Mock galaxy catalogues painted on gravity-only simulations.

>>> import mockgal
>>> sim = mockgal.read("dark.hdf5")                                     # doctest: +SKIP
>>> mock = mockgal.select(mockgal.paint(sim, "hod", seed=1),
...                       "stellar_mass > 1e10 Msun/h")                 # doctest: +SKIP
>>> mockgal.write(mock, "mock.fits")                                    # doctest: +SKIP
>>> mock = mockgal.read_galaxies("mock.fits")                           # doctest: +SKIP
>>> mockgal.measure(mock, "power").save("power.ecsv")                   # doctest: +SKIP

Importing this package loads none of torch, halotools, astropy or h5py; the functions do, when
they are called.
"""

__version__ = "0.1.0"

# Five functions have the names of rooms. The rooms are loaded first, so that no later import of
# one can take the name back: `mockgal.read` is the function, `mockgal.read.detect` still imports.
from importlib import import_module as _load

for _room in ("read", "paint", "select", "write", "measure"):
    _load(f".{_room}", __name__)

from .measuring import measure, read_measurement  # noqa: E402
from .pipeline import (  # noqa: E402
    build,
    pack,
    paint,
    read,
    read_galaxies,
    select,
    to_halotools,
    to_table,
    write,
)
from .summary import inspect  # noqa: E402

__all__ = [
    "build",
    "inspect",
    "measure",
    "pack",
    "paint",
    "read",
    "read_galaxies",
    "read_measurement",
    "select",
    "to_halotools",
    "to_table",
    "write",
]
