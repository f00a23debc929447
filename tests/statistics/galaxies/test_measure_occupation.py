"""Occupation: known numbers per host, hosts with and without galaxies, errors, and mix-ups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import catalogue, demo_mock, host_catalogue, populated, same

from mockgal.errors import BadValueError, UsageError
from mockgal.painters.draw import count_hosts
from mockgal.statistics.galaxies.occupation import occupation
from mockgal.types import GalaxyCatalog

KINDS = ("mean_centrals", "mean_satellites", "mean_galaxies")


def counted(galaxies, halos):
    """The galaxies with the number of hosts in their provenance, as painting leaves it."""
    simulation = {"hosts": count_hosts(halos), "mass_definition": halos.mass_definition}
    return galaxies.with_provenance(simulation=simulation)


def small():
    """Hosts of 1e12 (three) and 1e13 (two); galaxies in two of the former and one of the latter."""
    halos = host_catalogue([1e12, 1.1e12, 1.2e12, 1e13, 1.1e13])
    host = np.array([0, 1, 3, 3, 3])
    galaxies = catalogue(
        np.full(5, 1e10),
        halo_id=host,
        is_central=np.array([True, True, True, False, False]),
        halo_mass=halos["host_mass"][host],
        **{f"position_{x}": halos["position"][host, i] for i, x in enumerate("xyz")},
    )
    return galaxies, halos


@pytest.mark.parametrize("with_hosts", [True, False])
def test_known_galaxies_give_known_means(with_hosts):
    galaxies, halos = small()
    result = occupation(
        counted(galaxies, halos), halos if with_hosts else None, bin_width=0.5, jackknife=0
    )
    np.testing.assert_array_equal(result["hosts"], [3, 0, 2])
    np.testing.assert_allclose(result["mean_centrals"], [2 / 3, np.nan, 1 / 2])
    np.testing.assert_allclose(result["mean_satellites"], [0, np.nan, 1])
    np.testing.assert_allclose(result["mean_galaxies"], [2 / 3, np.nan, 3 / 2])
    np.testing.assert_array_equal(result["centrals"], [2, 0, 1])
    np.testing.assert_array_equal(result["satellites"], [0, 0, 2])
    np.testing.assert_allclose(result["host_mass_low"], 10.0 ** np.array([12, 12.5, 13]))
    # binomial; Poisson with none; the variance of 2 and 0, which is more than the mean
    assert result["mean_centrals_error"][0] == pytest.approx(np.sqrt(3 * 2 / 9 + 0.25) / 3)
    assert result["mean_satellites_error"][0] == pytest.approx(0.5 / 3)
    assert result["mean_satellites_error"][2] == pytest.approx(np.sqrt(2 * 2 + 0.25) / 2)
    assert result.settings["host_mass_definition"] == "200c"
    assert result.settings["hosts_from"] == ("simulation" if with_hosts else "provenance")


def test_the_histogram_gives_what_the_hosts_give():
    galaxies, halos = populated(3)
    galaxies = counted(galaxies, halos)
    for width in (0.1, 0.2, 0.3, 0.7):
        whole = occupation(galaxies, halos, bin_width=width, jackknife=0)
        part = occupation(galaxies, bin_width=width)
        for name, values in whole.columns.items():
            np.testing.assert_array_equal(values, part[name], err_msg=name)
        assert "clustering is left out" in part.settings["errors"]
        assert "clustering is left out" not in whole.settings["errors"]
        assert part.error_degrees_of_freedom == np.inf


@given(st.integers(0, 2**32), st.sampled_from([0, 2]), st.booleans())
def test_galaxies_are_conserved(seed, jackknife, with_hosts):
    galaxies, halos = populated(seed, hosts=40)
    galaxies = counted(galaxies, halos)
    result = occupation(galaxies, halos if with_hosts else None, jackknife=jackknife)
    assert result["hosts"].sum() == 40
    total = np.nansum(result["mean_galaxies"] * result["hosts"])
    assert total == pytest.approx(len(galaxies))
    np.testing.assert_allclose(
        result["mean_galaxies"], result["mean_centrals"] + result["mean_satellites"]
    )
    for name in KINDS:
        np.testing.assert_array_equal(result[f"{name}_error"] > 0, result["hosts"] > 0)


def test_order_of_rows_does_not_matter():
    galaxies, halos = populated(5, hosts=200)
    order = np.random.default_rng(1).permutation(len(galaxies))
    columns = {name: values[order] for name, values in galaxies.columns.items()}
    columns["galaxy_id"] = np.arange(len(order))
    mixed = GalaxyCatalog(columns, galaxies.snapshot, "box", {})
    hosts = halos.take(np.random.default_rng(2).permutation(len(halos)))
    same(occupation(galaxies, halos), occupation(mixed, hosts))


@pytest.mark.parametrize("jackknife", [3, 0])
def test_errors_are_the_scatter_of_independent_hosts(jackknife):
    """Over 300 boxes; the scatter is known to 1 / sqrt(600) = 4%, and four of these."""
    found = []
    for seed in range(300):
        result = occupation(*populated(seed), bin_width=1.0, jackknife=jackknife)
        assert result["hosts"][0] == 1500
        found.append([[result[n][0], result[f"{n}_error"][0]] for n in KINDS])
    for (value, error), expected in zip(
        np.transpose(found, (1, 2, 0)), (0.7, 2.0, 2.7), strict=True
    ):
        ratio = np.sqrt(np.mean(error**2)) / value.std(ddof=1)
        assert ratio == pytest.approx(1.0, abs=4 / np.sqrt(600))
        assert value.mean() == pytest.approx(expected, abs=4 * value.std() / np.sqrt(300))
    assert result.error_degrees_of_freedom == (26 if jackknife else np.inf)


def test_a_galaxy_is_left_out_with_its_host():
    """Satellites beyond the edge of their host's sub-volume do not change the ratio."""
    halos = host_catalogue(np.full(64, 1e12), seed=4)
    host = np.repeat(np.arange(64), 2)
    place = (halos["position"][host] + np.where(np.arange(128) % 2, 5.0, 0.0)[:, None]) % 30.0
    galaxies = catalogue(
        np.full(128, 1e10),
        halo_id=host,
        is_central=np.arange(128) % 2 == 0,
        halo_mass=np.full(128, 1e12),
        **{f"position_{x}": place[:, i] for i, x in enumerate("xyz")},
    )
    result = occupation(galaxies, halos, jackknife=2)
    # each host has one satellite, so that nothing moves: the least error is that of independence
    assert result["mean_satellites"][0] == 1.0
    assert result["mean_satellites_error"][0] == pytest.approx(np.sqrt(64 + 0.25) / 64)
    assert result["mean_centrals_error"][0] == pytest.approx(0.5 / 64)


