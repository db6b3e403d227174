"""What tests of IMAP sessions have in common."""

import pytest

from pillarbox.sessions.imap import session


@pytest.fixture(autouse=True)
def patient_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, a search is answered before the next command is read, unless a test is about that."""
    monkeypatch.setattr(session, "PATIENCE", 60)
