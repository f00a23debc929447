"""Writers: write a catalogue to a file, completely or not at all."""
