"""Calibrate painters on a hydrodynamic run and its gravity-only twin."""
