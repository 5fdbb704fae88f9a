"""What the user types: one file a command. It parses, calls, renders; it decides nothing."""
