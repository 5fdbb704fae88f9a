"""A capture from the request to its end: start, background process, run, stop, status."""
