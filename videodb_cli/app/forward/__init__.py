"""Handing events on from the log to a URL or a command."""
