"""Reports: figures of catalogues and of the statistics measured from them."""
