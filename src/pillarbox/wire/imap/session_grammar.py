"""Commands about the connection: who it is, what we can do, beginning and end.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 3501 §6.1, §6.2; RFC 2971 (ID); RFC 4959 (SASL-IR); RFC 5161 (ENABLE)
"""

from typing import Final

from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.imap.commands import (
    Authenticate,
    Capability,
    Check,
    Close,
    Compress,
    Enable,
    Id,
    Idle,
    Login,
    Logout,
    Namespace,
    Noop,
    StartTls,
    Unselect,
)
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

MAX_ID_PAIRS: Final = 30
"""RFC 2971 §3.3: "Implementations MUST NOT send more than 30 field-value pairs." """


# Commands without arguments take and ignore them, as Dovecot does: `CAPABILITY extra` is OK.


def capability(tag: bytes, scanner: Scanner) -> Capability:
    """`capability = "CAPABILITY"`"""
    return Capability(tag)


def noop(tag: bytes, scanner: Scanner) -> Noop:
    """`noop = "NOOP"`"""
    return Noop(tag)


def logout(tag: bytes, scanner: Scanner) -> Logout:
    """`logout = "LOGOUT"`"""
    return Logout(tag)


def start_tls(tag: bytes, scanner: Scanner) -> StartTls:
    """`"STARTTLS"`"""
    return StartTls(tag)


def namespace(tag: bytes, scanner: Scanner) -> Namespace:
    """`namespace-command = "NAMESPACE"`"""
    return Namespace(tag)


def idle(tag: bytes, scanner: Scanner) -> Idle:
    """`idle = "IDLE" CRLF "DONE"`"""
    return Idle(tag)


def compress(tag: bytes, scanner: Scanner) -> Compress:
    """`compress = "COMPRESS" SP algorithm`"""
    scanner.space_or("Missing arguments")
    algorithm = scanner.word()
    scanner.end()
    return Compress(tag, algorithm)


def check(tag: bytes, scanner: Scanner) -> Check:
    """`"CHECK"`"""
    return Check(tag)


def close(tag: bytes, scanner: Scanner) -> Close:
    """`"CLOSE"`"""
    return Close(tag)


def unselect(tag: bytes, scanner: Scanner) -> Unselect:
    """`"UNSELECT"`"""
    return Unselect(tag)


def login(tag: bytes, scanner: Scanner) -> Login:
    """`login = "LOGIN" SP userid SP password`"""
    scanner.space()
    user = scanner.astring()
    scanner.space()
    password = scanner.astring()
    scanner.end()
    return Login(tag, user, Secret(password))


def authenticate(tag: bytes, scanner: Scanner) -> Authenticate:
    """`authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)`"""
    scanner.space()
    mechanism = scanner.word()
    response = None
    if scanner.take_space() and not scanner.at_end:
        response = scanner.astring()
    scanner.end()
    return Authenticate(tag, mechanism, response)


def identify(tag: bytes, scanner: Scanner) -> Id:
    """`id = "ID" SP id-params-list`; anything else is taken for NIL, as Dovecot does after login.

    Quirk: what is not quoted is taken, too (`ID (name mutt)`).
    """
    parameters: list[tuple[bytes, bytes | None]] = []
    scanner.take_space()
    if scanner.take_open():
        while not scanner.take_close():
            if parameters:
                scanner.space()
            name = scanner.astring()
            scanner.space()
            parameters.append((name, None if scanner.take_word(b"NIL") else scanner.astring()))
            if len(parameters) > MAX_ID_PAIRS:
                raise BadSyntax("Too many ID parameters")
    return Id(tag, tuple(parameters))


def enable(tag: bytes, scanner: Scanner) -> Enable:
    """`enable = "ENABLE" 1*(SP capability)`"""
    capabilities: list[bytes] = []
    while scanner.take_space() and not scanner.at_end:
        capabilities.append(scanner.word())
    scanner.end()
    return Enable(tag, tuple(capabilities))
