"""Results derived from selected events: counts, transcripts, search, sessions, wait conditions."""
