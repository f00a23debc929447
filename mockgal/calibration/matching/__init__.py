"""Match subhalos of a hydrodynamic run with those of its gravity-only twin."""
