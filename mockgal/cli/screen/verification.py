"""What the screen shows of mocks that were verified, and of those that were made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .left_out import titled

if TYPE_CHECKING:
    from pathlib import Path

    from ...tasks.verification.checks import Check, Verification
    from ...tasks.verification.inputs import Compared
    from ...tasks.verification.result import MadeAgain, Reproduction

_TITLES = ("check", "result", "found", "expected")
_WIDTHS = (14, 13, 31)  # in characters, of all columns but the last


def verification_lines(found: Verification) -> Iterator[str]:
    """Yield a table of the checks, and below it what is wrong in full.

    Of several files there is a line each, and a table of those with something wrong.
    """
    files = found.files
    if len(files) == 1:
        yield from _table(files[0], found.of(files[0]))
        return
    for path in files:
        checks = found.of(path)
        wrong = [check for check in checks if check.result == "wrong"]
        yield f"{path}: " + (f"{len(wrong)} wrong" if wrong else _counts(checks))
    for path in dict.fromkeys(check.path for check in found.wrong):
        yield ""
        yield from _table(path, found.of(path))


def _table(path: Path, checks: Sequence[Check]) -> Iterator[str]:
    yield _row(_TITLES)
    for check in checks:
        yield _row((check.name, check.result, check.found, check.expected))
    yield f"{path}: {_counts(checks)}"
    for check in checks:
        if check.why and check.result != "right":
            yield f"{check.name}: {check.why}"


def _row(texts: Sequence[str]) -> str:
    *padded, last = texts
    cells = (f"{text:<{width}}" for text, width in zip(padded, _WIDTHS, strict=True))
    return " ".join([*cells, last]).rstrip()


def _counts(checks: Sequence[Check]) -> str:
    """Return how many checks had each result."""
    counts: dict[str, int] = {}
    for check in checks:
        counts[check.result] = counts.get(check.result, 0) + 1
    return ", ".join(f"{number} {result}" for result, number in counts.items())


def verification_facts(found: Verification) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "path": found.path,
        "is_right": found.is_right,
        "checks": [
            {
                "mock": check.path,
                "check": check.name,
                "result": check.result,
                "found": check.found,
                "expected": check.expected,
                "why": check.why,
            }
            for check in found.checks
        ],
    }


def reproduction_lines(found: Reproduction) -> Iterator[str]:
    """Yield what came of making mocks again: of several, a line each."""
    if len(found.mocks) == 1:
        yield from _again(found.mocks[0])
        return
    for one in found.mocks:
        numbers = f"{one.numbers[0]:,} galaxies, content {one.digests[0][:16]}"
        yield f"{one.path}: {one.verdict}, {numbers}"
    for one in found.different:
        yield ""
        yield from _again(one)


def _again(one: MadeAgain) -> Iterator[str]:
    yield f"mock        {one.path}: {one.numbers[0]:,} galaxies"
    yield f"recipe      from {one.recipe_from}"
    yield from titled("inputs", [_input(each) for each in one.inputs])
    yield from titled("made with", _versions(one))
    for name, (then, now) in one.changes.items():
        yield f"            {name} {then} then, {now} now"
    yield f"made again  {one.numbers[1]:,} galaxies, content {one.digests[1]}"
    yield f"{one.verdict:<11} {_verdict(one)}"
    if one.randoms is not None:
        then, now = one.randoms
        same = "the same" if then == now else f"recorded {then}" if then else "none to compare with"
        yield f"randoms     {same}: content {now}"
    if one.compared is not None:
        yield from titled("", [each.words for each in one.compared.differences])
    if one.wrote:
        yield f"wrote       {one.wrote[0]}, " + (
            "the same to the byte"
            if one.same_file
            else "in other bytes, of other paths or versions"
        )


def _input(one: Compared) -> str:
    where = one.input.name if one.path is None else one.path
    if one.same is None:
        return f"{one.input.title} {where}: not compared: {one.found}"
    return f"{one.input.title} {where}: " + (
        "as it was" if one.same else f"not the file that it was: {one.found}"
    )


def _versions(one: MadeAgain) -> list[str]:
    others = [
        f"{name} {then or 'unknown'}, now {now or 'none'}"
        for name, (then, now) in one.other_versions.items()
    ]
    same = [f"{name} {now}" for name, (then, now) in one.versions.items() if then == now]
    return [*others, *([f"as before: {', '.join(same)}"] if same else [])]


def _verdict(one: MadeAgain) -> str:
    if one.verdict == "identical" and one.digests[0] != one.digests[1]:
        return "to the mock that this one was converted from, but for last bits"
    if one.verdict == "identical":
        return "the content digest is the one that is recorded"
    if one.compared is None:
        return "the galaxies are identical, their randoms are not"
    text = f"recorded {one.digests[0]}: {len(one.compared.differences)} columns differ in the "
    text += f"{one.compared.common:,} galaxies in both"
    alone = (one.compared.only_first, "in the mock"), (one.compared.only_second, "in the new one")
    return text + "".join(f"; {number:,} only {where}" for number, where in alone if number)


def reproduction_facts(found: Reproduction) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "path": found.path,
        "is_identical": found.is_identical,
        "wrote": [path for one in found.mocks for path in one.wrote],
        "mocks": [
            {
                "mock": one.path,
                "verdict": one.verdict,
                "galaxies": one.numbers[0],
                "galaxies_again": one.numbers[1],
                "content_digest": one.digests[0],
                "content_digest_again": one.digests[1],
                "randoms": one.randoms and dict(zip(("then", "now"), one.randoms, strict=True)),
                "recipe_from": one.recipe_from,
                "inputs": [
                    {"use": each.input.use, "path": each.path, "same": each.same}
                    for each in one.inputs
                ],
                "versions": {
                    name: {"then": then or None, "now": now or None}
                    for name, (then, now) in one.versions.items()
                },
                "changes": {name: list(pair) for name, pair in one.changes.items()},
                "differences": [each._asdict() for each in one.compared.differences]
                if one.compared
                else [],
                "same_file": one.same_file,
            }
            for one in found.mocks
        ],
    }
