"""The configuration file ``config.toml``: its keys, where it is, what it says, and how it is edited.

It holds what a person wants every time, and nothing that is secret: no key, no token and no address of a service.
"""
