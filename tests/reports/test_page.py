"""The page: valid HTML that needs nothing else, its words, and the same bytes again."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import html5lib
import pytest

import mockgal
from mockgal.errors import OutputError, OutputExistsError, listening
from mockgal.reports.page.document import page
from mockgal.reports.page.files import write_report

DEMO = Path(__file__).parents[2] / "catalogs/demo"
HTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A comparison of the demo's HOD with the truth, written."""
    out = tmp_path_factory.mktemp("compare") / "report"
    sim = mockgal.read(DEMO / "dark.hdf5")
    with listening(quiet=True):
        mock = mockgal.paint(sim, "hod", seed=1)
        return mockgal.compare(
            DEMO / "hydro.hdf5",
            {"hod": mock},
            sim=sim,
            out=out,
            cuts=["stellar_mass > 8e9 Msun/h"],
            statistics=["mass_function", "pit"],
            notes=["read <b>this</b> & think"],
        )


@pytest.fixture(scope="module")
def text(report):
    return report.wrote[0].read_text(encoding="utf-8")


def parsed(text):
    """The root of a page; raises for anything that the standard calls an error."""
    return html5lib.HTMLParser(strict=True).parse(text)


def all_of(root, name):
    return list(root.iter(HTML + name))


def words(element):
    return " ".join("".join(element.itertext()).split())


def test_it_is_valid_and_has_what_a_reader_needs(text):
    root = parsed(text)
    assert root.get("lang") == "en"
    (main,) = all_of(root, "main")
    (h1,) = all_of(root, "h1")
    assert "hod" in words(h1)
    viewport = {meta.get("name"): meta.get("content") for meta in all_of(root, "meta")}["viewport"]
    assert "width=device-width" in viewport
    levels = [int(e.tag[-1]) for e in root.iter() if re.fullmatch(HTML + "h[1-6]", str(e.tag))]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in all_of(main, "table"):
        assert all(head.get("scope") in ("col", "row") for head in all_of(table, "th"))
        lengths = {len(list(row)) for row in all_of(table, "tr")}
        assert len(lengths) == 1
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_ids_are_unique_and_links_lead_somewhere(report, text):
    root, folder = parsed(text), report.wrote[0].parent
    ids = Counter(e.get("id") for e in root.iter() if e.get("id"))
    assert max(ids.values()) == 1
    links = [a.get("href") for a in all_of(root, "a")]
    assert len(links) > 10
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert (folder / link).is_file(), link
    for e in root.iter():
        assert (e.get("aria-labelledby") or next(iter(ids))) in ids


def test_it_needs_no_network(text):
    root = parsed(text)
    assert not all_of(root, "link")
    for e in root.iter():
        assert (e.get("src") or "data:").startswith("data:")
        assert not (e.get("href") or "").startswith(("http", "//"))
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", text)
    (policy,) = [m.get("content") for m in all_of(root, "meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_alternative_texts_say_what_is_seen(text):
    pictures = all_of(parsed(text), "img")
    assert len(pictures) == 8  # five maps and three figures
    for picture in pictures:
        assert len(picture.get("alt")) > 60
        assert re.search(r"\d", picture.get("alt"))
    (alt,) = [p.get("alt") for p in pictures if p.get("alt").startswith("Stellar-mass function")]
    assert re.search(r"hod is [\d.]+ to [\d.]+ times the truth", alt)
    assert "h^3 / (dex Mpc3)" not in alt
    assert "Msun" in alt


def test_it_says_what_must_be_known(report, text):
    (note,) = all_of(parsed(text), "aside")
    said = words(note)
    assert said.startswith("read <b>this</b> & think")
    assert "The painter of hod learnt from the hydrodynamic twin of this very simulation" in said
    assert "second truth" in said
    assert report.notes[0] == "read <b>this</b> & think"
    assert "not recorded" in text
    assert "no power" in text


def test_laws_have_a_section_which_says_in_one_line_where_there_is_none(report, text):
    def section_of(page_text):
        sections = {e.get("id"): words(e) for e in all_of(parsed(page_text), "section")}
        return sections.get("pit", "")

    assert "histogram is flat at 1" in section_of(text)
    assert re.search(r"hod: \d+ subhalos, \d+ of them luminous", section_of(text))
    assert "no law was held against" not in section_of(text)
    hod = {"mass_function": report.measurements["hod"]["mass_function"]}
    without = replace(
        report,
        measurements={**report.measurements, "hod": hod},
        without_law={"hod": "it was painted <without> a draw"},
    )
    said = section_of(page(without, Pictures()))
    assert said.endswith(
        "hod: no law was held against the truth, as it was painted <without> a draw."
    )
    unasked = replace(without, without_law={})
    assert not section_of(page(unasked, Pictures()))


def test_it_says_what_errors_of_ratios_are(report, text):
    assert "from the jackknife of the ratio" in text
    bare = {
        name: {"mass_function": replace(own["mass_function"], left_out={})}
        for name, own in report.measurements.items()
    }
    assert "as if the two were independent" in page(replace(report, measurements=bare), Pictures())


def test_texts_from_files_stay_texts(report):
    poison = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m"
    truth = replace(report.truth, snapshot=replace(report.truth.snapshot, name=poison))
    poisoned = replace(
        report,
        catalogues={**report.catalogues, "truth": truth},
        sources={**report.sources, "hod": poison},
        notes=(poison,),
        not_measured={"xi_real": poison},
        title=poison,
    )
    text = page(poisoned, Pictures())
    root = parsed(text)
    assert len(all_of(root, "script")) == 1
    assert all(picture.get("onerror") is None for picture in all_of(root, "img"))
    (title,) = all_of(root, "title")
    assert "<script>alert(1)</script>" in title.text
    assert "\x1b" not in text


class Pictures(dict):
    """One small picture under every name."""

    def __missing__(self, name):
        return bytes(16) + (3).to_bytes(4, "big") + (2).to_bytes(4, "big")


@pytest.mark.slow
def test_the_same_comparison_gives_the_same_bytes(report, tmp_path):
    again = write_report(report, tmp_path / "report", overwrite=False)
    assert [path.name for path in again] == [path.name for path in report.wrote]
    for path, former in zip(again, report.wrote, strict=True):
        assert path.read_bytes() == former.read_bytes(), path


def test_tables_are_there_with_units(report):
    folder = report.wrote[0].parent / "tables"
    assert {path.name for path in folder.iterdir()} == {
        *("verdicts.ecsv", "costs.ecsv", "catalogues.ecsv"),
        *(f"{name}-mass_function.ecsv" for name in ("truth", "matched", "hod")),
        "hod-pit.ecsv",
    }
    again = mockgal.read_measurement(folder / "hod-mass_function.ecsv")
    own = report.measurements["hod"]["mass_function"]
    assert again["mass_function"].tolist() == own["mass_function"].tolist()
    assert "unit: Mpc3 / littleh3" in (folder / "catalogues.ecsv").read_text()


def test_a_report_is_replaced_if_it_is_one(report, tmp_path):
    folder = report.wrote[0].parent
    with pytest.raises(OutputExistsError):
        write_report(report, folder, overwrite=False)
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("<p>mine</p>")
    with pytest.raises(OutputError, match="other files"):
        write_report(report, other, overwrite=True)


def test_it_is_shown_in_a_few_lines(report):
    assert repr(report).startswith("Comparison of hod with the truth\n")
    assert len(repr(report).splitlines()) < 9
    with pytest.raises(AttributeError):
        report.notes = ()
    with pytest.raises(TypeError):
        report.measurements["hod"]["power"] = None
