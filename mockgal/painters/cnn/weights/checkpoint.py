"""Conversion of the published dm2gal checkpoint, an untrusted pickle read by another process.

That process lets torch read it with ``weights_only=True``, which executes nothing, under limits on
time and memory. It returns plain tensors in a safetensors file, which is checked like any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    MockgalError,
    ResourceError,
    UnsafeInputError,
)
from ....system.files.atomic import check_output
from ....system.files.lock import output_error
from ....system.files.plain_text import ordinary_file
from ....system.memory import check_memory
from . import published
from .header import in_file
from .named import Weights, save_weights
from .tensor_file import COPY_AGAIN, check_names, strict_json, tensor_file

PROGRAM = Path(__file__).with_name("checkpoint_child.py")
COMPUTING_SECONDS, SECONDS = 120, 600.0
_SLACK = 1 << 30  # bytes that torch may use besides the tensors
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_OLD_TORCH = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")  # a number, pickled: torch before 1.6
_EXPECTED = "a checkpoint of the published dm2gal network"
_ANOTHER = "give the .ckpt file of the published network"
_UNSAFE = (
    "do not use this file; docs/how-to/convert-published-weights.md says what to do if its source "
    "is beyond doubt"
)


def convert_checkpoint(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False
) -> Weights:
    """Convert a checkpoint of the published network to a file of weights.

    Parameters
    ----------
    path : path
        Checkpoint written by torch (Lightning), of any version that has ``state_dict``.
    out : path
        Safetensors file to write.
    overwrite : bool
        Replace it if it exists.

    Returns
    -------
    Weights
        Weights with the architecture ``paper``. Facts that are not in the checkpoint are from
        `mockgal.painters.cnn.weights.published`; ``provenance["sources"]`` states their sources.

    Raises
    ------
    UnsafeInputError
        The checkpoint holds objects other than tensors and plain values, or more than its size
        accounts for; nothing in it was executed.
    InputError
        (or a subclass) The file is unreadable, damaged, or of another layout.
    UsageError, OutputError, ResourceError
        The output cannot be written, or there is too little memory.
    """
    path, out = Path(path), Path(out)
    check_output(out, overwrite, [path])
    state, facts = _read(path, out.parent)
    first = state.get(published.FIRST)
    try:
        network = published.network(64 if first is None or first.ndim == 0 else len(first))
        names = published.tensor_names(network)
        check_names(path, set(state), set(names), published.LAYOUT, _ANOTHER)
        weights = Weights(
            name=published.NAME,
            architecture=network,
            normalisation=published.NORMALISATION,
            domain=published.domain(),
            target="voxel",
            provenance=published.provenance(facts),
            state={names[name]: value for name, value in state.items()},
        )
    except BadValueError as error:
        raise in_file(path, error) from error
    save_weights(weights, out, overwrite=overwrite)
    return weights


def _read(path: Path, scratch: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of the ``state_dict``, and facts about the checkpoint.

    They are passed in an unnamed file in the folder ``scratch``: nothing of it remains, however the
    two processes end.
    """
    with ordinary_file(path, _EXPECTED) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(32)
        if head.startswith(_ZIP):
            _check_archive(path, size)
        elif not (head.startswith(_PICKLE) and _OLD_TORCH in head):
            raise _refusal(path, head)
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    check_memory(str(path), 4 * size)
    try:
        file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed below
    except OSError as error:
        raise output_error(scratch, error) from error
    with file:
        _child(path, file.fileno(), size)
        file.seek(0)  # some systems share the position among descriptors
        copy = Path(f"/dev/fd/{file.fileno()}")
        try:
            with tensor_file(copy) as opened:
                state = {name: torch.from_numpy(opened.read(name)) for name in opened.entries}
                facts = strict_json(opened.metadata["facts"].encode(), f"{copy}, its facts")
        except MockgalError as error:  # report it as an error of the checkpoint
            where = error.where.replace(str(copy), str(path))
            raise type(error)(where, error.found, error.expected, _ANOTHER) from error
    return state, {"file": path.name, "size": size, "sha256": digest} | facts


def _refusal(path: Path, head: bytes) -> CorruptFileError | UnsafeInputError:
    if head.startswith(_PICKLE):
        return UnsafeInputError(path, "a pickle that torch did not write", _EXPECTED, _UNSAFE)
    return CorruptFileError(path, f"a file that begins with {head[:16]!r}", _EXPECTED, COPY_AGAIN)


def _check_archive(path: Path, size: int) -> None:
    """Raise unless the members of a zip file are uncompressed and no larger than the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise CorruptFileError(
            path, f"a damaged zip file ({error})", _EXPECTED, COPY_AGAIN
        ) from error
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise UnsafeInputError(
            path, "compressed data", "uncompressed data, as torch stores them", _UNSAFE
        )
    declared = sum(member.file_size for member in members)
    if declared > size:
        raise UnsafeInputError(
            path, f"{declared} bytes declared in a file of {size}", "no more than that", _UNSAFE
        )


def _child(path: Path, out: int, size: int) -> None:
    """Let another process read the checkpoint, and write its tensors to a descriptor."""
    limits = [COMPUTING_SECONDS, 4 * size + _SLACK, size]
    # No environment variable of Python or torch may change how it is read.
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(PROGRAM), os.path.abspath(path), *map(str, [out, *limits])],
            pass_fds=[out],
            input=json.dumps([folder for folder in sys.path if os.path.isabs(folder)]),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            env=environment | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise UnsafeInputError(
            path, f"that reading it does not end within {SECONDS:g} s", _EXPECTED, _UNSAFE
        ) from error
    except OSError as error:
        raise ResourceError(
            path,
            f"that the process to read it cannot be started ({error.strerror or error})",
            "a machine that lets one more process start",
            "raise the limit on processes and memory (ulimit -u, ulimit -v)",
        ) from error
    if done.returncode < 0:
        raise UnsafeInputError(
            path, f"that reading it ends in signal {-done.returncode}", _EXPECTED, _UNSAFE
        )
    if done.returncode:
        reason = " ".join(done.stderr.split()[-30:])
        raise ResourceError(
            path,
            f"that the process to read it failed ({reason})",
            "a checkpoint that can be read",
            "check that torch and safetensors work, and that the disk has room for a copy",
        )
    reply: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    if "unsafe" in reply:
        raise UnsafeInputError(
            path, f"a pickle that asks for {reply['unsafe']}", "tensors and plain values", _UNSAFE
        )
    if "damaged" in reply:
        raise CorruptFileError(
            path, f"a damaged torch file ({reply['damaged'][:200]})", _EXPECTED, COPY_AGAIN
        )
    if "layout" in reply:
        raise FormatError(path, reply["layout"], f"{_EXPECTED}: a state_dict of tensors", _ANOTHER)
