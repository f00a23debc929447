"""Subhalos of the hydrodynamic run and their twins in the gravity-only run."""
