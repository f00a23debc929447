"""What a catalogue states of itself: objects of its JSON, and the definitions of its columns."""
