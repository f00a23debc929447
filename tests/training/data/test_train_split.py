"""Splits: no patch of one part sees a target of another, and what is stored says all."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from train_samples import samples, volume

from mockgal.errors import BadValueError, DomainError, MockgalError, MockgalWarning, UsageError
from mockgal.training.data.representative import check_representative, representative
from mockgal.training.data.samples import BUFFER, TEST, TRAIN, VALIDATION
from mockgal.training.data.split import KINDS, Box, Region, Split, split_of
from mockgal.training.evaluation.draw_split import MOST_VOLUMES, draw_split


class Grid:
    """What `split_of` looks at."""

    def __init__(self, size, name="box"):
        self.grid_size, self.name = size, name


def every_voxel(size):
    return np.indices((size, size, size)).reshape(3, -1).T


def sees(part, of, reach):
    """Voxels whose patch, a cube that reaches so far, holds one of a part: by rolling masks."""
    seen = part == of
    for axis in range(3):
        seen = np.any([np.roll(seen, k, axis) for k in range(-reach, reach + 1)], axis=0)
    return seen


@given(
    size=st.integers(8, 24),
    crop=st.integers(1, 6).map(lambda k: 2 * k + 1),
    kind=st.sampled_from(["slabs", "cubes", "paper"]),
    side=st.floats(0.05, 0.6),
    shift=st.tuples(*3 * [st.integers(-30, 30)]),
)
def test_no_patch_of_one_part_sees_a_target_of_another(size, crop, kind, side, shift):
    try:
        split = split_of(
            [Grid(size)], crop, kind, side=None if kind == "paper" else side, shift=shift
        )
    except MockgalError:
        assume(False)
    voxel = every_voxel(size)
    part = split.parts(0, voxel).reshape(3 * (size,))
    parts = (TRAIN, VALIDATION, TEST)
    for one in parts:
        seen = sees(part, one, crop // 2)
        for other in parts:
            assert one == other or not np.any(seen & (part == other))
    # nothing is left out without need, and the share is that of the voxels
    near = sees(part, VALIDATION, crop // 2) | sees(part, TEST, crop // 2)
    assert np.array_equal(part == TRAIN, ~near)
    assert split.training_share(0) == pytest.approx(np.mean(part == TRAIN), abs=1e-12)
    assert {VALIDATION, TEST} <= set(np.unique(part))
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split


@given(
    corners=st.tuples(*6 * [st.integers(0, 11)]),
    sizes=st.tuples(*6 * [st.integers(1, 12)]),
    buffer=st.integers(0, 3),
)
def test_regions_are_refused_exactly_where_they_are_too_near(corners, sizes, buffer):
    regions = [
        Region(part, corners[3 * k : 3 * k + 3], sizes[3 * k : 3 * k + 3])
        for k, part in enumerate((VALIDATION, TEST))
    ]
    voxel = every_voxel(12)
    one, other = (region.holds(voxel, 12).reshape(12, 12, 12) for region in regions)
    near = bool(np.any(sees(one, True, buffer) & other))
    if near:
        with pytest.raises(DomainError, match="apart"):
            Split("cubes", buffer, (Box("box", 12, tuple(regions)),))
    else:
        Split("cubes", buffer, (Box("box", 12, tuple(regions)),))


def test_the_cubes_of_the_paper():
    (box,) = split_of([Grid(2048)], 65, "paper").boxes
    by_part = {region.part: region for region in box.regions}
    assert by_part[TEST] == (TEST, (64, 64, 64), (868, 868, 868))
    assert by_part[VALIDATION] == (VALIDATION, (1000, 1000, 1000), (840, 840, 840))
    with pytest.raises(DomainError, match=r"16 of 128 voxels"):
        split_of([Grid(128)], 33, "paper")


def test_the_default_fits_the_grids_of_the_presets():
    for size, crop in ((128, 33), (256, 65)):
        split = split_of([Grid(size)], crop)
        assert split.kind == "cubes"
        assert split.training_share(0) > 0.5


def test_whole_boxes_at_all_their_redshifts():
    grids = [Grid(8, name) for name in ("a", "a", "b", "c", "c")]
    split = split_of(grids, 21)
    assert split.kind == "box"
    parts = [split.parts(k, every_voxel(8)) for k in range(5)]
    assert [set(part) for part in parts] == [{TRAIN}, {TRAIN}, {VALIDATION}, {TEST}, {TEST}]
    named = split_of(grids, 21, validation=["a"], test=["b"])
    assert [set(named.parts(k, every_voxel(8))) for k in range(5)] == [
        {VALIDATION},
        {VALIDATION},
        {TEST},
        {TRAIN},
        {TRAIN},
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "spheres"}, "one of box"),
        ({"kind": "box"}, "at least one of each"),
        ({"validation": ["a"], "test": ["a"]}, "a box twice"),
        ({"validation": ["x"], "test": ["a"]}, "found x"),
        ({"kind": "cubes", "test": ["a"]}, "whole boxes only"),
        ({"kind": "cubes", "side": 1.0}, "below 1"),
        ({"kind": "paper", "side": 0.1}, "the paper's cubes"),
        ({"kind": "box", "side": 0.1}, "whole boxes are held out"),
        ({"kind": "slabs", "side": 0.3}, "no voxel left"),
    ],
)
def test_what_cannot_be_split(options, words):
    with pytest.raises(UsageError, match=words):
        split_of([Grid(40, "a"), Grid(40, "b")], 17, **options)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("boxes"),
        lambda v: v.update(kind="spheres"),
        lambda v: v.update(buffer_voxels="many"),
        lambda v: v["boxes"][0]["regions"][0].update(part="train"),
        lambda v: v["boxes"][0]["regions"][0].update(size=[1, 2]),
        lambda v: v["boxes"][0]["regions"][0].update(size=[41, 1, 1]),
        lambda v: v["boxes"][0]["regions"][0].update(part="validation"),
    ],
)
def test_a_damaged_split_is_refused(change):
    values = split_of([Grid(40)], 9, "cubes").to_dict()
    change(values)
    with pytest.raises(BadValueError, match="split"):
        Split.from_dict(values)


def naive_places(values, size, steps):
    """Sums over a block at all places, from rolled grids."""
    found = []
    for x in steps:
        for y in steps:
            for z in steps:
                moved = np.roll(values, (-x, -y, -z), (0, 1, 2))
                found.append(moved[: size[0], : size[1], : size[2]].sum())
    return np.array(found)


@pytest.mark.parametrize("region", [((2, 5, 17), (7, 4, 9)), ((0, 0, 0), (10, 10, 10))])
def test_percentiles_are_those_of_rolled_grids(region):
    corner, size = region
    grid = volume(20)
    rng = np.random.default_rng(4)
    voxel, mass = rng.integers(0, 20, (500, 3)), 10 ** rng.uniform(10.5, 12.5, 500)
    found = representative(grid, voxel, mass, Region(TEST, *region))
    steps = np.arange(16) * 20 // 16
    matter = np.roll(10.0 ** grid.channels[0].astype(float) - 1, [-c for c in corner], (0, 1, 2))
    sums = naive_places(matter, size, steps)
    assert found["mean_density"]["value"] == pytest.approx(
        sums[0] / np.prod(size) / matter.mean(), rel=1e-9
    )
    rank = np.sum(sums < sums[0]) + 0.5
    assert found["mean_density"]["percentile"] == pytest.approx(100 * rank / 4096)
    assert found["independent"] == pytest.approx(8000 / np.prod(size))
    thresholds = [entry["least_mass_msun_h"] for entry in found["subhalos"]]
    assert thresholds == [mass.min(), 1e11, 1e12]
    for entry in found["subhalos"]:
        points = np.zeros((20, 20, 20))
        np.add.at(points, tuple(voxel[mass >= entry["least_mass_msun_h"]].T), 1)
        sums = naive_places(np.roll(points, [-c for c in corner], (0, 1, 2)), size, steps)
        rank = np.sum(sums < sums[0]) + 0.5 * np.sum(sums == sums[0])
        assert entry == {
            "least_mass_msun_h": entry["least_mass_msun_h"],
            "value": sums[0],
            "percentile": pytest.approx(100 * rank / 4096),
        }


def test_a_void_is_warned_of():
    grid = volume(40)
    split = split_of([grid], 9, "cubes")
    ordinary = samples([grid], 2000, split=split)
    assert json.loads(json.dumps(check_representative(ordinary, split).record["representative"]))
    channels = grid.channels.copy()
    channels[0, :15, :15, :15] = 0.0
    empty = replace(ordinary, volumes=(replace(grid, channels=channels),))
    with pytest.warns(MockgalWarning, match="test region .*percentile 0"):
        checked = check_representative(empty, split)
    assert {entry["part"] for entry in checked.record["representative"]} == {"test", "validation"}


def test_drawn(tmp_path):
    grid = volume(40)
    split = split_of([grid], 9, "cubes", shift=(33, 0, 0))
    figure = draw_split(samples([grid], split=split))
    boxes = [outlines(axes) for axes in figure.axes]
    assert [len(three) for three in boxes] == 3 * [2 * 2 * 4]  # regions, buffers, periodic images
    for x in (33 * 0.5, 33 * 0.5 - 20.0):
        assert (x, 0.0, 7.5, 7.5) in boxes[0]
        assert (x - 2.0, -2.0 + 20.0, 11.5, 11.5) in boxes[0]
        assert (x, 0.0, 7.5, 7.5) in boxes[1]
        assert (x, 0.0, 7.5, 7.5) not in boxes[2]
    images = [axes.images[0].get_array() for axes in figure.axes]
    for image, axis in zip(images, (2, 1, 0), strict=True):
        assert np.allclose(image, grid.channels[0].mean(axis=axis).T)
    figure.savefig(tmp_path / "split.png")
    assert (tmp_path / "split.png").stat().st_size > 10_000


def test_the_picture_holds_names_of_any_length_and_the_parts_differ_in_grey():
    grids = [volume(40, name="run_$x$ " + "z" * 300), volume(40, name="模拟")]
    figure = draw_split(samples(grids, split=split_of(grids, 9, "cubes")))
    figure.draw_without_rendering()
    titles = [row.get_suptitle() for row in figure.subfigs]
    assert titles[0].startswith("run_$x$ zzz")
    assert titles[1].startswith(r"\u6a21")
    assert all("box 20 Mpc/h, redshift" in title for title in titles)
    for text in (*figure.texts, *(text for row in figure.subfigs for text in row.texts)):
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
    test, validation, _ = figure.legends[0].get_patches()
    assert len({patch.get_hatch() for patch in (test, validation)}) == 2
    assert test.get_edgecolor() != validation.get_edgecolor()
    legend = figure.legends[0].get_window_extent()
    assert all(legend.y1 < axes.get_tightbbox().y0 for axes in figure.axes)


def outlines(axes):
    return [patch.get_bbox().bounds for patch in axes.patches]


def test_slabs_have_no_edge_where_they_go_around_the_box():
    grids = [volume(40), volume(40, name="other")]
    figure = draw_split(samples(grids, split=split_of(grids, 9, "slabs")))
    assert len(figure.axes) == 6
    for axes in figure.axes[:2]:
        assert {(y % 20.0, height) for _, y, _, height in outlines(axes)} == {(0.0, 20.0)}


def test_whole_boxes_are_drawn_without_a_buffer():
    grids = [volume(40, name=f"box {k}", seed=k) for k in range(MOST_VOLUMES + 2)]
    held = {"validation": ["box 1"], "test": ["box 2"]}
    figure = draw_split(samples(grids, split=split_of(grids, 9, "box", **held)))
    assert len(figure.axes) == 3 * MOST_VOLUMES
    assert [len(axes.patches) for axes in figure.axes[:12:3]] == [0, 4, 4, 0]
    assert "2 more boxes are not drawn" in [text.get_text() for text in figure.texts]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["test", "validation"]


def test_buffers_are_no_part_to_use():
    split = split_of([volume(40)], 9, "cubes")
    some = samples([volume(40)], split=split)
    chosen = [some.rows(part) for part in (TRAIN, VALIDATION, TEST, BUFFER)]
    assert sorted(np.concatenate(chosen)) == list(range(len(some)))
    assert all(len(rows) for rows in chosen)
    assert set(KINDS) == {"box", "slabs", "cubes", "paper"}
