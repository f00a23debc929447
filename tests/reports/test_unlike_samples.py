"""Tables that are drawn together say how their samples differ."""

from dataclasses import replace

import pytest
from matplotlib.text import Text

from mockgal.errors import MockgalWarning
from mockgal.fitting.data import tabulated
from mockgal.reports.overlay import overlay, unlike
from mockgal.tasks.one_statistic import plot_measurements

CUT = "stellar_mass > 3e9 Msun/h"
BOX = {"galaxies": 1000, "catalogue": {"box_size_mpc_h": 100.0, "redshift": 0.5, "cuts": [CUT]}}
SURVEY = {
    "galaxies": 4000,
    "random_points": 80_000,
    "volume_mpc3_h3": 1e7,
    "redshifts": [0.4, 0.6],
    "catalogue": {"box_size_mpc_h": 500.0, "redshift": 0.4, "cuts": [CUT]},
}


def w_p(settings, statistic="wp"):
    data, _ = tabulated("wp", [0.5, 1.0, 2.0], [80.0, 45.0], [4.0, 2.5], pi_max=40.0)
    stated = {**data.settings, "space": "redshift"}
    return replace(data, statistic=statistic, settings={**stated, **settings})


def test_a_box_beside_a_survey():
    box, survey = w_p(BOX), w_p(SURVEY, "sky_wp")
    assert unlike({"box": box, "survey": survey}) == [
        "galaxies of a periodic box (box), a survey on the sky (survey)",
        "galaxies in 1 (Mpc/h)^3: 0.001 (box), 0.0004 (survey)",
    ]
    assert not unlike({"a": box, "b": w_p(BOX)})
    assert not unlike({"a": survey, "b": w_p(SURVEY, "sky_wp")})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"galaxies": 1080}, ""),  # as another painter has it
        ({"galaxies": 1200}, "galaxies in 1 (Mpc/h)^3: 0.001 (a), 0.0012 (b)"),
        ({"catalogue": {**BOX["catalogue"], "cuts": []}}, f"cuts {CUT} (a), none (b)"),
        ({"catalogue": {**BOX["catalogue"], "redshift": 1.0}}, "redshift 0.5 (a), 1 (b)"),
        ({"catalogue": {}}, ""),  # not stated
    ],
)
def test_boxes(changed, said):
    assert unlike({"a": w_p(BOX), "b": w_p({**BOX, **changed})}) == [said] * bool(said)


def test_two_surveys_of_other_redshifts():
    other = w_p({**SURVEY, "redshifts": [0.6, 0.8]}, "sky_wp")
    phrase = "redshifts 0.4 to 0.6 (a), 0.6 to 0.8 (b)"
    assert unlike({"a": w_p(SURVEY, "sky_wp"), "b": other}) == [phrase]


def test_it_is_said_in_the_picture_and_on_the_screen(tmp_path):
    box, survey = w_p(BOX), w_p(SURVEY, "sky_wp")
    texts = [t.get_text() for t in overlay({"box": box, "survey": survey}).findobj(Text)]
    assert any("not alike: galaxies of a periodic box (box)" in text for text in texts)
    for name, one in {"box": box, "sky": survey}.items():
        one.save(tmp_path / f"{name}.ecsv")
    with pytest.warns(MockgalWarning, match="the samples differ: galaxies of a periodic box"):
        plot_measurements([f"{tmp_path}/box.ecsv", f"{tmp_path}/sky.ecsv"], tmp_path / "a.png")
