"""Forwards events from the log to a URL or a command."""
