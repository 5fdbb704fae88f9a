"""A company's network: a service that is reached by name only, a CA that nobody else trusts, and `videodb` in it.

The service's name does not exist and its certificate is signed by the company: without the proxy, or without the
certificate, nothing is reached. No password of a proxy is in any output or file: `run` and `Box.close` look for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.program import Box
from tests.fakes.authority import Authority
from tests.fakes.event_service import Act, EventService
from tests.fakes.proxy import Proxy

NAME = "api.videodb.test"
EVENT = '{"channel":"alert","n":1}'
# To be in every password, because it is looked for everywhere.
SECRET = "secret-ticket"


class Office:
    """One directory in it. ``ca`` is the file of the company's certificate."""

    def __init__(self, root: Path) -> None:
        self.box = Box(root)
        self.authority = Authority()
        self.ca = str(self.authority.write_file(root / "ca.pem"))

    def service(self, *acts: Act, name: str = NAME) -> EventService:
        """Return the service, with this name in its addresses."""
        return EventService(*acts, name=name, tls=self.authority.server_context(NAME, "localhost", "255.255.255.255"))

    def proxy(self, options: dict[str, Any]) -> Proxy:
        """Return a proxy; with ``tls`` it has a certificate of the company's."""
        if options.get("tls"):
            options = {**options, "tls": self.authority.server_context("127.0.0.1")}
        return Proxy(**options)

    def run(self, service: EventService | None, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run ``videodb ARGUMENTS`` to the end: its exit status and what it said."""
        done = self.box.run(service, *arguments, **{"SSL_CERT_FILE": self.ca, **environment})
        said = done.stdout + done.stderr
        assert SECRET not in said
        assert "Traceback" not in said
        return done.returncode, said
