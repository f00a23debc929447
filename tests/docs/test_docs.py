"""The docs say what the code does: generated pages are current, links lead somewhere."""

import re
import sys
from pathlib import Path

import pytest

from mockgal import registry, testing

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "docs/_site")]
import make_reference  # noqa: E402
import pages  # noqa: E402

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BY_HAND = [
    page
    for page in PAGES
    if "decisions" not in page.parts
    and (page.parent.name != "reference" or page.name not in make_reference.PAGES)
]


@pytest.mark.parametrize("page", make_reference.PAGES)
def test_generated_pages_are_current(page):
    text = (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
    assert text == make_reference.PAGES[page](), "run python docs/make_reference.py"


def test_the_public_interface_names_all_that_can_be_added():
    text = (ROOT / "docs/explanation/public-interface.md").read_text()
    for group in registry._BUILT_IN:
        assert f"| `mockgal.{group}` |" in text
    for protocol in registry._PROTOCOLS.values():
        assert f"`{protocol.__name__}`" in text
    for name in testing.__all__:
        assert not name.endswith("_contract") or f"| `{name}` |" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_one_table_of_contents():
    """Each folder's README.md lists its pages, and the site's sidebar is made of these lists."""
    docs, listed = ROOT / "docs", ["README"]
    for folder in [path.parent for path in docs.rglob("README.md")]:
        for entry in pages.entries(folder / "README.md"):
            listed.append(str((folder / entry).relative_to(docs)))
    paths = [path for end in ("md", "rst") for path in docs.rglob(f"*.{end}")]
    there = [str(path.relative_to(docs).with_suffix("")) for path in paths]
    assert set(there) - set(listed) == set(), "list it in the README.md of its folder"
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("page", BY_HAND, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_of_prose_are_at_most_100_characters(page):
    """Outside of tables and code, fenced or indented."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fenced ^= line.startswith("```")
        if not fenced and not line.startswith(("|", "    ")):
            assert len(line) <= 100, f"{page.name}, line {number}: {len(line)} characters"
