"""smtpd_proxy_options = speed_adjust: a message that cannot be stored for the filter."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from pillarbox.observability.events import Event, Warned
from pillarbox.sessions.smtp.before_queue_filter import FilterFault, FilterSettings, StoredConversation


def test_a_full_disk_that_shows_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last octets are written at the end: the client is told, the filter hears nothing, all is given back."""
    full = open("/dev/full", "w+b")  # the conversation closes it
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda *_arguments, **_options: full)
    told: list[Event] = []
    settings = FilterSettings(
        name="filter",
        place=str(tmp_path / "nobody"),
        hello=b"mail.test",
        timeout=10.0,
        stores=True,
        directory=str(tmp_path),
    )

    async def converse() -> FilterFault:
        conversation = StoredConversation(settings, limit=0, tell=told.append)
        await conversation.open({}, b"MAIL FROM:<>")
        await conversation.feed(b"Subject: a\r\n")
        with pytest.raises(FilterFault) as found:
            await conversation.end()
        conversation.close()
        return found.value

    fault = asyncio.run(converse())
    assert fault.lines == (b"451 4.3.0 Error: queue file write error",)
    assert told == [Warned("write to temporary file of a message: No space left on device")]
    assert full.closed
