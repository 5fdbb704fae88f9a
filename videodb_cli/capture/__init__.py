"""Capture: channels, session, pipelines, recorders."""
