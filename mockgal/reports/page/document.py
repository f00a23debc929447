"""The page: HTML of one file, which needs no network, no other file and no script to be read.

All texts that may come from files are escaped. The content security policy allows the style sheet
and the script of `mockgal.reports.page.style` alone, by their digests.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from types import MappingProxyType

import numpy as np

from ... import __version__
from ...errors import printable
from ..comparison.ratio import BOTH, INDEPENDENT, PAIRED, ratio
from ..comparison.result import Comparison, Maps
from ..comparison.statistics import CLUSTERING, FIELD, GALAXIES, PANELS, SKY, Panel
from ..comparison.verdicts import TRUTH
from . import maps as of_maps
from . import pit, sky
from .looks import shown
from .style import CSS, SCRIPT
from .tables import catalogue_table, cost_table, definitions, verdict_table
from .words import described, detectable

GENERATOR = "mockgal compare"
ONE, MAP = "figure-1", "map-"  # names of files: Figure 1, and the start of those of maps
SECTIONS = {
    FIELD: "The stellar-mass field",
    GALAXIES: "Galaxies and their hosts",
    CLUSTERING: "Clustering",
}

_SETTINGS = {  # of a measurement, in words
    "grid_size": "voxels along a side",
    "assignment": "mass assignment",
    "bins": "bins",
    "space": "space",
    "shot_noise": "shot noise of the truth",
    "shot_noise_s2": "s2 [(Mpc/h)^3]",
    "shot_noise_s3": "s3 [(Mpc/h)^6]",
    "shot_noise_subtracted": "shot noise subtracted",
    "k1_h_per_mpc": "k1 [h/Mpc]",
    "k2_h_per_mpc": "k2 [h/Mpc]",
    "shell_width_h_per_mpc": "width of shells [h/Mpc]",
    "nyquist_h_per_mpc": "Nyquist wavenumber [h/Mpc]",
    "pi_max_mpc_h": "largest line-of-sight separation [Mpc/h]",
    "voxel_size_mpc_h": "voxel [Mpc/h]",
    "host_mass_definition": "host mass",
    "area_deg2": "area [deg^2]",
    "redshift_column": "redshifts",
    "weights": "weights",
    "regions": "regions",
    "effective_redshift": "effective redshift of the truth",
    "pair_counter": "pairs counted by",
}


def map_file(name: str) -> str:
    """Return the name of the file of a map, without its extension."""
    return f"{MAP}{name.replace(' ', '-')}"


def page(
    comparison: Comparison,
    pictures: Mapping[str, bytes],
    captions: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the page.

    Parameters
    ----------
    comparison : Comparison
    pictures : mapping of str to bytes
        PNG of each map (``map-<name>``) and panel, by the name of its file.
    captions : mapping of str to str
        Of pictures of the sky, in the same way.
    """
    title = _text(f"Mocks and truth: {comparison.title}")
    body = "\n".join(
        [
            f"<header>\n<h1>{title}</h1>\n{_summary(comparison)}\n{_contents(comparison)}\n</header>",
            "<main>",
            _notes(comparison),
            _verdicts(comparison),
            _maps(comparison, pictures, comparison.maps)
            if comparison.maps is not None
            else _sky(comparison, pictures, captions),
            *(_section(comparison, name, pictures) for name in SECTIONS),
            pit.section(comparison, lambda name, alt: _picture(pictures[name], alt)),
            f'<section id="cost">\n<h2>Cost</h2>\n{cost_table(comparison).to_html()}\n</section>',
            f'<section id="catalogues">\n<h2>Catalogues</h2>\n'
            f"{catalogue_table(comparison).to_html()}\n</section>",
            _measured(comparison),
            "</main>",
            f"<footer>\n<p>Made by {GENERATOR}, version {_text(__version__)}.</p>\n</footer>",
        ]
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(CSS)}'; "
        f"script-src '{_digest(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{_text(GENERATOR)}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(value: object) -> str:
    """Return a text for HTML, also within quoted attributes."""
    return escape(printable(value))


