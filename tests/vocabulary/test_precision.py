"""Which columns may be in single precision, how far that rounds them, and the edge of the box."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal.columns import OUR_COLUMNS, Column
from mockgal.cosmology import Cosmology
from mockgal.errors import UsageError
from mockgal.layout import SOFTENING
from mockgal.precision import allowed, choose, in_words, kind_of, largest_rounding, single
from mockgal.snapshot import Snapshot

INF = float("inf")
COSMOLOGY = Cosmology(0.7, 0.3, 0.7)


def snapshot(box=100.0, mass=1e9, **record):
    return Snapshot("run", box, 0.0, COSMOLOGY, mass, "made up", (), record)


class Numbers:
    """A column in h units."""

    def __init__(self, name, values, h_power=None):
        self.column, self.values = OUR_COLUMNS[name], np.asarray(values, dtype="f8")
        self.h_power = self.column.h_power if h_power is None else h_power

    def rows(self, start, stop):
        return self.values[start:stop]


def test_ids_flags_angles_and_ranks_keep_their_type():
    kept = {name for name, column in OUR_COLUMNS.items() if not kind_of(column)}
    assert kept == {
        *("galaxy_id", "halo_id", "copy", "region"),
        *("is_central", "extrapolated"),
        *("ra", "dec", "cumulative_number_density"),
        # These are in single precision already.
        *("stellar_mass", "stellar_half_mass_radius", "hydro_vmax", "hydro_subhalo_mass"),
        "stellar_mass_measured",
    }
    assert not kind_of(Column("a_plugin_s", "Mpc", -1, 1, "<f8"))


@pytest.mark.parametrize(
    ("box", "softening", "fits"),
    [
        (1000.0, 0.05, True),  # Quijote: steps of 6.1e-5 Mpc/h, half of which is 3.1e-5
        (2000.0, 0.0072, False),  # AbacusSummit: steps of 1.2e-4 Mpc/h against 7.2e-6
        (75.0, 0.0005, False),  # TNG100-1
        (16.0, 0.0025, True),
    ],
)
def test_positions_are_held_against_the_softening(box, softening, fits):
    x = np.random.default_rng(1).uniform(0.6 * box, box, 10_000)
    steps = 2.0 ** (np.floor(np.log2(box * 0.999)) - 23)
    assert largest_rounding("positions", lambda a, b: x[a:b], len(x), INF) == pytest.approx(
        steps / 2, rel=0.01
    )
    columns = [Numbers(f"position_{axis}", x) for axis in "xyz"]
    run = snapshot(box, **{SOFTENING: softening})
    if fits:
        chosen = choose(columns, len(x), run, "box", None)
        assert list(chosen.edges) == ["position_x", "position_y", "position_z"]
        assert chosen.facts["columns"]["position_x"]["because"].startswith("0.001 of the softening")
    else:
        with pytest.warns(UserWarning, match="stay in double precision") as caught:
            chosen = choose(columns, len(x), run, "box", None)
        assert not chosen.edges
        assert set(chosen.facts["kept"]) == {"position_x", "position_y", "position_z"}
        # What the message advises is enough.
        rounding = str(caught[0].message).rpartition('--position-rounding "')[2].partition('"')[0]
        assert len(choose(columns, len(x), run, "box", rounding).edges) == 3


def test_without_softening_it_is_held_against_the_particles_and_without_these_kept():
    limit = allowed("positions", snapshot(mass=1e9), None)
    separation = (1e9 / (0.3 * 2.77536627e11)) ** (1 / 3)
    assert limit.value == pytest.approx(1e-5 * separation, rel=1e-4)
    assert "the input states none" in limit.because
    assert allowed("positions", snapshot(mass=None), None) is None
    with pytest.warns(UserWarning, match="neither its softening nor a particle mass"):
        chosen = choose([Numbers("position_x", [1.5])], 1, snapshot(mass=None), "box", None)
    assert chosen.facts["kept"]["position_x"]["allowed"] is None
    assert in_words(chosen.facts) == [
        ("float64", "position_x, which float32 would round by 0 Mpc/h")
    ]


def test_one_column_that_does_not_fit_keeps_all_of_its_kind():
    run = snapshot(100.0, **{SOFTENING: 1e-3})
    columns = [Numbers("position_x", [0.1]), Numbers("position_y", [99.3])]
    with pytest.warns(UserWarning, match="position_x, position_y stay"):
        assert not choose(columns, 1, run, "box", None).edges


def test_velocities_and_redshifts_are_held_against_1_km_s():
    z = np.random.default_rng(2).uniform(0, 3, 1000)
    rounding = largest_rounding("redshifts", lambda a, b: z[a:b], len(z), INF)
    naive = max(299792.458 * abs(float(np.float32(one)) - one) / (1 + one) for one in z)
    assert rounding == pytest.approx(naive)
    assert 0 < rounding < 0.02
    v = np.array([0.0, -3123.456789, 4.2e7])
    assert largest_rounding("velocities", lambda a, b: v[a:b], 2, INF) < 2e-4
    with pytest.warns(UserWarning, match="velocity_x stay"):  # 4.2e7 km/s: steps of 4 km/s
        choose([Numbers("velocity_x", v + 1.1)], 3, snapshot(), "box", None)


def test_masses_are_rounded_by_a_share_and_those_beyond_the_type_are_kept():
    m = 10 ** np.random.default_rng(3).uniform(8, 15, 1000)
    assert largest_rounding("masses", lambda a, b: m[a:b], len(m), INF) < 6e-8
    with pytest.warns(UserWarning, match="halo_mass stay"):
        choose([Numbers("halo_mass", [1e40])], 1, snapshot(), "box", None)
    assert not largest_rounding("masses", lambda a, b: np.array([0.0, np.nan])[a:b], 2, INF)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(1e-3, 1e6),
    st.floats(0.3, 1.2),
    st.integers(0, 2000),
)
def test_no_position_reaches_the_side_of_the_box(box, h, steps):
    """Neither in h units nor after the conversion of `mockgal.readers.mocks.values.internal`."""
    from mockgal.readers.mocks.values import internal

    x = box * (1 - steps * 2.0**-53)
    x = min(x, np.nextafter(box, 0))
    rounded = single(np.array([x]), box).astype("f8")
    assert rounded[0] < box
    assert box - rounded[0] <= 2.5e-7 * box
    edge = box * h**-1
    free = single(np.array([x * h**-1]), edge).astype("f8")
    back = internal(free, -1, h, box)
    assert 0 <= back[0] < box
    assert np.float32(back[0] * h**-1) == free[0]


def test_the_edge_counts_as_rounding():
    x = np.array([np.nextafter(100.0, 0)])
    assert largest_rounding("positions", lambda a, b: x[a:b], 1, 100.0) == pytest.approx(
        2.0**-17, rel=1e-6
    )
    assert largest_rounding("positions", lambda a, b: x[a:b], 1, INF) < 1e-12


@pytest.mark.parametrize("text", ["", "1", "1 km/s", "0 kpc/h", "-1 kpc/h", "nan Mpc"])
def test_a_rounding_is_a_length(text):
    with pytest.raises(UsageError, match="position_rounding"):
        choose([], 0, snapshot(), "box", text)
    assert allowed("positions", snapshot(), "1 pc/h").value == pytest.approx(1e-6)
    assert allowed("positions", snapshot(), "1 kpc").value == pytest.approx(0.7e-3)


def test_what_is_stored_in_words():
    run = replace(snapshot(), record={SOFTENING: 0.05})
    columns = [
        Numbers("position_x", [3.3], 0),
        Numbers("velocity_x", [1.0]),
        Numbers("halo_mass", [1e12 + 1]),
    ]
    chosen = choose(columns, 1, run, "box", None)
    assert chosen.facts["columns"]["position_x"]["unit"] == "Mpc"
    assert in_words(chosen.facts) == [
        (
            "float32",
            "position_x, rounded by at most 4.8e-08 Mpc; 7.1e-05 Mpc is allowed, 0.001 of the "
            "softening of 50 kpc/h",
        ),
        ("float32", "velocity_x, not rounded; 1 km/s is allowed"),
        (
            "float32",
            "halo_mass, rounded by at most 4e-09 of the value; 1e-06 of the value is allowed",
        ),
    ]
