"""Pages of the site from pages that GitHub shows as they are: contents, languages of code, links.

A folder's README.md lists its pages once, in the order of reading; the site's sidebar follows it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

LISTED = re.compile(r"^(?:\| |- )\[[^\]]+\]\(([\w./-]+\.(?:md|rst))\)", re.M)
INDEX = "README"
COMMANDS = ("mockgal", ".venv/bin/mockgal", "python", "make", "pip", "srun", "#!/bin/bash")
# Names of classes that docstrings use without their module.
CLASSES = {
    **dict.fromkeys(["Scene", "Snapshot", "HaloCatalog", "GalaxyCatalog"], "mockgal.types"),
    **dict.fromkeys(["Particles", "DensityField"], "mockgal.particles"),
    **dict.fromkeys(["Reader", "MockReader", "Painter", "Writer"], "mockgal.protocols"),
    **dict.fromkeys(["ReadOptions", "MockOptions"], "mockgal.protocols"),
    "Column": "mockgal.columns",
    "ConditionalLaw": "mockgal.laws.conditional",
    "Measurement": "mockgal.statistics.result",
    "Recipe": "mockgal.recipe",
    "SatelliteLaw": "mockgal.laws.satellites",
    **dict.fromkeys(["SkyBox", "SkyMap"], "mockgal.survey.footprint"),
    "NumberDensity": "mockgal.survey.number_density",
    "Regions": "mockgal.survey.regions",
    "SurveyPlan": "mockgal.survey_plan",
}
PAGE = re.compile(r"\bdocs/([\w/-]+)\.md\b")
LEAVING = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+(?!\.)[^)]*)\)")


def entries(page: Path) -> list[str]:
    """Return the pages of its folder or below that a README.md lists, in their order.

    They are the links with which rows of its tables, or items of its lists, begin.

    Parameters
    ----------
    page : Path
        The README.md.

    Returns
    -------
    list of str
        Paths without extension, relative to the page's folder; each once.
    """
    links = LISTED.findall(page.read_text(encoding="utf-8"))
    own = (link.rpartition(".")[0] for link in links if not link.startswith("../"))
    return list(dict.fromkeys(own))


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add contents to a README.md, the log to the page on changes (``source-read``).

    The site stands alone: of links to other files of the checkout the text remains.
    """
    folder = Path(app.srcdir)
    if docname.rpartition("/")[2] == INDEX:
        listed = "\n".join(entries(folder / f"{docname}.md"))
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    elif docname == "changes":
        source[0] = (folder.parent / "CHANGELOG.md").read_text(encoding="utf-8")
        source[0] = source[0].replace("](docs/", "](")
    here = (folder / docname).parent
    source[0] = LEAVING.sub(lambda match: _stays(match, here, folder), source[0])


def _stays(match: re.Match[str], here: Path, folder: Path) -> str:
    """Return a link; of one to a file that is not of the site, its text and the path."""
    text, target = match.groups()
    path = (here / target.partition("#")[0]).resolve()
    if path.is_relative_to(folder):
        return match[0]
    where = path.relative_to(folder.parent)
    return text if path.stem.endswith(text) else f"{text} (`{where}`)"


def colour(app: Sphinx, doctree: nodes.document) -> None:
    """Give indented code, which names no language, the one that it is in (``doctree-read``)."""
    from docutils import nodes

    for block in doctree.findall(nodes.literal_block):
        if block.get("language", "none") == "none":
            text = block.astext()
            first = (text.split() or [""])[0]
            block["language"] = "sh" if first in COMMANDS else "py" if _is_python(text) else "none"


def describe(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Name the section of a picture that has no other text in its place (``doctree-resolved``)."""
    from docutils import nodes

    for image in doctree.findall(nodes.image):
        section = image.parent
        while not isinstance(section, nodes.section | nodes.document):
            section = section.parent
        title = section.next_node(nodes.title)
        if title is not None and image.get("alt", image["uri"]) == image["uri"]:
            image["alt"] = f"What the code above draws: {title.astext()}"


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError):
        return False


def sign(
    app: Sphinx, what: str, name: str, object: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Hide the arguments of a protocol, which nobody calls (``autodoc-process-signature``)."""
    return ("", "") if getattr(object, "_is_protocol", False) else None


def link(app: Sphinx, what: str, name: str, object: Any, options: Any, lines: list[str]) -> None:
    """Make links of the pages that a docstring names (``autodoc-process-docstring``)."""
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in lines]
