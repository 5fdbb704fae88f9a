"""VideoDB at the command line: hear every event, keep it, find it, and run the capture that makes it."""

# Written down, because importlib.metadata costs four interpreter starts.
__version__ = "0.1.0"
