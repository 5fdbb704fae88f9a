"""Faster ways to the same answers: two processes, fields as columns, partial decoding."""
