"""What is derived from selected events: counts, transcripts, search, sessions, wait conditions."""
