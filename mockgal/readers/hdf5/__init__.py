"""HDF5 files from anyone, opened in a guarded process, with sizes checked before allocation."""
