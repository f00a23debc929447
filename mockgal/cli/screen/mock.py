"""What commands show of the mock that they wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...types import GalaxyCatalog
from .left_out import titled

if TYPE_CHECKING:
    from ...tasks.build import Report
    from ...tasks.surveying.survey import SurveyReport


def catalogue_lines(galaxies: GalaxyCatalog) -> Iterator[str]:
    """Yield numbers, range of stellar mass and completeness."""
    h, number = galaxies.snapshot.cosmology.h, f"catalogue   {len(galaxies):,} galaxies"
    if "is_central" in galaxies:
        central = int(galaxies["is_central"].sum())
        number += f": {central:,} centrals, {len(galaxies) - central:,} satellites"
    yield number
    if len(galaxies) and "stellar_mass" in galaxies:
        low, high = float(galaxies["stellar_mass"].min()), float(galaxies["stellar_mass"].max())
        yield (
            f"            stellar mass {low:.4g} to {high:.4g} Msun/h "
            f"= {low / h:.4g} to {high / h:.4g} Msun"
        )
    yield f"complete    {galaxies.completeness}"


def catalogue_facts(galaxies: GalaxyCatalog) -> dict[str, Any]:
    """Return the same facts for programs."""
    h = galaxies.snapshot.cosmology.h
    facts: dict[str, Any] = {"galaxies": len(galaxies)}
    if "is_central" in galaxies:
        facts["centrals"] = int(galaxies["is_central"].sum())
        facts["satellites"] = len(galaxies) - facts["centrals"]
    if "stellar_mass" in galaxies:
        mass = galaxies["stellar_mass"]
        limits = [float(mass.min()), float(mass.max())] if len(galaxies) else None
        facts["stellar_mass_range_msun_h"] = limits
        facts["stellar_mass_range_msun"] = limits and [limit / h for limit in limits]
    return facts


def cut_lines(cuts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the number of galaxies before and after each cut, and the samples that it makes."""
    for cut in cuts:
        yield f"cut         {cut['cut']}: {cut['before']:,} -> {cut['after']:,}"
        for sample in cut.get("samples", ()):
            least = sample["from_msun_h"]
            reach = "none" if least is None else f"from {least:.4g} Msun/h"
            yield (
                f"            {sample['density_h3_mpc3']:.4g} h^3/Mpc^3: {sample['galaxies']:,} "
                f"galaxies, {reach}, {'complete' if sample['complete'] else 'not complete'}"
            )
        if "matched_to" in cut:
            other = cut["matched_to"]
            yield (
                f"            the density of {other['galaxies']:,} galaxies of "
                f"{other['simulation']}, redshift {other['redshift']:.4g}"
            )


def precision_lines(path: Path) -> Iterator[str]:
    """Yield which columns of a mock are in single precision, and by how much that rounds them."""
    from ...precision import in_words
    from ...tasks.write import single_precision

    last = ""
    for kind, text in in_words(single_precision(path) or {}):
        yield f"{kind * (kind != last):<12}{text}"
        last = kind


def precision_facts(path: Path) -> dict[str, Any]:
    """Return the same facts for programs, of a mock that has such columns."""
    from ...tasks.write import single_precision

    single = single_precision(path)
    return {} if single is None else {"float32": single}


def randoms_facts(report: Report | SurveyReport) -> dict[str, Any]:
    """Return the facts of randoms, if there are some."""
    if report.randoms is None:
        return {}
    facts = {"points": len(report.randoms), "path": report.randoms_path}
    return {"randoms": {**facts, "content_digest": report.digests[1]}}


def survey_lines(galaxies: GalaxyCatalog) -> Iterator[str]:
    """Yield what each step of a survey did, as its record says."""
    from ...tasks.surveying.words import in_words

    for title, texts in in_words(galaxies.provenance.get("survey", [])):
        yield from titled(title, texts)


def randoms_lines(report: Report | SurveyReport) -> Iterator[str]:
    """Yield the number, content and file of randoms, and the file of n(z), if there are some."""
    if report.randoms is not None:
        step = report.randoms.provenance["survey"][0]
        yield f"randoms     {len(report.randoms):,} points, redshifts of {step['redshifts_of']}"
        yield f"            content {report.digests[1]}"
        yield f"            wrote {report.randoms_path}"
    if report.density_path is not None:
        yield f"n(z)        wrote {report.density_path}"
