"""Which system tests stay together, and which come first."""

from pathlib import Path

import pytest

from fakes.process_groups import SECONDS, group, seconds


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/system/test_clients.py::test_swaks[root-TLS]", "tests/system/test_clients.py root"),
        ("tests/system/test_clients.py::test_swaks[rootless-TLS]", "tests/system/test_clients.py rootless"),
        (
            "tests/system/test_mixed_halves.py::test_x[postfix+dovecot]",
            "tests/system/test_mixed_halves.py postfix+dovecot",
        ),
        ("tests/system/test_sendmail_peer.py::test_x[62 -- -root]", "tests/system/test_sendmail_peer.py"),
        ("tests/system/test_lab_peer.py::test_x", "tests/system/test_lab_peer.py"),
        ("tests/system/test_x.py::test_x['a]b\n[c']", "tests/system/test_x.py"),
    ],
)
def test_groups(nodeid: str, expected: str) -> None:
    """The module, and the system that a fixture of it is made for."""
    assert group(nodeid) == expected


def test_each_module_is_measured() -> None:
    """A new one that is long would be begun last."""
    modules = {path.name for path in (Path(__file__).parent / "system").glob("test_*.py")}
    assert set(SECONDS) <= modules
    missing = sorted(modules - set(SECONDS))
    assert not missing, f"add {missing} with their seconds to SECONDS in tests/fakes/process_groups.py"
    assert seconds("tests/system/test_ledger.py::test_x[root]") == SECONDS["test_ledger.py"]
    assert seconds("tests/system/test_none.py::test_x") == 0
