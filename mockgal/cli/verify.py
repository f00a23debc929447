"""``mockgal verify`` and ``mockgal reproduce``: mocks against what is recorded of them."""

from __future__ import annotations

from typing import Any

import cloup
from cloup import option, option_group

from ..errors import InputError, MockgalError, NotAsWrittenError
from .command import Command, Outcome
from .options.shared import overwriting, sim_option
from .options.values import FILE, FOLDER, PATH, WHOLE
from .screen.streams import progress_bar

_looking = option(
    "--look-in",
    type=FOLDER,
    multiple=True,
    help="Folder in which inputs are looked for by name, if they are not where they were. May be "
    "repeated.",
)


@cloup.command(cls=Command)
@cloup.argument("mocks", type=PATH, nargs=-1, required=True)
@option_group(
    "Inputs",
    option("--inputs", is_flag=True, help="Fail if an input of a mock is not found."),
    _looking,
)
def verify(mocks: tuple[str, ...], inputs: bool, look_in: tuple[str, ...]) -> Outcome:
    """Check that MOCKS, or those of a manifest, are as they were written, and their inputs too."""
    from ..tasks.verification.commands import verify as run
    from .screen.verification import verification_facts, verification_lines

    lines: list[str] = []
    facts: list[dict[str, Any]] = []
    errors: list[MockgalError] = []
    for mock in mocks:
        lines += [""] * bool(lines)
        try:
            found = run(mock, inputs=inputs, look_in=look_in)
        except InputError as error:
            if len(mocks) == 1:
                raise
            errors.append(error)
            lines.append(f"{error}")
            facts.append({"path": mock, "is_right": False, "checks": [], "why": str(error)})
            continue
        lines += verification_lines(found)
        facts.append(verification_facts(found))
        if (wrong := found.error()) is not None:
            errors.append(wrong)
    return Outcome(lines, {"is_right": not errors, "verified": facts}, _one_of(errors, len(mocks)))


def _one_of(errors: list[MockgalError], mocks: int) -> MockgalError | None:
    """Return the error of one mock, or one for several."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return NotAsWrittenError(
        "mockgal verify",
        f"{len(errors)} of {mocks} files that are not as they were written",
        "files as mockgal wrote them",
        "copy them again from where they are right, or make them again",
    )


@cloup.command(cls=Command)
@cloup.argument("mock", type=PATH)
@option_group(
    "Inputs",
    sim_option(
        "The simulation, where it is now. Of a light cone, one for each snapshot; of a survey of "
        "mocks, these.",
        multiple=True,
    ),
    _looking,
)
@option_group("Work", option("--threads", type=WHOLE, help="Number of threads (default: all)."))
@option_group(
    "Output",
    option(
        "--out",
        type=FILE,
        help="Where to write the mock that is made again (default: it is compared, not written). "
        "With {seed} in the name for the mocks of a manifest.",
    ),
    overwriting,
)
def reproduce(
    mock: str,
    sim: tuple[str, ...],
    look_in: tuple[str, ...],
    threads: int | None,
    out: str | None,
    overwrite: bool,
) -> Outcome:
    """Make MOCK, or those of a manifest, again from what is recorded, and compare."""
    from ..system.progress import shown
    from ..tasks.verification.commands import reproduce as run
    from .screen.verification import reproduction_facts, reproduction_lines

    with progress_bar() as progress, shown(progress):
        found = run(mock, out, sim=sim, look_in=look_in, threads=threads, overwrite=overwrite)
    return Outcome(reproduction_lines(found), reproduction_facts(found), found.error())
