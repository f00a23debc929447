"""Every fault of the input, the output or the machine that is planned for, by number.

What each is and what must happen; read by the tests, which take their exit codes from here, and by
docs/make_reference.py. Which tests there are is not listed: a test claims its number with
`pytest.mark.fault`, and `claims` finds them.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent


class Fault(NamedTuple):
    """One fault.

    Parameters
    ----------
    number : int
    wrong, happens : str
        What is wrong, and what mockgal does, for users.
    exit_codes : tuple of int
        What a command ends with: one, but for signals; none where it cannot say.
    no_part : str
        The part that would meet the fault, if mockgal does not have it yet.
    """

    number: int
    wrong: str
    happens: str = "refused"
    exit_codes: tuple[int, ...] = (3,)
    no_part: str = ""


class Group(NamedTuple):
    """Faults of one kind, in the order of their numbers."""

    letter: str
    title: str
    faults: tuple[Fault, ...]


def _corrupt() -> tuple[Fault, ...]:
    return (
        Fault(1, "an HDF5 file that is cut short", "refused; both sizes are told"),
        Fault(
            2,
            "an empty file, zeros, or a web page under the name of an HDF5 file",
            "refused; the first bytes are shown",
        ),
        Fault(
            3,
            "values that fail the checksum stored with them (Fletcher-32)",
            "refused; dataset and chunk are named",
        ),
        Fault(4, "an HDF5 file that is open for writing, or whose writer died"),
        Fault(5, "a dataset is missing", "refused; what is there is listed"),
        Fault(6, "a FITS file that is cut short within its data", "refused; the HDU is named"),
        Fault(
            7,
            "a FITS file that is cut between two HDUs",
            "refused; the HDUs that belong to the file are known",
        ),
        Fault(8, "FITS data or headers that fail their CHECKSUM or DATASUM"),
        Fault(
            9,
            "an ASDF block that fails its digest or length, or a file that is cut short",
            "refused; the array, or the block, is named",
        ),
        Fault(
            10,
            "a Rockstar table whose last line is cut short",
            "refused; the number of the line is told",
        ),
        Fault(
            11,
            "a file without checksums that has bytes left over, or too few, or whose header lies: "
            "Quijote's groups, Gadget's snapshots in binary, BigFile, NumPy's arrays",
            "refused before memory is asked for; both sizes are told",
        ),
        Fault(12, "a Parquet file without its footer", "refused; its size and ends are told"),
        Fault(13, "network weights that are cut short", "refused; both sizes are told"),
    )


def _headers() -> tuple[Fault, ...]:
    return (
        Fault(
            14,
            "files of a set are missing",
            "refused; the missing numbers are listed. With `--allow-missing-chunks` the whole "
            "groups in the other files are read, with a warning and a record in the output",
        ),
        Fault(15, "files of a set are surplus, twice there, or copies of each other"),
        Fault(16, "more than ten files, whose names sort 0, 1, 10, 2", "read in order", (0,)),
        Fault(17, "the counts of the files do not add up to the declared total"),
        Fault(
            18,
            "a dataset has other rows, or rows of another shape, than its file declares; what a "
            "file states is of another shape, type or size than the format has",
        ),
        Fault(19, "the files of a set differ in time, box, cosmology or units"),
        Fault(20, "particle counts above 2^32, stored in two words", "read as one number", (0,)),
        Fault(21, "-1 (no subhalo) stored as an unsigned number", "read as -1", (0,)),
        Fault(
            22,
            "a group's first subhalo does not exist or is in another group",
            "refused; the row is told",
        ),
        Fault(
            23,
            "a group's first subhalo is not the one of rank 0 (Gadget-4)",
            "refused; the row is told",
        ),
        Fault(
            24,
            "the cosmology is stated nowhere",
            "refused; the options that give it (`--h`, `--omega-m`, `--omega-lambda`) are named",
        ),
        Fault(25, "the redshift is not 1/a - 1"),
        Fault(26, "snapshot and catalogue differ in time, box, cosmology or particle mass"),
        Fault(27, "numbers of a header stored as arrays of length 1, or as text", "read", (0,)),
    )


def _units() -> tuple[Fault, ...]:
    return (
        Fault(
            28,
            "kpc taken for Mpc: a box of 75000 Mpc/h",
            "refused; the likely factor is told",
        ),
        Fault(29, "the same run in Mpc/h and in kpc/h", "both give the same catalogue", (0,)),
        Fault(
            30,
            "a run in units without h",
            "recognised where its Hubble constants agree, else refused",
        ),
        Fault(
            31,
            "radii in kpc/h taken for Mpc/h, vmax in m/s or in 1000 km/s",
            "refused: radii, or circular velocities, and masses do not fit",
        ),
        Fault(
            32,
            "masses, radii or particles that differ from what the cosmology says by more than 5% "
            "(1% where a finder makes radii of masses), or halos that are no multiples of the "
            "particle mass: the Omega_m or particle mass of another run, tables without h",
            "refused; the value that would fit, and likely factors (powers of h, of a, 1e10), are "
            "told. From 1% on, and where no grid has as many particles as fill the box, a warning",
        ),
        Fault(33, "a cut without its unit", "refused; what to write is shown", (2,)),
    )


def _values() -> tuple[Fault, ...]:
    return (
        Fault(34, "NaN or infinite positions", "refused; their number and the first row are told"),
        Fault(
            35,
            "NaN, infinite or negative masses, and others that no halo has: speeds of 1e30 km/s, "
            "hosts of 1e40 Msun/h, bound masses all 0, satellites of 1e6 times their host or far "
            "from it, stars of 3 times the bound mass, radii of no mass ([bounds of each column]"
            "(columns.md))",
            "refused, with their number, the first id, its value and the bound; `--drop-bad` "
            "leaves the rows out and counts them. Rare values are read, counted and warned of",
        ),
        Fault(
            36,
            "host mass of zero",
            "allowed in what is not painted, and counted; refused in a central that is painted",
        ),
        Fault(
            37,
            "positions just below 0, which single precision would wrap to the box size",
            "wrapped to 0 and counted",
            (0,),
        ),
        Fault(38, "positions at the box size", "wrapped to 0 and counted", (0,)),
        Fault(
            39,
            "positions between -L/2 and L/2, which nothing declares",
            "refused; `--centred-origin` is named, which reads them",
        ),
        Fault(40, "positions more than 1% outside the box", "refused; the first row is told"),
        Fault(41, "ids that are there twice", "refused; the first row is told"),
        Fault(
            42,
            "satellites whose central is not there",
            "refused; `--orphans drop` leaves them out, `--orphans central` makes them centrals",
        ),
        Fault(43, "parents that form a circle"),
        Fault(
            44,
            "particle ids of the two runs of a calibration that do not go together",
            "refused where matches by ids are asked for; else by position, and recorded",
        ),
        Fault(
            45,
            "a slab, column or cube of the box without any halo, where voids cannot be the reason",
            "refused as a missing subvolume; `--allow-empty-regions` reads it",
        ),
        Fault(
            46,
            "a density grid with contrasts below -1, voxels that are negative, NaN or have more "
            "than all matter of any box, a mean not of matter, or not of the halos",
            "refused; of voxels the number, the first and its value are told",
        ),
    )


def _empty() -> tuple[Fault, ...]:
    return (
        Fault(47, "a group without subhalos", "has no central, and is counted", (0,)),
        Fault(48, "a bin of host mass without satellites", "a row of zeros in the table", (0,)),
        Fault(
            49,
            "no galaxy passes the cut",
            "a valid file without rows, and a warning; with `--require-nonempty` refused with "
            "exit code 3",
            (0,),
        ),
        Fault(50, "a file of a set without groups or without rows", "read", (0,)),
        Fault(
            51,
            "a bin of a statistic without modes, pairs or galaxies",
            "a count of 0; numbers are 0, correlation functions what DD / RR - 1 gives, means NaN",
            (0,),
        ),
    )


def _output() -> tuple[Fault, ...]:
    return (
        Fault(
            52,
            "the disk is full",
            "the old file stays as it was, the temporary one is removed",
            (5,),
        ),
        Fault(53, "the disk is too small for what will be written", "refused before work", (6,)),
        Fault(
            54,
            "killed (`kill -9`) at any write, sync or renaming",
            "the old file or the new one, whole; the next run succeeds",
            (),
        ),
        Fault(
            55,
            "interrupted (SIGINT) or terminated (SIGTERM)",
            "the old file stays; so it does where a library loses the signal, and while mockgal "
            "is being imported. Of millions of points few pairs are counted between two answers",
            (130, 143),
        ),
        Fault(56, "a folder that may not be written to", "refused before work", (5,)),
        Fault(
            57,
            "two runs with one output",
            "one of them writes; the other is refused, with the host and process of the first",
            (5,),
        ),
        Fault(58, "the output exists", "refused without `--overwrite`", (2,)),
        Fault(59, "the output is an input, or a link to one", "refused", (2,)),
        Fault(
            60,
            "letters beyond ASCII in a path, or in text for a FITS header",
            "the path works; the header refers to the JSON in the same file",
            (0,),
        ),
        Fault(
            61,
            "the file system, or another program, refuses the lock on an input",
            "refused; HDF5_USE_FILE_LOCKING is explained (for an output: exit code 5)",
        ),
    )


def _hostile() -> tuple[Fault, ...]:
    unsafe = (4,)
    return (
        Fault(
            62,
            "a pickle (of network weights, say) in place of a simulation or calibration",
            "refused as a format that is not read; nothing in it is executed (in place of network "
            "weights, where pickles are usual, and in a checkpoint to convert: exit code 4)",
        ),
        Fault(
            63,
            "a NumPy file of Python objects in place of a simulation or calibration",
            "refused as a format that is not read; nothing in it is executed (in place of network "
            "weights, of a density grid, and of a table whose columns are named: exit code 4)",
        ),
        Fault(
            64, "a link out of the HDF5 file, anywhere on the way to a dataset", "refused", unsafe
        ),
        Fault(65, "a dataset whose bytes are in another file", "refused", unsafe),
        Fault(66, "a virtual dataset, made of other files", "refused", unsafe),
        Fault(
            67,
            "a small file that declares petabytes",
            "refused before memory is asked for",
            unsafe,
        ),
        Fault(
            68,
            "data that grow more than 1000 times, beyond 4 GiB, when they are unpacked",
            "refused",
            unsafe,
        ),
        Fault(69, "an HDF5 filter that is not installed", "refused; hdf5plugin is named"),
        Fault(
            70,
            "line breaks and control bytes in the names that a file or a user gives",
            "escaped on the screen and in headers; they cannot add lines or header cards",
            (0,),
        ),
        Fault(
            71,
            "YAML tags that make Python objects, and aliases that fill the memory",
            "refused at once; nothing is executed (in a calibration: 3)",
            (2,),
        ),
        Fault(
            72,
            "names that some FITS libraries take for commands (`a.fits[1]`, `|program`, `!a.fits`)",
            "are the names of files and nothing else",
            (0,),
        ),
        Fault(73, "links in a circle, or groups nested deeply", "refused", unsafe),
    )


def _compute() -> tuple[Fault, ...]:
    workers = "all work is done in one process"
    return (
        Fault(74, "a worker process is killed", no_part=workers),
        Fault(75, "a tile that always fails", no_part=workers),
        Fault(
            76,
            "the work of a network, or counting pairs, does not fit in memory",
            "refused with the bytes that it needs, before any work where they are known",
            (6,),
        ),
        Fault(77, "a GPU is asked for and there is none", "refused", (2,)),
        Fault(
            78,
            "network weights with missing tensors, wrong shapes, NaN, values in their header that "
            "cannot be, or that were trained on a simulation unlike this one",
            "refused; the tensor, the entry or what differs is named",
        ),
        Fault(
            79,
            "a painter predicts NaN or masses that no galaxy has",
            "nothing is written; the ids of the halos are told",
            (8,),
        ),
        Fault(
            80,
            "training is killed",
            "goes on when it is run again; on a CPU with the same losses to come",
            (),
        ),
        Fault(
            81,
            "the last checkpoint of a training is damaged",
            "training goes on from the one before, with a warning; refused if both are",
            (0,),
        ),
        Fault(
            82,
            "the loss of a training becomes NaN",
            "training stops; the last good checkpoint is kept",
            (8,),
        ),
        Fault(83, "the two runs of a calibration or a training do not belong together"),
        Fault(84, "regions for training, validation and test are nearer than half a crop"),
        Fault(
            85,
            "fields that a stopped training has kept are damaged, or their files have changed",
            "removed, with a warning where they are damaged, and made again",
            (0,),
        ),
    )


def _surroundings() -> tuple[Fault, ...]:
    return (
        Fault(
            86,
            "standard streams that are closed, full, or that nobody reads",
            "the work is done and files are written whole; a report that finds no room is an "
            "error, and messages that cannot be printed are not",
            (5,),
        ),
        Fault(
            87,
            "names too long, folders (for scratch files, too) that are gone, full or closed, pipes "
            "in the place of files, limits on files, and variables (of threads, caches, locale) "
            "that make no sense",
            "refused before work where nothing could be written, with exit code 5 (6 for too few "
            "open files), or where nothing can be read, with 3 (2 for recipes); else the work is "
            "done, also with paths whose bytes are no text",
            (2, 3, 5, 6),
        ),
    )


def _surveys() -> tuple[Fault, ...]:
    usage = (2,)
    return (
        Fault(
            88,
            "a HEALPix map whose header does not state its order, its coordinates or its "
            "resolution",
            "refused; the first two may be stated in the recipe, beside the map",
        ),
        Fault(
            89,
            "a HEALPix map with values that are no completeness, with pixels that are repeated or "
            "do not exist, or that is cut short; a table of number densities with gaps between its "
            "bins, or with no numbers",
        ),
        Fault(
            90,
            "number densities asked for beyond the redshifts of the light cone",
            "refused; the first bin and the redshifts are told",
            usage,
        ),
        Fault(
            91,
            "more galaxies by redshift than the mock has",
            "refused; the bins are listed with both numbers",
        ),
        Fault(
            92,
            "a number density of the box that the mock does not reach, or at which it is not "
            "complete",
            "refused; the largest density that it reaches is told",
            usage,
        ),
        Fault(
            93,
            "a light cone deeper than its box",
            "made of copies of the box; galaxies that are seen more than once are counted in a "
            "warning, in the report and in the file",
            (0,),
        ),
        Fault(
            94,
            "a light cone of more than 499 copies along an axis",
            "refused before work",
            usage,
        ),
        Fault(95, "a footprint without area", "refused before work", usage),
        Fault(
            96,
            "steps that do not fit the galaxies: steps on the sky without a light cone, a light "
            "cone of galaxies on the sky, a mock without velocities or ids",
            "refused; the step and the way out are named",
            usage,
        ),
        Fault(
            97,
            "one of the two files of a survey, galaxies and randoms, cannot be written",
            "neither is; files of these names stay as they were",
            (5,),
        ),
        Fault(
            98,
            "a statistic on the sky of galaxies in a box, or without randoms; randoms for one of a "
            "box, or without a row",
            "refused; the option or the step that is missing is named",
            (2, 3),
        ),
        Fault(
            99,
            "randoms of another cosmology or footprint, or that do not cover the galaxies, on the "
            "sky or in redshift",
            "refused; the record that differs, or the share that lies outside, is told",
            (2, 3),
        ),
        Fault(
            100,
            "weights that are not finite, negative, 0 throughout, or of galaxies or randoms alone",
            "refused; the column, the row and the way to count without weights are named",
            (2, 3),
        ),
        Fault(
            101,
            "regions of the jackknife of galaxies or randoms alone, or that do not match",
            "refused; regions for both can be made on the way",
            (2, 3),
        ),
        Fault(
            102,
            "a column that a data model needs, and that the galaxies do not have",
            "refused before they are painted; the step that makes it is named",
            usage,
        ),
        Fault(
            103,
            "objects of a survey that share an id in a data model",
            "all ids are drawn again; refused if there are too many objects for the bits of an id",
            (6,),
        ),
        Fault(
            104,
            "a folder in the place of a catalogue in HATS",
            "refused without `--overwrite`; one with files of others is never replaced",
            (2, 5),
        ),
        Fault(
            105,
            "a file of a data model whose rows, columns, or statements of what these are were "
            "changed",
            "refused; so it is with `--changed-by-hand`, as the mock itself can be changed",
            (2, 3),
        ),
        Fault(
            106,
            "a remapping by vectors that span no cell of the box, or one that is to hold a survey "
            "larger than the box",
            "refused; the size of the survey is told",
            usage,
        ),
        Fault(
            107,
            "an opening that is none, or without a direction",
            "refused before work",
            usage,
        ),
    )


def _fits() -> tuple[Fault, ...]:
    return (
        Fault(
            108,
            "data to fit in other units, or with a covariance of other bins, of too few mocks, or "
            "that is not positive definite",
            "refused before work; the bins of both, or the least eigenvalue, are told",
            (2, 3),
        ),
    )


GROUPS = (
    Group("A", "Corrupt or cut short", _corrupt()),
    Group("B", "Headers and sets of files", _headers()),
    Group("C", "Units", _units()),
    Group("D", "Values", _values()),
    Group("E", "Empty for good reason", _empty()),
    Group("F", "Output", _output()),
    Group("G", "Hostile", _hostile()),
    Group("H", "Computing", _compute()),
    Group("I", "Surroundings", _surroundings()),
    Group("J", "Surveys", _surveys()),
    Group("K", "Fits", _fits()),
)
FAULTS = {fault.number: fault for group in GROUPS for fault in group.faults}


def claims(folder: Path = TESTS) -> dict[int, list[str]]:
    """The files whose tests claim each number, by the calls ``fault(N, ...)`` and ``case(N, ...)``.

    Returns
    -------
    dict of int to list of str
        Paths below ``folder``.
    """
    found: dict[int, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for number in _numbers(node):
                files = found.setdefault(number, [])
                if str(path.relative_to(folder)) not in files:
                    files.append(str(path.relative_to(folder)))
    return found


def _numbers(node: ast.AST) -> list[int]:
    """The numbers in a call of ``fault`` or ``case``."""
    if not isinstance(node, ast.Call):
        return []
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    given = {"fault": node.args, "case": node.args[:1]}.get(called, [])
    return [arg.value for arg in given if isinstance(arg, ast.Constant) and type(arg.value) is int]
