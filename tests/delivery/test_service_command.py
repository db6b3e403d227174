"""The environment that commands get: import_environment and export_environment."""

import pytest

from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.service_command import command_environment

SETTINGS = [
    ({}, {"TZ": "UTC+1", "LANG": "C"}),
    ({"export_environment": "TZ, EXTRA, NOT_THERE"}, {"TZ": "UTC+1"}),
    ({"import_environment": "EXTRA", "export_environment": "TZ EXTRA LANG"}, {"EXTRA": "more"}),
    ({"import_environment": "TZ=X LANG", "export_environment": "TZ LANG"}, {"TZ": "X", "LANG": "de"}),
    ({"import_environment": "{ A = b c }", "export_environment": "A B=d"}, {"A": "b c", "B": "d"}),
    ({"export_environment": "{ A = b, c } MAIL_CONFIG=/other"}, {"A": "b, c"}),
]


@pytest.mark.parametrize(("settings", "expected"), SETTINGS)
def test_what_a_command_sees(
    settings: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names stand for what was imported, and for nothing else of our environment."""
    for name, value in (("TZ", "UTC+1"), ("LANG", "de"), ("EXTRA", "more")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOT_THERE", raising=False)
    found = dict(command_environment("/etc/postfix", Snapshot.of(settings).group(Paths)))
    always = {b"PATH": b"/usr/bin:/bin", b"MAIL_CONFIG": b"/etc/postfix"}
    assert found == always | {name.encode(): value.encode() for name, value in expected.items()}
