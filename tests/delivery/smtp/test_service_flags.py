"""flags= of an smtp or lmtp service."""

import pytest

from pillarbox.delivery.smtp.service_flags import service_flags
from pillarbox.vocabulary.faults import ConfigurationFault

MISTAKES = [("flags=DZ", 'unknown flag "Z" in "flags=DZ"'), ("user=x", "unknown attribute name: user=x")]


@pytest.mark.parametrize(("argument", "what"), MISTAKES)
def test_mistakes(argument: str, what: str) -> None:
    """They are told with the line of master.cf."""
    with pytest.raises(ConfigurationFault, match=what) as fault:
        service_flags([argument], where="master.cf, line 7")
    assert fault.value.where == "master.cf, line 7"


def test_the_last_counts() -> None:
    """As in Postfix."""
    flags = service_flags(["flags=D", "flags=OX"], where="x")
    assert flags.letters == {"O", "X"}
    assert flags.written == "flags=OX"
