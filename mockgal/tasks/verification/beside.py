"""What is beside a mock, and what it was made from: the checks of a verification."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...digests import Fingerprint, fingerprint
from ...errors import InputError, UsageError, listening
from ...layout import MODEL
from ...readers.mocks.facts import Facts
from ...readers.mocks.reader import examine
from ...system.files.plain_text import absent
from ...writers.models.companions import content_in, density_path, has_density
from ...writers.provenance import sidecar_path
from .checks import ABSENT, OPEN, RIGHT, WRONG, Check
from .inputs import Compared, Input, compared, located, stated_inputs

Record = Mapping[str, Any]


class Inputs(NamedTuple):
    """Where inputs are looked for, and whether they must be found.

    Parameters
    ----------
    folders : tuple of Path
        Beside where they were, the folder of the mock and the working directory.
    needed : bool
    """

    folders: tuple[Path, ...] = ()
    needed: bool = False

    def check(self) -> None:
        """Raise if one of the folders is none.

        Raises
        ------
        UsageError
        """
        for folder in self.folders:
            if not folder.is_dir():
                raise UsageError(
                    "--look-in", f"{folder}, which is no folder", "a folder", "check its name"
                )

    def of(self, path: Path) -> tuple[Path, ...]:
        """Return the folders for the inputs of a mock."""
        return (*self.folders, path.parent, Path())


def check_there(path: Path) -> None:
    """Raise if there is no file or folder at a path.

    Raises
    ------
    InputError
    """
    if not os.path.exists(path):
        raise absent(path, "a mock that mockgal wrote, or the manifest of an ensemble")


def of_the_record(path: Path, facts: Facts | None, record: Record | None) -> Iterator[Check]:
    """Yield the checks of the record of the run, and of the files that it lists.

    Parameters
    ----------
    path : Path
        The mock.
    facts : Facts or None
        Its description, if it can be read.
    record : mapping or None
    """
    if record is None:
        name = sidecar_path(path).name
        yield Check(path, "record", OPEN, "none that can be read", name)
        return
    if facts is not None:
        why = f"{sidecar_path(path)} is the record of another mock"
        check = Check.equal(path, "record", record.get("content_digest"), facts.digest, why)
        yield check
        if check.result == WRONG:
            return
    for n, one in enumerate(record["outputs"]):  # the mock is the first, also by another name
        yield from _of_an_output(path, {**one, "name": path.name} if n == 0 else one)
    randoms = _randoms(path, record)
    if randoms is not None and randoms.exists():
        yield _of_the_randoms(path, randoms, record["randoms"].get("content_digest"))


def _of_an_output(path: Path, stated: Record) -> Iterator[Check]:
    """Yield the check of a file or folder that was written, whole."""
    beside, was = path.parent / stated["name"], stated["sha256"]
    title = "whole file" if beside.name == path.name else "file beside"
    if not (beside.is_file() or beside.is_dir()):
        yield Check(path, title, WRONG, "none", beside.name, f"{beside} is not there")
        return
    now = fingerprint(beside)
    result = RIGHT if now.sha256 == was else WRONG
    why = f"{beside} has {now.bytes:,} bytes of SHA-256 {now.sha256}; what was written had "
    why += f"{stated['bytes']:,} bytes of {was}"
    found = f"{beside.name} {now.sha256[:16]}"
    yield Check(path, title, result, found, was[:16], why if result == WRONG else "")


def _randoms(path: Path, record: Record) -> Path | None:
    """Return the path of the randoms that belong to a mock, if the record names some."""
    randoms = record["randoms"]
    if randoms is None:
        return None
    name = os.path.basename(str(randoms.get("path")))
    for one in record["outputs"]:  # relative to the mock, which may have been moved
        if os.path.basename(one["name"]) == name:
            return path.parent / str(one["name"])
    return path.parent / name


def _of_the_randoms(path: Path, randoms: Path, digest: object) -> Check:
    """Return the check of the rows of randoms, and that they are those of the mock."""
    try:
        with listening(quiet=True):
            _, found = examine(randoms)
    except InputError as error:
        return Check(path, "randoms", WRONG, "damaged", "as written", str(error))
    why = found.damage or ", ".join(found.changed)
    if found.facts is None or why:
        return Check(path, "randoms", WRONG, "changed", "as written", f"{randoms}: {why}")
    why = f"{randoms} are those of another mock"
    return Check.equal(path, "randoms", found.facts.digest, digest, why)


def of_the_density(path: Path, facts: Facts) -> Iterator[Check]:
    """Yield the check of the number density by redshift that a data model has beside it."""
    model = facts.file.get(MODEL, {}).get("name")
    if not isinstance(model, str) or not has_density(model):
        return
    beside = density_path(path, model)
    if facts.provenance.get("painter", {}).get("name") != "randoms" and beside.exists():
        why = f"{beside} is of another mock, or was changed"
        yield Check.equal(path, "n(z)", content_in(beside), facts.digest, why)


def of_the_inputs(path: Path, facts: Facts, record: Record | None, how: Inputs) -> Iterator[Check]:
    """Yield the checks of the files that a mock was made from, and of the law that it has."""
    yield from _of_the_law(path, facts.provenance.get("painter", {}), how.needed)
    for one in inputs_now(path, facts, record, how):
        result = RIGHT if one.same else WRONG if one.same is False else OPEN
        why = ""
        if one.path is None:
            result = WRONG if how.needed else ABSENT
            why = f"{one.input.name} is neither where it was nor beside the mock"
        elif one.same is False:
            why = f"{one.path} is another than the one that the mock was made from"
        found = one.found if one.path is None else f"{one.path.name} {one.found}"
        yield Check(path, one.input.title, result, found, one.expected, why)


def inputs_now(path: Path, facts: Facts, record: Record | None, how: Inputs) -> list[Compared]:
    """Return the files that a mock was made from, each compared with what it was."""
    record = record if record and record.get("content_digest") == facts.digest else {}
    inputs, paths = _inputs(facts, record)
    places = located(inputs, paths, how.of(path))
    return [compared(one, places.get(one.use), record) for one in inputs]


def _inputs(facts: Facts, record: Record) -> tuple[list[Input], dict[str, str]]:
    """Return the inputs of a mock, and where they were."""
    inputs, paths = list(stated_inputs(facts.provenance)), dict(record.get("paths", {}))
    if inputs:
        return inputs, paths
    # The record of a mock of mockgal before 0.2 lists files alone.
    for n, file in enumerate(record.get("input_files", ())):
        was = Fingerprint(1, int(file["size"]), str(file["digest"]))
        inputs.append(Input(f"input.{n}.file", os.path.basename(file["path"]), was))
        paths[inputs[-1].use] = str(file["path"])
    return inputs, paths


def _of_the_law(path: Path, painter: Mapping[str, Any], needed: bool) -> Iterator[Check]:
    """Yield the check that the calibration or the weights still come with mockgal, if they did."""
    for kind in ("calibration", "weights"):
        digest, name = painter.get(f"{kind}_digest"), painter.get(kind)
        if not painter.get("comes_with_mockgal") or digest is None:
            continue
        now = _shipped(kind)
        found = next((x for x, y in now.items() if y == digest), None) or now.get(str(name), "none")
        why = f"this mockgal comes with no {kind} {name} of this digest: it was made with another"
        result = RIGHT if digest in now.values() else WRONG if needed else ABSENT
        texts = (f"{name} {digest[:16]}" if result == RIGHT else str(found)[:16], digest[:16])
        yield Check(path, kind, result, *texts, "" if result == RIGHT else why)


def _shipped(kind: str) -> dict[str, str]:
    """Return the digests of the calibrations or weights that come with mockgal, by name."""
    if kind == "calibration":
        from ...painters.hod.store import shipped

        return {table.name: table.digest for table in shipped()}
    from ...painters.cnn.weights.named import shipped_weights

    return {one.header.name: one.digest for one in shipped_weights()}
