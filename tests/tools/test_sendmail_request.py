"""sendmail's command line: -O name=value, which Debian's Postfix does not know yet."""

import pytest

from pillarbox.tools.command_settings import Stop
from pillarbox.tools.sendmail_request import Mode, parse_request

OPTIONS = [
    # words, requires_tls, smtputf8
    (["-O", "requiretls=yes", "x@y.test"], True, False),
    (["-Orequiretls=yes", "-O", "RequireTLS=no", "x@y.test"], False, False),
    (["-O", "smtputf8=yes", "x@y.test"], False, True),
    (["-O", "DeliveryMode=b", "x@y.test"], False, False),  # of other programs
]


@pytest.mark.parametrize(("words", "requires_tls", "smtputf8"), OPTIONS)
def test_named_options(words: list[str], requires_tls: bool, smtputf8: bool) -> None:
    """As Postfix 3.11 has them."""
    request = parse_request(words, Mode.SUBMIT)
    assert (request.requires_tls, request.smtputf8) == (requires_tls, smtputf8)
    assert request.recipients == ["x@y.test"]


def test_a_value_that_is_none() -> None:
    """A wish for TLS that is misspelt must not be lost."""
    with pytest.raises(Stop, match="bad -O option value"):
        parse_request(["-O", "requiretls=true"], Mode.SUBMIT)
