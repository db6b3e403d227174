"""GENURLAUTH, RESETKEY and URLFETCH: URLs that let others read a message.

FAULTS
    BadSyntax, Refusal  as `scanner` says; the texts are Dovecot's.

STANDARDS
    RFC 4467 §9 (formal syntax); RFC 5524 §5 (URLAUTH=BINARY)
"""

from typing import Final

from pillarbox.wire.imap.scanner import BadSyntax, Scanner
from pillarbox.wire.imap.urlauth_commands import FetchedUrl, GenUrlAuth, ResetKey, UrlFetch, UrlForm

MAX_URLS: Final = 1000
"""URLs of one command."""


def gen_url_auth(tag: bytes, scanner: Scanner) -> GenUrlAuth:
    """`genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism)`"""
    rumps: list[tuple[bytes, bytes]] = []
    while not rumps or not scanner.is_read:
        scanner.space_or("Invalid arguments")
        rump = scanner.astring()
        scanner.space_or("Invalid arguments")
        rumps.append((rump, scanner.atom()))
        _check(len(rumps))
    return GenUrlAuth(tag, tuple(rumps))


def reset_key(tag: bytes, scanner: Scanner) -> ResetKey:
    """`resetkey = "RESETKEY" [SP mailbox *(SP mechanism)]`"""
    mailbox = scanner.mailbox() if scanner.take_space() and not scanner.at_end else None
    mechanisms: list[bytes] = []
    while not scanner.is_read:
        scanner.space_or("Invalid arguments")
        mechanisms.append(scanner.astring())
        _check(len(mechanisms))
    return ResetKey(tag, mailbox, tuple(mechanisms))


def url_fetch(tag: bytes, scanner: Scanner) -> UrlFetch:
    """`urlfetch = "URLFETCH" 1*(SP (url-full / "(" url-full *(SP url-fetch-param) ")"))`"""
    urls: list[FetchedUrl] = []
    while not urls or not scanner.is_read:
        scanner.space_or("Invalid arguments")
        urls.append(_with_form(scanner) if scanner.take_open() else FetchedUrl(scanner.astring()))
        _check(len(urls))
    return UrlFetch(tag, tuple(urls))


def _with_form(scanner: Scanner) -> FetchedUrl:
    """`"(" url-full *(SP ("BODY" / "BINARY" / "BODYPARTSTRUCTURE")) ")"`, the bracket already taken  RFC 5524 §5"""
    url = scanner.astring()
    form = UrlForm.EXTENDED
    while not scanner.take_close():
        scanner.space_or("Invalid arguments")
        word = scanner.word(reason="Invalid URL fetch parameter")
        known = UrlForm.__members__.get(word.decode("ascii", "replace"))
        if known is None or known is UrlForm.EXTENDED:
            raise BadSyntax(f"Unknown URL fetch parameter: {word.decode('ascii', 'replace')}")
        form |= known
    if UrlForm.BODY in form and UrlForm.BINARY in form:
        raise BadSyntax("URL cannot have both BODY and BINARY fetch parameters")
    return FetchedUrl(url, form | UrlForm.BODY if form is UrlForm.EXTENDED else form)


def _check(count: int) -> None:
    if count > MAX_URLS:
        raise BadSyntax("Too many URLs")
