"""Pictures of catalogues: `mockgal plot`."""
