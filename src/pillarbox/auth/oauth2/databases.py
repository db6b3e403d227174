"""The passdbs of OAuth 2.0, each with the server that it asks.

DESCRIPTION
    They are made by whoever has rights still: certificates, and keys that only root may read, are read then.  HTTP
    and cryptography take 9 MiB together; without such passdbs neither is loaded (auth/oauth2/loading.py).
"""

import importlib
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from pillarbox.auth.oauth2.passwords import OAuth2Passwords
from pillarbox.auth.oauth2.token_server import TokenServer, tls_context
from pillarbox.auth.user_database import PasswordDatabase
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.clock import Clock

_PUBLIC_KEYS: Final = "pillarbox.auth.oauth2.public_keys"


class Databases:
    """`auth.oauth2.loading.OAuth2Databases`."""

    def __init__(self, wanted: Sequence[OAuth2Settings], clock: Clock) -> None:
        self._clock = clock
        self._servers: dict[OAuth2Settings, TokenServer] = {}
        for settings in wanted:
            fault, context = "", None
            try:
                context = tls_context(settings)
            except OSError as error:
                fault = f"Couldn't initialize SSL context: {error.strerror or error}"
            self._servers[settings] = TokenServer(settings, clock, context=context, fault=fault)
            if settings.key_directory:
                importlib.import_module(_PUBLIC_KEYS)

    def of(self, settings: OAuth2Settings, executor: Executor) -> PasswordDatabase:
        """One of them."""
        server = self._servers[settings]
        return OAuth2Passwords(settings, server, clock=self._clock, executor=executor)

    def close(self) -> None:
        """Whoever waits for an answer about a token gets none."""
        for server in self._servers.values():
            server.close()
