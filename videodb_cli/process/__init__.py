"""Processes: start tokens, children, daemons, signals."""
