"""The directory of one listener: its paths, private files, lock and typed state files."""
