"""The log on disk: one writer, many readers."""
