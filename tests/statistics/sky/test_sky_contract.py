"""What every statistic promises, of those on the sky."""

import pytest
from sky_samples import survey

from mockgal import registry
from mockgal.statistics.names import is_on_the_sky
from mockgal.testing import statistic_contract

OPTIONS = {
    "w_theta": {"theta_min": 1.0, "theta_max": 20.0, "bins": 4},
    "sky_wp": {"r_min": 5.0, "bins": 4},
    "sky_xi_multipoles": {"r_min": 5.0, "bins": 4},
    "sky_xi_wedges": {"r_min": 5.0, "bins": 4},
    "sky_power": {"grid_size": 32},
    "sky_window": {"r_min": 5.0, "bins": 6},
}


def test_all_are_here():
    assert set(OPTIONS) == {n for n in registry.names("statistics") if is_on_the_sky(n)}


@pytest.mark.parametrize("name", OPTIONS)
def test_contract(name, tmp_path):
    galaxies, randoms = survey(200, 3000)
    statistic_contract(name, galaxies, tmp_path, randoms=randoms, **OPTIONS[name])
