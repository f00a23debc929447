"""The site of the documentation: `make docs`. The pages read on GitHub as they are."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_site"), str(HERE.parent)]
BUILD = HERE.parent / "build" / "docs"

import inventories  # noqa: E402
import pages  # noqa: E402

import mockgal  # noqa: E402

project, author = "mockgal", "The mockgal developers"
copyright = author
version = release = mockgal.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
root_doc = pages.INDEX
exclude_patterns = ["_site"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]

# Pages and notebooks. The notebooks are pages, too: they run in a folder of their own, where they
# find `catalogs` (_site/ipython), and again only when they or the version have changed.
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / "notebooks")
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)
os.environ["MOCKGAL_CHECKOUT"] = str(HERE.parent)
os.environ["IPYTHONDIR"] = str(BUILD / "ipython")
shutil.copytree(HERE / "_site/ipython", BUILD / "ipython", dirs_exist_ok=True)

# Docstrings say types and units themselves.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "py:obj"
maximum_signature_line_length = 80
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = True
napoleon_type_aliases = {
    "path-like": ":py:class:`path-like <os.PathLike>`",
    "ndarray": ":py:class:`ndarray <numpy.ndarray>`",
    **{name: f":py:class:`{name} <{module}.{name}>`" for name, module in pages.CLASSES.items()},
}
intersphinx_mapping = inventories.written(BUILD / "inventories")

html_theme = "furo"
html_title = f"mockgal {version}"
html_additional_pages = {"index": "redirect.html"}
templates_path = ["_site"]
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"


def setup(app):
    """Connect what `pages` does to the pages."""
    app.connect("source-read", pages.read)
    app.connect("doctree-read", pages.colour)
    app.connect("doctree-resolved", pages.describe)
    app.connect("autodoc-process-signature", pages.sign)
    app.connect("autodoc-process-docstring", pages.link)
