"""The files of a mock: its galaxies, its randoms if it has some, and the record of the run."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OutputError, UsageError, warn
from ...system.files.atomic import check_output, together
from ...system.files.lock import output_lock
from ...system.memory import peak_memory
from ...types import GalaxyCatalog, SourceFile
from ...writers.provenance import sidecar_path, write_sidecar
from ..write import CHUNK_ROWS, FileWriter, writer_for

if TYPE_CHECKING:
    from ...recipe import SurveyRecipe


@dataclass(frozen=True)
class Outputs:
    """Where a run writes: checked before any work, locked during it.

    Parameters
    ----------
    galaxies : Path
    randoms : Path or None
    units : str
    overwrite : bool
    writer, writer_of_randoms : FileWriter
    started : tuple of float
        Wall-clock and CPU time [s].
    cleaned_up : list of str
        What runs that ended early had left.
    """

    galaxies: Path
    randoms: Path | None
    units: str
    overwrite: bool
    writer: FileWriter
    writer_of_randoms: FileWriter
    started: tuple[float, float]
    cleaned_up: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, recipe: SurveyRecipe, out: Path) -> Outputs:
        """Return the outputs of a recipe, before anything is read.

        Raises
        ------
        UsageError
            No writer has the extension; or galaxies and randoms are one file.
        """
        plan = None if recipe.survey is None else recipe.survey.randoms
        randoms = None if plan is None else plan.out or beside(out, "-randoms")
        if randoms is not None and randoms.absolute() in (
            out.absolute(),
            sidecar_path(out).absolute(),
        ):
            raise UsageError(randoms, "one file for galaxies and randoms", "two", "name another")
        return cls(
            out,
            randoms,
            recipe.units,
            recipe.overwrite,
            writer_for(out, compress=recipe.compress),
            writer_for(randoms or out, compress=recipe.compress),
            (time.time(), time.process_time()),
        )

    @property
    def paths(self) -> list[Path]:
        """The files of galaxies and randoms, and the record."""
        randoms = [] if self.randoms is None else [self.randoms]
        return [self.galaxies, *randoms, sidecar_path(self.galaxies)]

    def check(self, inputs: Sequence[Path], expected_bytes: int = 0) -> None:
        """Raise if one of them could not be written: see `mockgal.system.files.atomic`."""
        for path in self.paths:
            check_output(path, self.overwrite, inputs, expected_bytes)
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
    ) -> None:
        """Write galaxies and randoms, completely or not at all, and the record of the run.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        randoms : GalaxyCatalog or None
        inputs : sequence of Path
            The files that were read, which are never replaced.
        """
        how: dict[str, Any] = {
            "units": self.units,
            "overwrite": self.overwrite,
            "chunk_rows": CHUNK_ROWS,
            "inputs": inputs,
        }
        with together(*self.paths[:-1]):
            if randoms is not None and self.randoms is not None:
                self.writer_of_randoms.write(randoms, self.randoms, **how)
            self.writer.write(galaxies, self.galaxies, **how)

    def record(
        self,
        galaxies: GalaxyCatalog,
        randoms: GalaxyCatalog | None,
        source: Sequence[SourceFile],
    ) -> tuple[str, str]:
        """Write the record of the run beside the galaxies; warn if it cannot be written.

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
            "input_files": [file._asdict() for file in source],
            "content_digest": digests[0],
            "cleaned_up": self.cleaned_up,
        }
        if randoms is not None:
            facts["randoms"] = {"path": str(self.randoms), "content_digest": digests[1]}
        try:
            write_sidecar(self.galaxies, facts, overwrite=self.overwrite)
        except OutputError as error:  # the catalogues are written and complete
            warn(f"the record of the run was not written: {error}", stacklevel=2)
        return digests


def beside(path: Path, ending: str) -> Path:
    """Return a path with an ending added to its name, before the extension (or both of them)."""
    gzipped = ".gz" if path.name.lower().endswith(".gz") else ""
    inner = path.with_suffix("") if gzipped else path
    return path.with_name(f"{inner.stem}{ending}{inner.suffix}{path.suffix if gzipped else ''}")
