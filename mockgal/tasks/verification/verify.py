"""Verify mocks: whether they, and what belongs to them, are as they were written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import InputError, MockgalError, ResourceError, listening
from ...layout import CATALOGUE_SCHEMA
from ...readers.mocks.facts import Facts
from ...readers.mocks.ours import Examined
from ...readers.mocks.reader import examine, is_ours, read_galaxies
from ..ensembles.manifest import Manifest, Member, is_manifest, read_manifest
from .beside import Inputs, check_there, of_the_density, of_the_inputs, of_the_record
from .checks import OPEN, RIGHT, WRONG, Check, Verification
from .others import of_a_seal, of_another_file
from .records import read_record


def verified(
    path: Path, *, inputs: bool, look_in: Iterable[str | os.PathLike[str]]
) -> Verification:
    """Check a mock, those of a manifest, or another file: see `mockgal.verify`."""
    how = Inputs(tuple(map(Path, look_in)), inputs)
    how.check()
    check_there(path)
    if is_manifest(path):
        manifest = read_manifest(path)
        checks = [of_a_seal(path)]
        for member in manifest.members:
            checks += _of_member(member, manifest, how)
    else:
        checks = of_another_file(path) or _checks(path, how)[1]
    return Verification(path, tuple(checks))


def _of_member(member: Member, manifest: Manifest, how: Inputs) -> list[Check]:
    """Verify a mock of an ensemble, and what the manifest states of it."""
    path = member.path
    if not path.exists():
        why = f"{path} is not there"
        return [Check(path, "file", WRONG, "none", "as the manifest lists", why)]
    try:
        facts, checks = _checks(path, how)
    except InputError as error:
        return [Check(path, "file", WRONG, "no mock", "a mock", str(error))]
    if facts is None:
        return checks
    why = f"{manifest.path} lists another mock under this name"
    checks += [
        Check.equal(path, "manifest", facts.digest, member.content_digest, why),
        Check.equal(path, "galaxies", facts.rows, member.galaxies, why),
        Check.equal(path, "seed", facts.provenance.get("seed"), member.seed, why),
    ]
    own = facts.provenance.get("configuration")
    stated = {key: x for key, x in own.items() if key != "seed"} if isinstance(own, dict) else None
    if stated != manifest.facts.get("configuration"):
        checks.append(Check(path, "recipe", WRONG, "another", "that of the manifest", why))
    record = read_record(path)
    if record is not None and "inputs_digest" in record:
        why = "it was made from other files, or by another version, than the manifest states"
        digests = record["inputs_digest"], manifest.inputs_digest
        checks.append(Check.equal(path, "made from", *digests, why))
    return checks


def _checks(path: Path, how: Inputs) -> tuple[Facts | None, list[Check]]:
    """Return the description of one mock, if it can be read, and its checks."""
    record = read_record(path)
    try:
        with listening(quiet=True):
            format, found = examine(path)
    except InputError as error:
        if not (is_ours(path) or (record is not None and path.exists())):
            raise
        damaged = Check(path, "description", WRONG, "damaged", "as written", str(error))
        return None, [damaged, *of_the_record(path, None, record)]
    facts = found.facts
    if facts is None:
        return None, [Check(path, "rows", WRONG, "changed by hand", "as written", found.damage)]
    return facts, [
        *_of_the_rows(path, format, facts, found),
        *_of_the_configuration(path, facts),
        *of_the_record(path, facts, record),
        *of_the_density(path, facts),
        *of_the_inputs(path, facts, record, how),
    ]


def _of_the_rows(path: Path, format: str, facts: Facts, found: Examined) -> Iterator[Check]:
    schema = facts.file["schema"]
    yield Check(
        path, "format", RIGHT, f"{format}, schema {schema}", f"schema 1 to {CATALOGUE_SCHEMA}"
    )
    damage = found.damage
    if damage:
        yield Check(path, "rows", OPEN, f"{found.rows:,} read", f"{facts.rows:,}")
    else:
        yield Check.equal(path, "rows", found.rows, facts.rows)
    yield Check(
        *(path, "checksums", WRONG if damage else RIGHT),
        *("damaged" if damage else "all right", "all right", damage),
    )
    number = len(facts.columns)
    if damage:
        columns = Check(path, "columns", OPEN, "not all rows can be read", f"{number} as written")
    elif not facts.stored_digests:
        why = "mockgal before 0.2 wrote no digests of columns: their checksums are all there is"
        columns = Check(path, "columns", OPEN, f"{number}", "no digests in the file", why)
    else:
        right, text = number - len(found.changed), f"{number} as written"
        why = f"other rows than were written: {', '.join(found.changed)}" * bool(found.changed)
        result = WRONG if found.changed else RIGHT
        columns = Check(path, "columns", result, f"{right} of {number}", text, why)
    yield columns
    yield _content(path, facts, exact=found.exact, right=columns.result == RIGHT)


def _content(path: Path, facts: Facts, *, exact: bool, right: bool) -> Check:
    """Return the check of the content digest, where it can be computed from the file."""
    digest = facts.digest
    if not exact and right:  # the digest is that of other units, or of more columns
        return Check(path, "content", RIGHT, "as its columns are", digest[:16])
    if not exact:
        return Check(path, "content", OPEN, "columns were not all right", digest[:16])
    try:
        with listening(quiet=True):
            read_galaxies(path)  # compares the digest
    except ResourceError as error:
        return Check(path, "content", OPEN, "too large for memory", digest[:16], str(error))
    except MockgalError as error:
        return Check(path, "content", WRONG, "another", digest[:16], str(error))
    return Check(path, "content", RIGHT, digest[:16], digest[:16])


def _of_the_configuration(path: Path, facts: Facts) -> Iterator[Check]:
    from ...recipe import digest_of

    configuration = facts.provenance.get("configuration")
    stated = facts.provenance.get("configuration_digest")
    if isinstance(configuration, dict):
        why = "the recipe in the provenance is another than the one of its digest"
        yield Check.equal(path, "recipe", digest_of(configuration), stated, why)
