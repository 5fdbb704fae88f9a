"""Media of the embedded service: sources, recordings, exports."""
