"""The report of a session: turns the events of a log into the content of a page."""
