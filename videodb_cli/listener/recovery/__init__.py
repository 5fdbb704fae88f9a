"""What a gap lost, and how most of it is fetched again. The core is pure; `recoverer` alone waits and calls."""
