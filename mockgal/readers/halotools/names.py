"""The columns of halotools' tables that the reader knows, with their units."""

from ...columns import HALO_COLUMNS

# Host masses by definition; without --mass-definition the first one present. 200c leads as in the
# other formats; vir, halotools' own choice, follows. "b" (background) and "m" mean the same.
HOST_MASS = {
    "200c": ("halo_m200c",),
    "vir": ("halo_mvir",),
    "200m": ("halo_m200b", "halo_m200m"),
    "500c": ("halo_m500c",),
    "fof": ("halo_mfof",),
}
# The mass bound to a row's own object. Most of these tables come from Rockstar, which counts bound
# particles only, and for a satellite only its own. These hardly reach out to the virial density:
# Mvir is close to the whole bound mass of a satellite, while the higher thresholds of other
# definitions cut into it. The Mvir of a host includes its satellites.
BOUND_MASS = ("halo_mbound_vir", "halo_mvir")
# The id of the host (pid: of the next larger object), and -1 for a host; hostid: its own id.
PARENT = ("halo_upid", "halo_pid", "halo_hostid")

POSITION = ("halo_x", "halo_y", "halo_z")
VELOCITY = ("halo_vx", "halo_vy", "halo_vz")
VMAX, PHANTOM = "halo_vmax", "halo_phantom"
PEAKS = {  # of a history
    "peak_mass": "halo_mpeak",
    "peak_vmax": "halo_vpeak",
    "vmax_at_peak_mass": "halo_vmax_mpeak",
    "peak_mass_scale": "halo_scale_factor_mpeak",
    "half_mass_scale": "halo_halfmass_scale_factor",
    "last_major_merger_scale": "halo_scale_factor_lastmm",
    "infall_mass": "halo_macc",
    "infall_vmax": "halo_vacc",
}
# halotools derives it from Rockstar: the virial radius over the scale radius of the fit.
CONCENTRATION, OF_CONCENTRATION = "halo_nfw_conc", "vir"
DEFINITION = {name: key for key, names in HOST_MASS.items() for name in names}
RADIUS = {
    name: name.replace("halo_m", "halo_r") for name, key in DEFINITION.items() if key != "fof"
}
# All columns that this reader uses, with their units.
COLUMNS = {
    **dict.fromkeys(("halo_id", PHANTOM, CONCENTRATION, *PARENT), ""),
    **dict.fromkeys((*POSITION, *RADIUS.values()), "Mpc/h"),
    **dict.fromkeys((*DEFINITION, *BOUND_MASS), "Msun/h"),
    **dict.fromkeys((*VELOCITY, VMAX), "km/s"),
    **{native: HALO_COLUMNS[name].unit_label for name, native in PEAKS.items()},
}
