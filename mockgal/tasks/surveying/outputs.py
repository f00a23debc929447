"""The files of a mock: its galaxies, its randoms if it has some, and the record of the run."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...digests import fingerprint
from ...errors import OutputError, UsageError, warn
from ...system.files import signals
from ...system.files.atomic import check_output
from ...system.files.lock import output_lock
from ...system.memory import peak_memory
from ...system.parallel import over
from ...types import GalaxyCatalog
from ...writers.models.companions import density_path, has_density, randoms_path
from ...writers.provenance import sidecar_path, write_sidecar
from ..write import FileWriter, write_model, writer_for

if TYPE_CHECKING:
    from ...recipe import SurveyRecipe


@dataclass(frozen=True)
class Outputs:
    """Where a run writes: checked before any work, locked during it.

    Parameters
    ----------
    galaxies : Path
    randoms : Path or None
    density : Path or None
        Of the number density by redshift, if the data model has such a file.
    how : dict
        Options of `mockgal.tasks.write.write_model`.
    writer, writer_of_randoms : FileWriter
    started : tuple of float
        Wall-clock and CPU time [s].
    cleaned_up : list of str
        What runs that ended early had left.
    inputs_digest : str
        Of a mock of an ensemble: of all that it is made from, for its record.
    """

    galaxies: Path
    randoms: Path | None
    density: Path | None
    how: dict[str, Any]
    writer: FileWriter
    writer_of_randoms: FileWriter
    started: tuple[float, float]
    cleaned_up: list[str] = field(default_factory=list)
    inputs_digest: str = ""

    @classmethod
    def of(cls, recipe: SurveyRecipe, out: Path) -> Outputs:
        """Return the outputs of a recipe, before anything is read.

        Raises
        ------
        UsageError
            No writer has the extension; or galaxies and randoms are one file.
        """
        plan = None if recipe.survey is None else recipe.survey.randoms
        randoms = None if plan is None else plan.out or randoms_path(out, recipe.model_out)
        how: dict[str, Any] = {
            "compress": recipe.compress,
            "model": recipe.model_out,
            "desi_release": recipe.desi_release,
            "precision": recipe.precision_out,
            "position_rounding": recipe.position_rounding,
        }
        density = density_path(out, recipe.model_out) if has_density(recipe.model_out) else None
        _check_apart(out, randoms, density)
        writer = writer_for(out, **how)
        writer_of_randoms = writer_for(randoms or out, **how)
        if randoms is not None:
            writer_of_randoms.check_randoms(randoms)
        return cls(
            out,
            randoms,
            density,
            {**how, "units": recipe.units, "overwrite": recipe.overwrite},
            writer,
            writer_of_randoms,
            (time.time(), time.process_time()),
        )

    @property
    def paths(self) -> list[Path]:
        """The files of galaxies, randoms and number density, and the record."""
        beside = [path for path in (self.randoms, self.density) if path is not None]
        return [self.galaxies, *beside, sidecar_path(self.galaxies)]

    def check(self, inputs: Sequence[Path], expected_bytes: int = 0) -> None:
        """Raise if one of them could not be written: see `mockgal.system.files.atomic`."""
        for path in self.paths:
            catalogue = path in (self.galaxies, self.randoms)
            check = self.writer.check_output if catalogue else check_output
            check(path, self.how["overwrite"], inputs, expected_bytes)
            expected_bytes = 0  # of the galaxies, which are first

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from writing them in the block, before anything is computed."""
        with ExitStack() as locks:
            for path in self.paths:
                self.cleaned_up.extend(locks.enter_context(output_lock(path)))
            yield

    def write(
        self, galaxies: GalaxyCatalog, randoms: GalaxyCatalog | None, inputs: Sequence[Path]
    ) -> Path | None:
        """Write galaxies and randoms, completely or not at all.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        randoms : GalaxyCatalog or None
        inputs : sequence of Path
            The files that were read, which are never replaced.

        Returns
        -------
        Path or None
            The file of the number density by redshift, if there is one.
        """
        written = write_model(
            galaxies,
            self.galaxies,
            randoms=randoms,
            randoms_path=self.randoms,
            inputs=inputs,
            **self.how,
        )
        return self.density if self.density in written else None

    def write_and_record(
        self,
        galaxies: GalaxyCatalog,
        randoms: GalaxyCatalog | None,
        inputs: Sequence[Path],
        asked: Mapping[str, Any],
    ) -> tuple[Path | None, tuple[str, str]]:
        """Write galaxies and randoms, and their record: a signal leaves none without the other.

        Returns
        -------
        Path or None
            See `write`.
        tuple of str
            See `record`.
        """
        before = [_state(path) for path in (self.galaxies, sidecar_path(self.galaxies))]
        try:
            density = self.write(galaxies, randoms, inputs)
            with signals.finishing():
                return density, self.record(galaxies, randoms, asked)
        except (KeyboardInterrupt, SystemExit):
            now = [_state(path) for path in (self.galaxies, sidecar_path(self.galaxies))]
            if now[0] != before[0] and now[1] == before[1]:  # the signal came as they were in place
                with signals.finishing():
                    self.record(galaxies, randoms, asked)
            raise

    def record(
        self,
        galaxies: GalaxyCatalog,
        randoms: GalaxyCatalog | None,
        asked: Mapping[str, Any],
    ) -> tuple[str, str]:
        """Write the record of the run beside the galaxies; warn if it cannot be written.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        randoms : GalaxyCatalog or None
        asked : mapping
            What was asked for, and the files read: see `mockgal.tasks.verification.inputs`.

        Returns
        -------
        tuple of str
            Content digests of the galaxies, and of the randoms or "".
        """
        digests = galaxies.digest(), "" if randoms is None else randoms.digest()
        facts: dict[str, Any] = {
            "host": platform.node(),
            "started": self.started[0],
            "seconds": time.time() - self.started[0],
            "cpu_seconds": time.process_time() - self.started[1],
            "peak_memory_bytes": peak_memory(),
            "python": platform.python_version(),
            "arguments": sys.argv,
            **asked,
            "content_digest": digests[0],
            "cleaned_up": self.cleaned_up,
        }
        if self.inputs_digest:
            facts["inputs_digest"] = self.inputs_digest
        if randoms is not None:
            facts["randoms"] = {"path": str(self.randoms), "content_digest": digests[1]}
        try:
            facts["outputs"] = self._outputs()
            write_sidecar(self.galaxies, facts, overwrite=self.how["overwrite"])
        except (OSError, OutputError) as error:  # the catalogues are written and complete
            warn(f"the record of the run was not written: {error}")
        return digests

    def _outputs(self) -> list[dict[str, Any]]:
        """Return name, size and digest of what was written, folders as one."""
        written = [path for path in self.paths[:-1] if path.exists()]
        prints = over(fingerprint, written)
        return [
            {"name": os.path.relpath(path, self.galaxies.parent), **print_._asdict()}
            for path, print_ in zip(written, prints, strict=True)
        ]


def _state(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from one that replaces it; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _check_apart(out: Path, randoms: Path | None, density: Path | None) -> None:
    """Raise if two outputs are one file, by whatever names."""
    paths = [path for path in (out, sidecar_path(out), density, randoms) if path is not None]
    real = [os.path.realpath(path) for path in paths]
    if len(set(real)) < len(real):
        raise UsageError(
            *(randoms or out, "one file for galaxies and randoms, or what is written beside them"),
            *("a file for each", "name another"),
        )
