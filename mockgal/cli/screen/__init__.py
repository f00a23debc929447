"""What the commands show: bars, streams, reports."""
