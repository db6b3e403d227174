"""`%{env:NAME}` in mail_home and mail_location."""

from pathlib import Path

import pytest

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import read_configuration


def test_where_mail_is_may_depend_on_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What import_environment lets through; the rest is empty, or the default that stands behind the name."""
    monkeypatch.setenv("TOP", "100%")
    monkeypatch.setenv("SECRET", "x")
    path = tmp_path / "dovecot.conf"
    path.write_text(
        "import_environment = $import_environment TOP OTHER=val\n"
        "mail_home = /m/%{env:TOP}-%{env:OTHER}-%{env:SECRET}-%{env:NONE:d}/%u\n"
        "mail_location = maildir:/v/%{env:OTHER}/%u\n"
        "namespace {\n  prefix = more/\n  location = maildir:/n/%{env:OTHER}\n}\n"
    )
    settings = mailbox_settings(read_configuration(str(path)), hostname="h")
    assert settings.mail_home == "/m/100%%-val--d/%u"
    assert settings.storage.path == "/v/val/%u"
    (place,) = [one.location for one in settings.namespaces if one.prefix == "more/"]
    assert place is not None
    assert place.path == "/n/val"
