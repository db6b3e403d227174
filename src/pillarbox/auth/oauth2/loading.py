"""What is loaded for passdbs of OAuth 2.0, if there are any."""

import importlib
from concurrent.futures import Executor
from typing import Final, Protocol

from pillarbox.auth.user_database import PasswordDatabase
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.clock import Clock

_DATABASES: Final = "pillarbox.auth.oauth2.databases"


class OAuth2Databases(Protocol):
    """All passdbs of that driver."""

    def of(self, settings: OAuth2Settings, executor: Executor) -> PasswordDatabase:
        """One of them; `executor` is for what takes time here."""
        ...

    def close(self) -> None:
        """No login comes any more."""
        ...


def load(settings: MailboxSettings, clock: Clock) -> OAuth2Databases | None:
    """Those of a configuration; None if it has none.  For whoever has rights still, to read keys and modules."""
    wanted = [one.oauth2 for one in settings.passdbs if one.oauth2 is not None]
    if not wanted:
        return None
    databases: OAuth2Databases = importlib.import_module(_DATABASES).Databases(wanted, clock)
    return databases
