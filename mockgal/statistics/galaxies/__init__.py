"""Numbers of galaxies: mass functions, occupations, satellite fractions."""
