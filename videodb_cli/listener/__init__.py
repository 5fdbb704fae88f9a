"""From the socket to the log."""
