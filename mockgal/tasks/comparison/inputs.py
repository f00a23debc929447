"""The catalogues of a comparison: read, checked to be comparable, and what a reader must know."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError, UsageError, listed
from ...layout import TRUTH as TRUTH_RECORD
from ...layout import is_truth
from ...reports.comparison.verdicts import MATCHED, TRUTH
from ...reports.differences import differences, stated_only
from ...types import GalaxyCatalog, HaloCatalog, Scene
from ..build import read, read_galaxies, select
from ..one_statistic import cut_randoms, read_randoms
from ..steps.truth import Truth, check_definition, how_joined
from .baselines import Baseline, Request, paint_baselines
from .sky import NEEDED, check_frames, refuse_what_boxes_have
from .twins import Twins, matched, second_truth

FilePath = str | os.PathLike[str]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
_NEEDED: tuple[str, ...] = ("position_x", "position_y", "position_z", "velocity_z")
_NEEDED += ("is_central", "stellar_mass", "halo_id", "halo_mass")
_NO_BASELINES = Request()
WAY_OUT = "--allow-differences compares them all the same, and the page says how they differ"


@dataclass(frozen=True)
class Inputs:
    """What is compared.

    Parameters
    ----------
    catalogues : dict of str to GalaxyCatalog
        The truth, its masses at gravity-only positions if there are any, and the mocks; cut.
    hosts : dict of str to HaloCatalog or None
        The halos of each, for the number of hosts.
    sources : dict of str to str
    sim : Scene or None
        The gravity-only simulation.
    halos : HaloCatalog or None
        Of the simulation, or of the truth if there is none.
    twins : Twins or None
        The truth and the simulation, if they are matched.
    baselines : dict of str to Baseline
    notes : list of str
    files : list of Path
    randoms : GalaxyCatalog or None
        Of light cones, cut.
    """

    catalogues: dict[str, GalaxyCatalog]
    hosts: dict[str, HaloCatalog | None]
    sources: dict[str, str]
    sim: Scene | None
    halos: HaloCatalog | None
    twins: Twins | None
    baselines: dict[str, Baseline]
    notes: list[str]
    files: list[Path]
    randoms: GalaxyCatalog | None = None

    @property
    def on_the_sky(self) -> bool:
        """Whether the catalogues are light cones."""
        return self.catalogues[TRUTH].frame == "sky"


def read_inputs(
    truth: object,
    mocks: Mapping[str, Any],
    sim: object,
    *,
    cuts: Sequence[str],
    allow_differences: bool,
    options: Mapping[str, Any],
    baselines: Request = _NO_BASELINES,
    randoms: Any = None,
) -> Inputs:
    """Read the truth, the mocks and the simulation, and check that they can be compared.

    Baselines are painted, and count as mocks from then on.

    Raises
    ------
    UsageError
        The catalogues cannot be compared, or a name is not allowed.
    MockgalError
        See `mockgal.read`, `mockgal.read_galaxies` and `paint_baselines`.
    """
    _check_names(mocks, baselines.names)
    baselines.check(list(mocks), sim)
    by_hand = {key: options[key] for key in ("changed_by_hand",) if key in options}
    reading = {key: value for key, value in options.items() if key not in by_hand}
    of_sim = {key: v for key, v in reading.items() if key != "stellar_mass_definition"}
    scene = sim if sim is None or isinstance(sim, Scene) else read(sim, **of_sim)
    own, truth_scene = _read_truth(truth, scene, reading, by_hand)
    catalogues, notes = {TRUTH: own}, list[str]()
    twins, why = None, ""
    if scene is not None and truth_scene is not None:
        twins, why = matched(truth_scene, scene)
    for name, mock in mocks.items():
        catalogues[name] = (
            mock if isinstance(mock, GalaxyCatalog) else read_galaxies(mock, **by_hand)
        )
    painted: dict[str, Baseline] = {}
    if scene is not None and baselines.names:
        painted = paint_baselines(baselines, scene, own, twins, _least(own, cuts))
        catalogues |= {name: one.galaxies for name, one in painted.items()}
    on_the_sky = check_frames(catalogues)
    if on_the_sky:
        of_boxes = {"--sim": sim, "--matter": options.get("matter")}
        refuse_what_boxes_have({**of_boxes, "--baseline": baselines.names})
    elif randoms is not None:
        raise UsageError("compare", "--randoms, with periodic boxes", "light cones", "leave it out")
    points = _randoms(randoms, cuts, by_hand)
    _check_columns(catalogues, NEEDED if on_the_sky else _NEEDED)
    catalogues = {name: select(one, *cuts) for name, one in catalogues.items()}
    notes += [*_check_alike(catalogues, allow_differences), *(b.note for b in painted.values())]
    _check_filled(catalogues)
    hosts: dict[str, HaloCatalog | None] = dict.fromkeys(catalogues)
    sources = {TRUTH: _named(truth)} | {name: _named(mock) for name, mock in mocks.items()}
    sources |= dict.fromkeys(painted, "painted within this comparison")
    if truth_scene is not None:
        hosts[TRUTH] = truth_scene.halos
    if scene is not None:
        notes += _share_hosts(scene, catalogues, hosts)
    if why:
        notes.append(f"There is no second truth, and no ceiling: {why}.")
    if truth_scene is not None and is_truth(truth_scene.snapshot.record):
        joined = how_joined(truth_scene.snapshot.record[TRUTH_RECORD])
        notes.append(
            f"The galaxies of the truth belong to the subhalos of {_named(sim)} "
            f"themselves: {joined}. So there is no second truth."
        )
    elif twins is not None:
        second, note = second_truth(twins, own, cuts)
        notes.append(note)
        rest = {name: one for name, one in catalogues.items() if name != TRUTH}
        catalogues = {TRUTH: catalogues[TRUTH], MATCHED: second, **rest}
        hosts[MATCHED] = twins.dark.halos
        sources[MATCHED] = f"{sources[TRUTH]} matched with {_named(sim)}"
    files = [
        Path(one)
        for one in (
            truth.table if isinstance(truth, Truth) else truth,
            sim,
            randoms,
            *mocks.values(),
        )
        if isinstance(one, str | os.PathLike)
    ]
    first = scene or truth_scene
    halos = None if first is None else first.halos
    return Inputs(catalogues, hosts, sources, scene, halos, twins, painted, notes, files, points)


def _least(truth: GalaxyCatalog, cuts: Sequence[str]) -> float:
    """Return the floor down to which a law must reach for the cuts [Msun/h]; 0 without galaxies.

    It is the mass of the heaviest galaxy below all that pass, which is not above a cut in mass.
    """
    passed = select(truth, *cuts)["stellar_mass"]
    if not len(passed):
        return 0.0
    mass = truth["stellar_mass"]
    return float(mass[mass < passed.min()].max(initial=0.0) or passed.min())


def _named(given: object) -> str:
    if isinstance(given, Truth):
        given = given.table
    return str(given) if isinstance(given, str | os.PathLike) else "an object in memory"


def _check_names(mocks: Mapping[str, Any], baselines: Sequence[str]) -> None:
    if not mocks and not baselines:
        raise UsageError("compare", "no mocks", "one or more", "--mock cnn=mock.fits")
    for name in mocks:
        if not _NAME.fullmatch(name) or name in (TRUTH, MATCHED):
            raise UsageError(
                "--mock",
                f"the name {name!r}",
                f"up to 40 letters, digits, dots, dashes and underscores, neither {TRUTH} nor "
                f"{MATCHED}",
                "--mock cnn=mock.fits",
            )


def _read_truth(
    truth: object, sim: Scene | None, options: Mapping[str, Any], by_hand: Mapping[str, Any]
) -> tuple[GalaxyCatalog, Scene | None]:
    """Return the galaxies of the truth, and the scene they are of, if any.

    Raises
    ------
    UsageError
        They belong to the subhalos of a simulation, which there is not.
    """
    from ...painters.hydro import own_galaxies
    from ...readers.mocks.reader import is_catalogue

    if isinstance(truth, GalaxyCatalog):
        return truth, None
    if isinstance(truth, str | os.PathLike) and is_catalogue(truth):
        return read_galaxies(truth, **by_hand), None
    if isinstance(truth, Truth):
        if sim is None:
            raise UsageError(
                "--truth-columns",
                "no simulation whose subhalos the galaxies belong to",
                "--sim",
                "give the gravity-only run",
            )
        check_definition(options)
        scene = truth.on(sim)
        return own_galaxies(scene), scene
    of_truth = {k: v for k, v in options.items() if k != "matter" and not k.startswith("matter_")}
    scene = truth if isinstance(truth, Scene) else read(truth, **of_truth)
    return own_galaxies(scene), scene


def _randoms(given: Any, cuts: Sequence[str], by_hand: Mapping[str, Any]) -> GalaxyCatalog | None:
    """Return randoms after the cuts on columns of a survey."""
    if given is None or isinstance(given, GalaxyCatalog):
        return given and cut_randoms(given, cuts)
    return read_randoms(given, cuts, **by_hand)


def _check_columns(catalogues: Mapping[str, GalaxyCatalog], needed: Sequence[str]) -> None:
    for name, galaxies in catalogues.items():
        lacking = [column for column in needed if column not in galaxies]
        if lacking:
            raise UsageError(
                name if name == TRUTH else f"mock {name}",
                f"no column {listed(lacking)}",
                f"a catalogue with {', '.join(needed)}",
                "give the catalogue as mockgal build wrote it",
            )


def _check_alike(catalogues: Mapping[str, GalaxyCatalog], allowed: bool) -> list[str]:
    """Return how the catalogues differ; raise if a comparison would not be one of like with like.

    Raises
    ------
    UsageError
        They differ in sample, selection, box, redshift, cosmology or definitions.
    """
    found = differences(catalogues)
    refused = [text for text in found if not stated_only(text)]
    if refused and not allowed:
        (_, way_out) = _parted(refused[0])
        more = f" (and {len(refused) - 1} more differences)" if len(refused) > 1 else ""
        raise UsageError(
            "compare",
            _parted(refused[0])[0] + more,
            "truth and mocks of the same sample, box, redshift, cosmology and definitions",
            f"{way_out}; or {WAY_OUT}" if way_out else WAY_OUT,
        )
    return [f"The catalogues have {_parted(text)[0]}." for text in found]


def _parted(text: str) -> tuple[str, str]:
    """Return what differs, and the way out that a difference states ("" for none)."""
    what, parted, way_out = text.rpartition("; ")
    if parted and "--cut" in way_out:
        return what, way_out
    return text, ""


def _check_filled(catalogues: Mapping[str, GalaxyCatalog]) -> None:
    for name, galaxies in catalogues.items():
        if not len(galaxies):
            raise InputError(
                name if name == TRUTH else f"mock {name}",
                "no galaxies that pass the cuts",
                "some in truth and mocks",
                "loosen the --cut",
            )


def _share_hosts(
    sim: Scene,
    catalogues: Mapping[str, GalaxyCatalog],
    hosts: dict[str, HaloCatalog | None],
) -> list[str]:
    """Give the mocks that were painted on a simulation its halos; return a note on the others."""
    digest, others = sim.halos.digest(), []
    for name, galaxies in catalogues.items():
        if hosts[name] is not None:
            continue
        if galaxies.provenance.get("simulation", {}).get("halo_digest") == digest:
            hosts[name] = sim.halos
        elif name != TRUTH:
            others.append(name)
    if not others:
        return []
    return [
        f"Not painted on the halos of {sim.snapshot.name} as they are read here: "
        f"{', '.join(others)}. Their hosts are counted from what each mock states."
    ]


def learnt_here(catalogues: Mapping[str, GalaxyCatalog]) -> Iterator[str]:
    """Yield which painters learnt from the twin of what they painted, and of which nobody knows.

    Weights record the runs they were trained on in each mock; calibrations that come with mockgal
    are known by their digest.
    """
    learnt = {name: _learnt_here(galaxies) for name, galaxies in catalogues.items()}
    here = [name for name, answer in learnt.items() if answer]
    if here:
        whose = f"painter of {here[0]}" if len(here) == 1 else f"painters of {listed(here)}"
        they = "it reproduces what it has seen, and is no test of it"
        if len(here) > 1:
            they = "they reproduce what they have seen, and is no test of them"
        yield (
            f"The {whose} learnt from the hydrodynamic twin of this very simulation: what follows "
            f"shows that {they}."
        )
    for name, answer in learnt.items():
        if answer is None:
            yield f"The runs that the painter of {name} learnt from are not recorded in the mock."


def _learnt_here(galaxies: GalaxyCatalog) -> bool | None:
    """Return whether a painter learnt from the twin of what it painted; None if nobody knows."""
    from ...painters.hod.store import shipped

    painter = galaxies.provenance.get("painter", {})
    digest = galaxies.provenance.get("simulation", {}).get("halo_digest")
    network = painter.get("network", {}).get("provenance", {}).get("training_data")
    table = painter.get("calibration_digest")
    known: Any = network
    if table is not None:
        known = next((one.provenance for one in shipped() if one.digest == table), None)
    if not isinstance(known, Mapping) or "pairs" not in known:
        return (
            None if known is None and (table is not None or "weights_digest" in painter) else False
        )
    runs = [_mapping(_mapping(pair).get("dark")).get("halo_digest") for pair in known["pairs"]]
    return digest is not None and digest in runs


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
