"""The reading side: which files make up a log, and their whole lines with offsets."""
