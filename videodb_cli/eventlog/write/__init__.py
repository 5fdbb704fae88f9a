"""The writing side: one writer appends stamped lines, rotates and repairs the log."""
