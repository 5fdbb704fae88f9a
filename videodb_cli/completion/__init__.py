"""Shell completion: what may follow on an unfinished command line. It imports as little as possible, for speed."""
