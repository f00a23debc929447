"""Writers: a catalogue to a file, whole or not at all."""
