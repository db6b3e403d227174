"""What tests of IMAP sessions have in common."""

from collections.abc import Iterator

import pytest

from pillarbox.sessions.imap import session, urlauth


@pytest.fixture(autouse=True)
def patient_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, a search is answered before the next command is read, unless a test is about that."""
    monkeypatch.setattr(session, "PATIENCE", 60)


@pytest.fixture(scope="module", autouse=True)
def known_key() -> Iterator[None]:
    """Transcripts know the tokens of URLs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urlauth, "new_key", lambda: b"k" * urlauth.KEY_SIZE)
        yield
