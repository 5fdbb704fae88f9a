"""The embedded VideoDB-compatible service, for demos, tests and offline development. It is not the service."""
