"""Steps that several commands take."""
