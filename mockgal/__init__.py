"""Mock galaxy catalogues painted on gravity-only simulations.

>>> import mockgal
>>> sim = mockgal.read("dark.hdf5")                                     # doctest: +SKIP
>>> mock = mockgal.select(mockgal.paint(sim, "hod", seed=1),
...                       "stellar_mass > 1e10 Msun/h")                 # doctest: +SKIP
>>> mockgal.write(mock, "mock.fits")                                    # doctest: +SKIP

Importing this package loads none of torch, halotools, astropy or h5py; the functions do, when
they are called.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["build", "inspect", "pack", "paint", "read", "select", "to_table", "write"]

if TYPE_CHECKING:
    from .pipeline import build, pack, paint, read, select, to_table, write
    from .summary import inspect

_HOME = {name: "pipeline" for name in __all__} | {"inspect": "summary"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
