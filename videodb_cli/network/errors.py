"""The errors of proxies, TLS and connections."""

from __future__ import annotations

from videodb_cli.errors import MissingDependencyError, UnreachableError, UsageError


class NetworkConfigurationError(UsageError):
    """A fault that no retry mends: a proxy that cannot be used or refuses us, or a CA that is not trusted."""

    default_code = "network_configuration"


class MissingNetworkPackageError(MissingDependencyError):
    """The package that speaks to this kind of proxy is not installed."""

    default_code = "missing_package"


class CannotReachError(UnreachableError):
    """The host, or the proxy before it, could not be reached this time."""
