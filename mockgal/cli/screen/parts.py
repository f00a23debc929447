"""What the screen says of builds in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import in_shell
from ..command import Outcome

if TYPE_CHECKING:
    from ...tasks.parts.build import Painted
    from ...tasks.parts.paint import PaintedPart
    from ...tasks.parts.place import Place
    from ...tasks.parts.status import Leftover, Progress


def of_parts(place: Place, made: Sequence[PaintedPart], read_whole: Sequence[str]) -> Outcome:
    """Return the lines and the facts of parts that were made.

    ``read_whole`` are the reasons why halos were read as a whole, and not in pieces.
    """
    lines = [
        f"part        {one.part} of {place.number}: {one.subhalos:,} subhalos, {one.galaxies:,} "
        "galaxies before cuts" + ", kept from before" * one.kept
        for one in made
    ]
    lines += [f"halos       were in memory as a whole ({why})" for why in read_whole]
    lines += [
        f"parts       in {place.folder}",
        f"then        mockgal merge {in_shell(place.out)}",
    ]
    facts = {
        "folder": place.folder,
        "out": place.out,
        "of": place.number,
        "read_whole": list(read_whole),
        "parts": [
            {
                "part": one.part,
                "path": one.path,
                "subhalos": one.subhalos,
                "galaxies": one.galaxies,
                "kept": one.kept,
            }
            for one in made
        ],
        "wrote": [one.path for one in made if not one.kept],
    }
    return Outcome(lines, facts)


def painted_lines(painted: Painted) -> Iterator[str]:
    """Yield what is said of a mock that was built in parts."""
    kept = f"; {painted.kept:,} kept from before" * bool(painted.kept)
    yield f"parts       {painted.parts:,}, painted by {painted.by}{kept}"


def painted_facts(painted: Painted) -> dict[str, Any]:
    """Return the same for programs."""
    return {"parts": painted.parts, "parts_kept": painted.kept, "painted_by": painted.by}


def of_status(builds: Sequence[Progress]) -> Outcome:
    """Return the lines and the facts of what is finished."""
    lines = [line for one in builds for line in _progress(one)]
    facts = [
        {
            "path": one.path,
            "out": one.out,
            "kind": one.kind,
            "total": one.total,
            "finished": one.finished,
            "damaged": one.damaged,
            "missing": one.missing,
            "galaxies": one.galaxies,
            **({"why": one.error} if one.error else {}),
        }
        for one in builds
    ]
    return Outcome(lines or ["no builds in parts, and no ensembles"], {"builds": facts})


def _progress(one: Progress) -> Iterator[str]:
    if one.error:
        yield f"{one.kind:<11} {one.path}: {one.error}"
        return
    if one.kind == "ensemble":
        yield (
            f"ensemble    {one.path}: {len(one.finished):,} mocks, {one.galaxies:,} galaxies"
            + f"; listed and gone: seeds {_ranges(one.missing)}" * bool(one.missing)
        )
        return
    yield (
        f"parts       {one.out}: {len(one.finished):,} of {one.total:,} finished, "
        f"{one.galaxies:,} galaxies before cuts"
    )
    if one.damaged:
        yield f"            damaged: {_ranges(one.damaged)}"
    if one.missing:
        yield f"            to make: {_ranges(one.missing)}"
    yield f"            in {one.path}"
    if len(one.finished) == one.total:
        yield f"            mockgal merge {in_shell(one.path)}"


def _ranges(numbers: Sequence[int], most: int = 20) -> str:
    """Return whole numbers in order as ranges: ``1-3, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [f"{a}" if a == b else f"{a}-{b}" for a, b in runs[:most]]
    return ", ".join(texts) + ", ..." * (len(runs) > most)


def of_leftovers(left: Sequence[Leftover], *, remove: bool) -> Outcome:
    """Return the lines and the facts of what runs have left."""
    lines = [
        f"{'removed' if one.removed else 'in use' if one.in_use else 'left':<11} {one.path}: "
        f"{one.what}, {_size(one.size)}"
        for one in left
    ]
    if any(not one.removed and not one.in_use for one in left) and not remove:
        lines.append("            add --remove to remove what is not in use")
    facts: list[dict[str, Any]] = [
        {
            "path": one.path,
            "what": one.what,
            "bytes": one.size,
            "in_use": one.in_use,
            "removed": one.removed,
        }
        for one in left
    ]
    return Outcome(lines or ["nothing is left over"], {"leftovers": facts})


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"
