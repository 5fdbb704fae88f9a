"""Processes and servers that misbehave on demand. They speak the real protocol, and have tests of their own."""
