"""Processes: start tokens, children, background processes, signals."""
