"""The manifest of an ensemble: which mocks there are, and of which configuration."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ... import registry
from ...errors import CorruptFileError, UsageError
from ...system.files.atomic import atomic_output
from ...system.files.ecsv import read_ecsv, sealed

FORMAT = "mockgal ensemble 1"
SEED = "{seed}"
_COLUMNS = {
    "seed": "seed of the random draws",
    "file": "catalogue, relative to the folder of this file",
    "galaxies": "number of galaxies",
    "content_digest": "content digest of the catalogue",
    "randoms": "randoms of the survey, relative to the folder of this file",
}


class Member(NamedTuple):
    """A mock of an ensemble.

    Parameters
    ----------
    seed : int
    path : Path
    galaxies : int
    content_digest : str
    randoms : Path or None

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "one-{seed}.fits"}
    >>> (member,) = mockgal.build_ensemble(check(recipe, "an example"), "7").members
    >>> member.seed, member.path.name, member.randoms
    (7, 'one-7.fits', None)
    """

    seed: int
    path: Path
    galaxies: int
    content_digest: str
    randoms: Path | None


@dataclass(frozen=True)
class Manifest:
    """The finished mocks of an ensemble.

    Parameters
    ----------
    path : Path
    facts : dict
        What all mocks share, as plain JSON values.
    members : tuple of Member
        In the order of the seeds.
    """

    path: Path
    facts: dict[str, Any]
    members: tuple[Member, ...] = ()

    def save(self) -> None:
        """Write the manifest in place of an earlier one, completely or not at all."""
        from astropy.table import Table

        folder = self.path.parent
        rows = [
            (
                one.seed,
                os.path.relpath(one.path, folder),
                one.galaxies,
                one.content_digest,
                "" if one.randoms is None else os.path.relpath(one.randoms, folder),
            )
            for one in self.members
        ]
        table = Table(rows=rows or None, names=list(_COLUMNS), dtype=["i8", "U", "i8", "U", "U"])
        for name, meaning in _COLUMNS.items():
            table[name].description = meaning
        table.meta = {"format": FORMAT, **self.facts}
        text = sealed(table)
        with atomic_output(self.path, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @property
    def inputs_digest(self) -> str:
        """Digest of all that the mocks are made from, which the record of each has."""
        text = json.dumps(self.facts, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def manifest_path(out: Path) -> Path:
    """Return the path of the manifest of mocks at ``out``, which contains ``{seed}``.

    >>> manifest_path(Path("mocks/mock-{seed}.fits"))
    PosixPath('mocks/mock-manifest.ecsv')
    """
    stem = without_extension(out.name.replace(SEED, "manifest"))
    folder = out.parent
    while SEED in str(folder):
        folder = folder.parent
    return folder / f"{stem if 'manifest' in stem else f'{stem}-manifest'}.ecsv"


def without_extension(name: str) -> str:
    """Return a name without the extension of a writer: ``z0.5`` keeps its point.

    >>> without_extension("z0.5-1.fits.gz")
    'z0.5-1'
    """
    for _, writer in registry.working("writers"):
        for end in sorted(writer.extensions, key=len, reverse=True):
            if name.endswith(end):
                return name.removesuffix(end)
    return name


def is_manifest(path: Path) -> bool:
    """Return whether a file begins like a manifest; never raise."""
    try:
        with open(path, "rb") as file:
            begin = file.read(1 << 16) if path.is_file() else b""
    except OSError:
        return False
    return begin.startswith(b"# %ECSV") and FORMAT.rpartition(" ")[0].encode() in begin


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, is damaged, or is something else.
    """
    again = "build the ensemble again, which keeps the mocks that are there"
    table = read_ecsv(
        path, FORMAT, what="manifest of `mockgal build`", fix="check the path", again=again
    )
    try:
        columns = [table.columns[name].values.tolist() for name in _COLUMNS]
        facts = {key: value for key, value in table.meta.items() if key != "format"}
    except (KeyError, AttributeError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", FORMAT, again) from error
    members = tuple(
        Member(int(seed), path.parent / file, int(n), digest, path.parent / r if r else None)
        for seed, file, n, digest, r in zip(*columns, strict=True)
    )
    return Manifest(path, facts, members)


def paths_of(pattern: Path, seeds: Sequence[int]) -> list[Path]:
    """Return the path of each seed.

    Raises
    ------
    UsageError
        The path has no ``{seed}``.
    """
    if SEED not in str(pattern):
        raise UsageError(
            pattern,
            f"one file for {len(seeds)} mocks",
            f"a path with {SEED} in it",
            f"--out {pattern.with_name(f'{pattern.stem}-{SEED}{pattern.suffix}')}",
        )
    try:
        str(pattern).encode()
    except UnicodeEncodeError as error:  # the manifest, a text, lists it
        raise UsageError(
            pattern, "a path that is no UTF-8 text", "one of UTF-8", "give --out another name"
        ) from error
    return [Path(str(pattern).replace(SEED, str(seed))) for seed in seeds]
