"""Twenty tasks of an agent, done with `videodb` as its guide says and with the snippets of the public skill."""
