"""Which SASL mechanisms may be offered."""

import pytest

from pillarbox.sessions.smtp.mechanisms import mechanism_filter
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.sasl.mechanisms import SECURITY

NAMES = (b"PLAIN", b"LOGIN", b"ANONYMOUS", b"CRAM-MD5", b"SCRAM-SHA-256")
ALL = {name: SECURITY[name] for name in NAMES}
CASES = [  # in clear text, under TLS, filter, offered in clear text, offered under TLS
    (("noanonymous",), ("noanonymous",), ("static:rest",), b"PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256", b"PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256"),
    (("noplaintext", "noanonymous"), ("noanonymous",), ("static:rest",), b"CRAM-MD5 SCRAM-SHA-256", b"PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256"),
    (("NoDictionary",), (), ("static:rest",), b"PLAIN LOGIN ANONYMOUS SCRAM-SHA-256", b"PLAIN LOGIN ANONYMOUS CRAM-MD5 SCRAM-SHA-256"),
    (("mutual_auth",), ("noactive",), ("static:rest",), b"SCRAM-SHA-256", b"PLAIN LOGIN ANONYMOUS SCRAM-SHA-256"),
    ((), (), ("!login", "!anonymous", "static:rest"), b"PLAIN CRAM-MD5 SCRAM-SHA-256", b"PLAIN CRAM-MD5 SCRAM-SHA-256"),
    ((), (), ("Plain",), b"PLAIN", b"PLAIN"),
    ((), (), (), b"", b""),
]  # fmt: skip


@pytest.mark.parametrize(("in_clear", "under_tls", "words", "clear", "secured"), CASES)
def test_what_is_offered(
    in_clear: tuple[str, ...],
    under_tls: tuple[str, ...],
    words: tuple[str, ...],
    clear: bytes,
    secured: bytes,
) -> None:
    """smtpd_sasl_security_options, smtpd_sasl_tls_security_options, smtpd_sasl_mechanism_filter."""
    mechanisms = mechanism_filter(in_clear, under_tls, words, where="main.cf", clock=ManualClock())
    assert b" ".join(mechanisms.offered(ALL, secured=False)) == clear
    assert b" ".join(mechanisms.offered(ALL, secured=True)) == secured


def test_properties_are_those_that_the_server_tells() -> None:
    """Dovecot has mechanisms that we have not; `noplaintext` and `noactive` keep them away, too."""
    told = {b"NTLM": (b"dictionary", b"active"), b"XOAUTH2": (b"plaintext",), b"GSSAPI": ()}
    for option, left in (
        ("noactive", b"XOAUTH2 GSSAPI"),
        ("noplaintext", b"NTLM GSSAPI"),
        ("mutual_auth", b""),
    ):
        mechanisms = mechanism_filter((option,), (), ("static:rest",), where="main.cf", clock=ManualClock())
        assert b" ".join(mechanisms.offered(told, secured=False)) == left


def test_an_unknown_option_is_refused() -> None:
    """It might have kept passwords off the wire."""
    with pytest.raises(ConfigurationFault, match='unknown SASL security option "noplain"'):
        mechanism_filter(("noplain",), (), (), where="main.cf", clock=ManualClock())