def _summary(comparison: Comparison) -> str:
    """Return a paragraph on what is compared."""
    truth = comparison.truth
    snapshot = truth.snapshot
    cuts = [str(cut.get("cut")) for cut in truth.provenance.get("cuts", []) if "cut" in cut]
    sizes = {own.snapshot.box_size for own in comparison.catalogues.values()}
    if comparison.on_the_sky:
        return _summary_of_cones(comparison, cuts)
    volume = "all in equal volumes" if max(sizes) <= min(sizes) * (1 + 1e-6) else "unequal volumes"
    sizes_shown = ", ".join(
        f"{_text(shown(name))} {len(own):,}" for name, own in comparison.catalogues.items()
    )
    return (
        f"<p>The truth is <strong>{_text(snapshot.name)}</strong>: a box of "
        f"{snapshot.box_size:.5g} Mpc/h at redshift {round(snapshot.redshift, 6) + 0.0:.4g}. "
        f"Galaxies: {sizes_shown}; {volume}. Cuts of the truth: "
        f"{_text('; '.join(cuts) or 'none')}.</p>"
    )


def _summary_of_cones(comparison: Comparison, cuts: list[str]) -> str:
    snapshot = comparison.truth.snapshot
    low, high = snapshot.redshifts
    sizes = ", ".join(
        f"{_text(shown(name))} {len(own):,}" for name, own in comparison.catalogues.items()
    )
    randoms = "none"
    if comparison.randoms is not None:
        randoms = f"{len(comparison.randoms):,}, the same for all"
    return (
        f"<p>The truth is <strong>{_text(snapshot.name)}</strong>: a light cone of redshifts "
        f"{low:.4g} to {high:.4g}. Galaxies: {sizes}. Randoms: {randoms}. Cuts of the truth: "
        f"{_text('; '.join(cuts) or 'none')}. No bar is set for statistics on the sky, so there "
        "are no verdicts.</p>"
    )


def _contents(comparison: Comparison) -> str:
    entries = {"verdicts": "Verdicts"} if comparison.verdicts else {}
    entries |= {SKY: "On the sky"} if comparison.on_the_sky else {"maps": "Maps"}
    entries |= {name: title for name, title in SECTIONS.items() if _panels(comparison, name)}
    if pit.names_of(comparison) or comparison.without_law:
        entries[pit.NAME] = pit.TITLE
    entries |= {"cost": "Cost", "catalogues": "Catalogues", "measured": "How it was measured"}
    items = "".join(
        f'<li><a href="#{name}">{_text(title)}</a></li>' for name, title in entries.items()
    )
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _notes(comparison: Comparison) -> str:
    """Return what a reader has to know before the numbers."""
    notes = [*comparison.notes]
    notes += [f"Not measured: {key}: {why}" for key, why in comparison.not_measured.items()]
    if not notes:
        return ""
    items = "\n".join(f"<p>{_text(note)}</p>" for note in notes)
    return f'<aside class="note" aria-label="To know before reading">\n{items}\n</aside>'


def _how_to_read(comparison: Comparison) -> str:
    return (
        f"<p>{_text(_errors(comparison))} The smallest detectable deviation is the one that a "
        "two-sided test at 5% significance finds with a probability of 80%. A bin has power where "
        "it is not above the bar, and only such bins decide; with none, the verdict is "
        '<span class="no-power">no power</span>, whatever the deviation.</p>'
    )


def _errors(comparison: Comparison) -> str:
    """Return what the errors of ratios are."""
    measured = comparison.measurements
    paired = [
        ratio(own[panel.key], measured[TRUTH][panel.key], panel.estimate)
        for name, own in measured.items()
        for panel in PANELS
        if name != TRUTH and panel.key in own
    ]
    of_ratio = [found.paired[np.isfinite(found.error)] for found in paired]
    if not any(some.any() for some in of_ratio):
        return INDEPENDENT
    return PAIRED if all(some.all() for some in of_ratio) else BOTH


def _verdicts(comparison: Comparison) -> str:
    """Return the section of verdicts; nothing where no bar applies, as to light cones."""
    if not comparison.verdicts:
        return ""
    return (
        f'<section id="verdicts">\n<h2>Verdicts</h2>\n{verdict_table(comparison).to_html()}\n'
        f"{_how_to_read(comparison)}\n</section>"
    )


