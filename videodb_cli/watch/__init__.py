"""The live view of a directory: header, event stream, search, filters. Textual is imported in this package only."""
