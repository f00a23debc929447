"""The report room: pictures of catalogues and of what was measured of them."""