def _sky(comparison: Comparison, pictures: Mapping[str, bytes], captions: Mapping[str, str]) -> str:
    """Return the section of pictures of the sky, and of n(z)."""
    figures = []
    for name, title in sky.titles(comparison):
        caption = f"{title}: {captions[name]}."
        figures.append(
            f'<figure id="{_text(name)}">{_picture(pictures[name], caption)}\n'
            f'<figcaption>{_text(caption)} <a href="figures/{_text(name)}.pdf">PDF</a>'
            "</figcaption></figure>"
        )
    figures += [
        _figure(comparison, panel, pictures[panel.name]) for panel in _panels(comparison, SKY)
    ]
    joined = "\n".join(figures)
    return (
        f'<section id="{SKY}">\n<h2>On the sky</h2>\n<p>Maps have pixels and colours of their own; '
        "wedges are of the same slice of declination.</p>\n"
        f'<div class="figures">\n{joined}\n</div>\n</section>'
    )


def _maps(comparison: Comparison, pictures: Mapping[str, bytes], maps: Maps) -> str:
    figures = "\n".join(
        f"<figure>{_picture(pictures[map_file(name)], of_maps.described(maps, name))}</figure>"
        for name in of_maps.panels_of(maps)
    )
    backdrop = " on the matter in grey" if maps.matter is not None else ""
    return (
        f'<section id="maps">\n<h2>Maps</h2>\n<p>A cube {_text(maps.region)}, seen '
        f"along z. Galaxies are drawn{backdrop}; the area of a symbol grows with stellar mass "
        "(bound mass for subhalos), on one scale for all galaxies. Matter: "
        f"{_text(maps.matter_from)}. Maps and field statistics in one figure, as in "
        f'arXiv:2012.00186: <a href="figures/{ONE}.pdf">PDF</a>, '
        f'<a href="figures/{ONE}.png">PNG</a>.</p>\n<div class="maps">\n{figures}\n</div>\n'
        "</section>"
    )


def _panels(comparison: Comparison, section: str) -> list[Panel]:
    measured = comparison.measurements[TRUTH]
    return [panel for panel in PANELS if panel.section == section and panel.key in measured]


def _section(comparison: Comparison, section: str, pictures: Mapping[str, bytes]) -> str:
    """Return one section of figures; nothing without any."""
    panels = _panels(comparison, section)
    if not panels:
        return ""
    figures = "\n".join(_figure(comparison, panel, pictures[panel.name]) for panel in panels)
    return (
        f'<section id="{section}">\n<h2>{_text(SECTIONS[section])}</h2>\n'
        f'<div class="figures">\n{figures}\n</div>\n</section>'
    )


def _figure(comparison: Comparison, panel: Panel, png: bytes) -> str:
    files = f'<a href="figures/{panel.name}.pdf">PDF</a>, ' + ", ".join(
        f'<a href="tables/{name}-{panel.key}.ecsv">{_text(shown(name))}</a>'
        for name in comparison.measurements
    )
    return (
        f'<figure id="{panel.name}">{_picture(png, described(comparison, panel))}\n'
        f"<figcaption>{_text(panel.title)}. Smallest detectable deviation from the truth: "
        f"{_text(detectable(comparison, panel))}. {files}</figcaption></figure>"
    )


def _picture(png: bytes, described: str) -> str:
    """Return an image that is part of the page, with its size in pixels."""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    data = base64.b64encode(png).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{_text(described)}">'
    )


def _measured(comparison: Comparison) -> str:
    """Return how the numbers were measured, in the words of the measurements."""
    truth = comparison.measurements[TRUTH]
    pairs = []
    for key, result in truth.items():
        facts = [f"errors: {result.settings.get('errors', 'not stated')}"]
        facts += [
            f"{say}: {_plain(result.settings[n], ' (Mpc/h)^3' if n == 'shot_noise' else '')}"
            for n, say in _SETTINGS.items()
            if n in result.settings
        ]
        pairs.append((key.replace("_", " "), "; ".join(facts) + "."))
    digests = [
        (f"content of {shown(name)}", own.digest()) for name, own in comparison.catalogues.items()
    ]
    return (
        '<section id="measured">\n<h2>How it was measured</h2>\n<p>All catalogues are measured in '
        "the same way. Tables of all numbers, with units and settings, are beside this page in "
        f"<code>tables/</code>, figures in <code>figures/</code>.</p>\n{definitions(pairs)}\n"
        f"<h3>Content digests</h3>\n{definitions(digests)}\n</section>"
    )


def _plain(value: object, unit: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}{unit}" if isinstance(value, float) else str(value)