def test_without_galaxies_there_are_hosts_still():
    _, halos = small()
    none = counted(catalogue([]), halos)
    for result in (occupation(none), occupation(none, halos)):
        np.testing.assert_array_equal(result["hosts"], [3, 0, 0, 0, 0, 2])
        np.testing.assert_array_equal(result["mean_galaxies"][[0, 5]], [0, 0])
        assert np.isnan(result["mean_galaxies"][1:5]).all()
        assert np.all(result["mean_galaxies_error"][[0, 5]] > 0)
        result.to_ecsv()


def test_without_galaxies_and_hosts_there_is_nothing():
    halos = host_catalogue([])
    for hosts in (None, halos):
        assert len(occupation(counted(catalogue([]), halos), hosts)) == 0


def test_hosts_without_a_mass_are_counted_apart():
    halos = host_catalogue([1e12, 0.0, 0.0])
    galaxies = counted(catalogue([1e10, 1e10, 1e10], halo_mass=np.array([1e12, 0, 0])), halos)
    for hosts in (halos, None):
        result = occupation(galaxies, hosts)
        assert result["hosts"].sum() == result["centrals"].sum() == 1
        assert result.settings["hosts_without_mass"] == 2
        assert result.settings["galaxies_of_hosts_without_mass"] == 2


