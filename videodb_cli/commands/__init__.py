"""The commands, one file for each: they parse the command line, call `app` or `eventlog`, and print the result."""
