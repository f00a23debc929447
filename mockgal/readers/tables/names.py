"""The usual names of columns, from which a table is read without a map.

Names are compared without case, blanks, dashes and underscores. Where several columns may hold a
quantity, none is guessed; of parents, those that name the host itself come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .quantities import VECTORS, Taken

# Of each quantity, groups of names: those of the first group that the table has count.
_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "halo_id": (("haloid", "id", "subhaloid"),),
    "host_id": (
        ("upid", "haloupid"),
        ("pid", "halopid", "parentid", "hostid", "halohostid", "hosthaloid"),
    ),
    "is_central": (("iscentral", "central"),),
    "mass": (
        ("mbound", "boundmass", "massbound", "halombound", "halomboundvir", "mboundvir"),
        ("mass",),
    ),
    "vmax": (("vmax", "halovmax", "vcircmax"),),
    "peak_mass": (("mpeak", "halompeak", "peakmass", "masspeak"),),
    "peak_vmax": (("vpeak", "halovpeak", "peakvmax", "vmaxpeak"),),
    "vmax_at_peak_mass": (("vmax@mpeak", "vmaxmpeak", "halovmaxmpeak", "vmaxatpeakmass"),),
    "peak_mass_scale": (("mpeakscale", "scalempeak", "haloscalefactormpeak", "peakmassscale"),),
    "half_mass_scale": (("halfmassscale", "halohalfmassscalefactor"),),
    "last_major_merger_scale": (
        ("scaleoflastmm", "haloscalefactorlastmm", "lastmajormergerscale"),
    ),
    "infall_mass": (("macc", "halomacc", "infallmass"),),
    "infall_vmax": (("vacc", "halovacc", "infallvmax"),),
    "n_particles": (("nparticles", "npart", "numpart", "nump"),),
    "scale_radius": (("rs", "halors", "scaleradius"),),
}
_AXES = {
    "position": ("{x}", "pos{x}", "position{x}", "halo{x}", "{x}pos", "halopos{x}"),
    "velocity": ("v{x}", "vel{x}", "velocity{x}", "halov{x}", "{x}vel", "halovel{x}"),
}
_WHOLE = {
    "position": ("position", "pos", "positions", "xyz", "coordinates", "haloposition", "halopos"),
    "velocity": ("velocity", "vel", "velocities", "vxyz", "halovelocity", "halovel"),
}
_DEFINITIONS = {
    "200c": "200c|200crit|crit200|c200",
    "200m": "200m|200b|200mean|mean200",
    "500c": "500c|500crit|crit500|c500",
    "vir": "vir|tophat200",
    "fof": "fof",
}
_BEFORE = "(?:hosthalo|halo|host|group)?"
# Masses of hosts whose names say no definition.
_UNDEFINED = ("hostmass", "hosthalomass", "halomass", "groupmass", "mhalo", "mhost", "m200", "m500")


def plain(name: str) -> str:
    """Return a name as it is compared."""
    return re.sub(r"[\s_\-]", "", name.rsplit("/", 1)[-1]).lower()


def definition_of(name: str) -> str | None:
    """Return the mass definition that the name of a mass says; None if it says none."""
    return _defined(plain(name), "m(?:ass)?")


def _defined(name: str, kind: str) -> str | None:
    for definition, words in _DEFINITIONS.items():
        if re.fullmatch(f"{_BEFORE}{kind}(?:{words})(?:host|halo)?", name):
            return definition
    return None


class Names:
    """The columns of a table by what their names usually mean.

    Parameters
    ----------
    names : iterable of str
        Of the columns with numbers.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.by_plain: dict[str, list[str]] = {}
        for name in names:
            self.by_plain.setdefault(plain(name), []).append(name)

    def candidates(self, quantity: str) -> list[Taken]:
        """Return the columns that may hold a quantity; several if the names do not tell."""
        if quantity in VECTORS:
            found = [Taken((name,)) for name in self._known(_WHOLE[quantity])]
            for form in _AXES[quantity]:
                axes = [self.by_plain.get(form.format(x=x), []) for x in "xyz"]
                if all(len(axis) == 1 for axis in axes):
                    found.append(Taken(tuple(axis[0] for axis in axes)))
            return found
        for group in _NAMES.get(quantity, ()):
            if found := [Taken((name,)) for name in self._known(group)]:
                return found
        return []

    def _known(self, names: Iterable[str]) -> list[str]:
        return [name for known in names for name in self.by_plain.get(known, ())]

    def host_masses(self) -> Mapping[str, list[str]]:
        """Return the names of masses by the definition they say, "" for those that say none."""
        found: dict[str, list[str]] = {}
        for key, names in self.by_plain.items():
            definition = _defined(key, "m(?:ass)?")
            if definition is not None:
                found.setdefault(definition, []).extend(names)
        order = {key: found[key] for key in _DEFINITIONS if key in found}
        undefined = self._known(_UNDEFINED)
        return order | ({"": undefined} if undefined else {})

    def of_definition(self, kind: str, definition: str) -> list[str]:
        """Return the radii ("r") or concentrations ("c") of a mass definition."""
        found = []
        for key, names in self.by_plain.items():
            if _defined(key, kind) == definition:
                found += names
        return found
