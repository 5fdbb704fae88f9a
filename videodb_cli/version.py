"""The version of this program."""

# Written here, because importlib.metadata takes as long as four starts of the interpreter.
__version__ = "0.1.0"
