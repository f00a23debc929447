"""Commands that put into one HDF5 file what it refers to elsewhere, for those who trust it.

HDF5's own h5repack keeps links and virtual datasets as they are.
"""

from __future__ import annotations

import shlex

_TRUST = "if you trust its source, copy the data into one file"


def with_links(path: str) -> str:
    """The way out for a file with links to others: a new file in which they are copies."""
    code = (
        f"import h5py; a, b = h5py.File({path!r}), h5py.File('NEW.hdf5', 'w'); "
        "[a.copy(k, b, expand_external=True, expand_soft=True) for k in a]; b.attrs.update(a.attrs)"
    )
    return f"{_TRUST}: `python -c {shlex.quote(code)}`"


def with_data(path: str, name: str) -> str:
    """The way out for a dataset whose values are elsewhere: a copy that holds them itself."""
    code = (
        f"import h5py; f = h5py.File('NEW.hdf5', 'r+'); d = f[{name!r}]; "
        f"x, s = d[()], dict(d.attrs); del f[{name!r}]; f[{name!r}] = x; "
        f"f[{name!r}].attrs.update(s)"
    )
    return f"{_TRUST}: `cp {shlex.quote(path)} NEW.hdf5; python -c {shlex.quote(code)}`"
