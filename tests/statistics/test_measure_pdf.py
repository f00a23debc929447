"""Voxel PDF: known voxels, all of them counted, errors over sub-volumes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import BOX, catalogue, demo_mock, same

from mockgal.errors import BadValueError, UsageError
from mockgal.statistics.pdf import LARGEST, default_grid_size, pdf_of_field, voxel_pdf


def test_known_voxels_give_known_numbers():
    field = np.zeros((4, 4, 4))
    field[0, 0, 0], field[1, 2, 3], field[3, 3, 3] = 1e9, 1.5e9, 1e10
    result = pdf_of_field(field, voxel_size=2.0, jackknife=0)
    np.testing.assert_array_equal(result["count"], [2, 0, 0, 0, 1])
    np.testing.assert_array_equal(result["voxels"], [2, 0, 0, 0, 1])
    np.testing.assert_allclose(result["voxels_error"][[0, 4]], [np.sqrt(2), 1])
    np.testing.assert_allclose(result["voxel_mass_low"], 10.0 ** np.arange(9, 10.1, 0.25))
    assert result.settings["empty_voxels"] == 61
    assert result.settings["voxel_size_mpc_h"] == 2.0


@pytest.mark.parametrize("per_side", [2, 3, 5])
def test_the_jackknife_leaves_out_voxels_by_their_centres(per_side):
    """Against regions of voxel centres, each left out in turn; 7 is not a multiple of any."""
    from mockgal.statistics import jackknife as jackknives

    field = 10.0 ** np.random.default_rng(1).normal(9, 0.5, (7, 7, 7))
    result = pdf_of_field(field, voxel_size=1.0, jackknife=per_side)
    centre = np.stack(np.meshgrid(*[np.arange(7) + 0.5] * 3, indexing="ij"), axis=-1)
    region = jackknives.regions(centre.reshape(-1, 3), 7.0, per_side)
    edges = np.append(result["voxel_mass_low"], result["voxel_mass_high"][-1])
    left_out = []
    for r in range(per_side**3):
        rest = field.ravel()[region != r]
        left_out.append(np.histogram(rest, edges)[0] * (field.size / len(rest)))
    expected = jackknives.error(np.array(left_out))
    few = result["count"] < per_side**3  # where a jackknife knows too little
    expected = np.where(few, np.fmax(expected, np.sqrt(result["count"])), expected)
    assert per_side == 5 or not few.all()
    filled = result["count"] > 0
    np.testing.assert_allclose(result["voxels_error"][filled], expected[filled])
    assert result.error_degrees_of_freedom == per_side**3 - 1


@given(
    st.integers(1, 9),
    st.integers(0, 2**32),
    st.sampled_from([0, 2, 3]),
    st.sampled_from([np.float32, np.float64]),
)
def test_all_voxels_are_counted(side, seed, jackknife, dtype):
    generator = np.random.default_rng(seed)
    field = (10.0 ** generator.normal(8, 2, (side,) * 3)).astype(dtype)
    field[generator.random(field.shape) < 0.5] = 0
    if jackknife > side:
        with pytest.raises(UsageError, match="one for each voxel"):
            pdf_of_field(field, voxel_size=1.0, jackknife=jackknife)
        return
    result = pdf_of_field(field, voxel_size=1.0, jackknife=jackknife)
    assert result["count"].sum() + result.settings["empty_voxels"] == side**3
    assert result.settings["empty_voxels"] == np.sum(field == 0)
    np.testing.assert_array_equal(
        result["count"],
        [
            np.sum((field >= low) & (field < high))
            for low, high in zip(result["voxel_mass_low"], result["voxel_mass_high"], strict=True)
        ],
    )


def test_galaxies_in_voxels_of_their_own():
    """NGP and voxels that hold one galaxy at most: the PDF is the number of galaxies by mass."""
    centre = (np.stack(np.unravel_index(np.arange(0, 512, 7), (8, 8, 8))) + 0.5) * BOX / 8
    mass = 10.0 ** np.random.default_rng(1).uniform(8, 11, centre.shape[1])
    galaxies = catalogue(mass, **{f"position_{x}": centre[i] for i, x in enumerate("xyz")})
    result = voxel_pdf(galaxies, grid_size=8, assignment="NGP", jackknife=2)
    edges = np.append(result["voxel_mass_low"], result["voxel_mass_high"][-1])
    expected = np.histogram(galaxies["stellar_mass"].astype(float), edges)[0]
    np.testing.assert_array_equal(result["count"], expected)
    assert result.settings["empty_voxels"] == 512 - len(mass)
    assert result.settings["assignment"] == "NGP"


@pytest.mark.slow
def test_errors_are_the_scatter_of_random_voxels():
    """Voxels filled at random: binomial. Over 200 fields the scatter is known to 5%; four of it."""
    found = []
    for seed in range(200):
        field = np.random.default_rng(seed).choice(
            [0.0, 1e9, 3e10], p=[0.9, 0.08, 0.02], size=(12,) * 3
        )
        result = pdf_of_field(field, voxel_size=1.0)
        found.append([result[name][[0, -1]] for name in ("voxels", "voxels_error")])
    values, errors = np.transpose(found, (1, 2, 0))
    n = 12**3
    for p, value, error in zip((0.08, 0.02), values, errors, strict=True):
        scatter = np.sqrt(n * p * (1 - p))
        assert np.sqrt(np.mean(error**2)) / scatter == pytest.approx(1.0, abs=4 / np.sqrt(400))
        assert value.mean() == pytest.approx(n * p, abs=4 * scatter / np.sqrt(200))


@pytest.mark.parametrize("jackknife", [0, 3])
def test_nothing_gives_no_bins(jackknife):
    for result in (
        voxel_pdf(catalogue([]), grid_size=8, jackknife=jackknife),
        voxel_pdf(catalogue([0.0]), grid_size=8, jackknife=jackknife),
    ):
        assert len(result) == 0
        assert result.settings["empty_voxels"] == 512
        result.to_ecsv()


def test_one_galaxy_fills_the_voxels_around_it():
    result = voxel_pdf(catalogue([1e10]), grid_size=8)
    assert result["count"].sum() == 8  # of CIC
    result.plot()


def test_order_of_rows_does_not_matter():
    generator = np.random.default_rng(3)
    galaxies = catalogue(10.0 ** generator.normal(10, 0.5, 300))
    order = generator.permutation(300)
    columns = {name: values[order] for name, values in galaxies.columns.items()}
    columns["galaxy_id"] = columns["halo_id"] = np.arange(300)
    mixed = type(galaxies)(columns, galaxies.snapshot, "box", {})
    same(voxel_pdf(galaxies, grid_size=32), voxel_pdf(mixed, grid_size=32))


@pytest.mark.parametrize(
    ("box_size", "expected"), [(16.0, 128), (8.0, 64), (8.1, 128), (75.0, 256), (0.01, 1)]
)
def test_the_default_grid_resolves_what_it_can(box_size, expected):
    number = default_grid_size(box_size)
    assert number == expected
    assert box_size / number <= 0.125 or number == LARGEST


def test_a_mock(demo_bundle):
    _, mock = demo_mock(demo_bundle)
    result = voxel_pdf(mock)
    assert result.settings["grid_size"] == 128
    assert result.settings["voxel_size_mpc_h"] == 0.125
    assert result["count"].sum() + result.settings["empty_voxels"] == 128**3
    assert np.all(result["voxels_error"][result["count"] > 0] > 0)


def test_what_cannot_be_measured_is_refused():
    field = np.ones((4, 4, 4))
    for shape in ((4, 4), (4, 4, 3), (0, 0, 0)):
        with pytest.raises(UsageError, match="a cube of voxels"):
            pdf_of_field(np.ones(shape), voxel_size=1.0)
    for bad in (-1.0, np.nan, np.inf):
        wrong = field.copy()
        wrong[2, 1, 0] = bad
        with pytest.raises(BadValueError, match="field"):
            pdf_of_field(wrong, voxel_size=1.0)
    with pytest.raises(BadValueError, match="stellar_mass"):
        voxel_pdf(catalogue([-1e9]), grid_size=8)
    with pytest.raises(UsageError, match="bin width"):
        pdf_of_field(field, voxel_size=1.0, bin_width=0.0)