def test_hosts_that_are_not_known_are_asked_for():
    with pytest.raises(UsageError, match="--sim"):
        occupation(small()[0])


@pytest.mark.parametrize("width", [0.25, 0.05, 0.15])
def test_the_histogram_cannot_be_cut_finer(width):
    galaxies, halos = small()
    with pytest.raises(UsageError, match=r"a multiple of 0\.1 dex"):
        occupation(counted(galaxies, halos), bin_width=width)
    occupation(galaxies, halos, bin_width=width)


def test_another_simulation_is_refused():
    galaxies, halos = small()
    named = counted(galaxies, halos)

    def refused(mass, found, galaxies=galaxies, **options):
        with pytest.raises(BadValueError, match=found):
            occupation(galaxies, host_catalogue(mass, **options))

    mass = halos["host_mass"]
    refused(mass[:3], "3 galaxies whose hosts are missing, the first 3")
    refused([], "galaxies whose hosts are missing")
    refused(mass * 1.01, "5 galaxies whose hosts have another mass, the first 0")
    refused(mass, "positions up to", box_size=300.0)
    refused([*mass, 1e12], "6 hosts, where 5 were painted", galaxies=named)
    refused(mass, "host masses fof", galaxies=named, mass_definition="fof")


def test_a_satellites_row_is_no_host():
    galaxies, halos = small()
    columns = {**halos.columns, "is_central": np.arange(5) != 1}
    columns["host_id"] = np.array([0, 0, 2, 3, 4])
    with pytest.raises(BadValueError, match=r"1 galaxies .*missing"):
        occupation(galaxies, type(halos)(columns, "200c"))


@pytest.mark.parametrize(
    "damage",
    [
        {"counts": [1, 2]},
        {"counts": ["many"]},
        {"counts": None},
        {"log10_mass_edges": [12.0, 12.5]},
        {"log10_mass_edges": []},
        {"counts": [-3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]},
    ],
)
def test_damaged_numbers_of_hosts_are_refused(damage):
    galaxies, halos = small()
    hosts = count_hosts(halos) | damage
    with pytest.raises(BadValueError, match="hosts"):
        occupation(galaxies.with_provenance(simulation={"hosts": hosts}))


def test_more_centrals_than_hosts_are_refused():
    galaxies, halos = small()
    hosts = count_hosts(halos)
    fewer = hosts | {"counts": [1, *hosts["counts"][1:]]}
    with pytest.raises(BadValueError, match="more centrals than hosts"):
        occupation(galaxies.with_provenance(simulation={"hosts": fewer}))
    shorter = hosts | {
        "counts": hosts["counts"][:1],
        "log10_mass_edges": hosts["log10_mass_edges"][:2],
    }
    with pytest.raises(BadValueError, match=r"3 galaxies .*host masses"):
        occupation(galaxies.with_provenance(simulation={"hosts": shorter}))


def test_a_mock_and_its_simulation(demo_bundle, tmp_path):
    sim, mock = demo_mock(demo_bundle)
    part, whole = occupation(mock), occupation(mock, sim.halos)
    for result in (part, whole):
        assert np.nansum(result["mean_galaxies"] * result["hosts"]) == pytest.approx(len(mock))
        assert result["hosts"].sum() == np.sum(
            sim.halos["is_central"] & (sim.halos["host_mass"] > 0)
        )
        result.save(tmp_path / f"{result.settings['hosts_from']}.ecsv")
    np.testing.assert_allclose(part["mean_centrals"], whole["mean_centrals"])
