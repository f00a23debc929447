"""Mock galaxy catalogues painted on gravity-only simulations.

>>> import mockgal
>>> sim = mockgal.read("dark.hdf5")                                     # doctest: +SKIP
>>> mock = mockgal.select(mockgal.paint(sim, "hod", seed=1),
...                       "stellar_mass > 1e10 Msun/h")                 # doctest: +SKIP
>>> mockgal.write(mock, "mock.fits")                                    # doctest: +SKIP
>>> mock = mockgal.read_galaxies("mock.fits")                           # doctest: +SKIP
>>> mockgal.measure(mock, "power").save("power.ecsv")                   # doctest: +SKIP

Importing this package does not load torch, halotools, astropy or h5py; the functions load what
they need when they are called.
"""

__version__ = "0.2.0"

import sys as _sys

# `python -m mockgal` searches the working directory for modules first, and a download there may be
# called numpy.py. If mockgal itself is there, as in a checkout, that directory is searched last.
if (
    _sys.argv[:1] == ["-m"]
    and _sys.orig_argv[-len(_sys.argv)].partition(".")[0].endswith(__name__)
    and not _sys.flags.safe_path
):
    _here = _sys.path.pop(0)
    _sys.path += [_here] * (_here == __file__.rpartition(f"/{__name__}/")[0])

from .system.files import signals as _signals

if _signals.is_command():  # the imports below take a while: Ctrl-C must not print a traceback
    _signals.end_at_once()

from .selection.ranks import most_massive
from .tasks.build import build, paint, populate, read, read_galaxies, select
from .tasks.calibrate import calibrate
from .tasks.comparison.compare import compare
from .tasks.ensembles.mocks import build_ensemble
from .tasks.evaluate import evaluate
from .tasks.field import field
from .tasks.fitting.fit import fit
from .tasks.fitting.results import read_fit
from .tasks.inspect import inspect
from .tasks.one_statistic import combine, measure, read_covariance, read_measurement
from .tasks.pack import pack
from .tasks.steps.truth import Truth
from .tasks.train import train
from .tasks.verification.commands import reproduce, verify
from .tasks.write import to_halotools, to_halotools_model, to_table, write

__all__ = [
    "Truth",
    "build",
    "build_ensemble",
    "calibrate",
    "combine",
    "compare",
    "evaluate",
    "field",
    "fit",
    "inspect",
    "measure",
    "most_massive",
    "pack",
    "paint",
    "populate",
    "read",
    "read_covariance",
    "read_fit",
    "read_galaxies",
    "read_measurement",
    "reproduce",
    "select",
    "to_halotools",
    "to_halotools_model",
    "to_table",
    "train",
    "verify",
    "write",
]
