"""The names that occur in a log: channels, streams, sessions and events, how often and when. Kept in a small file."""
