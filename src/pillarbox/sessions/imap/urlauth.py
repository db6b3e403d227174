"""GENURLAUTH, RESETKEY, URLFETCH: URLs by which a user lets others read a message.

DESCRIPTION
    A token is the number 1 and the HMAC-SHA1 of the rump URL, by a secret of the user for the mailbox that lies
    among its annotations: what Dovecot has made is good here, and the other way.  `RESETKEY` forgets the secret,
    and with it all URLs of the mailbox.

    Messages of another user are read in that user's account, if this process has the rights; whoever asks for
    one that is not to be had learns nothing but that the URL is not good (RFC 4467 §4).

STANDARDS
    RFC 4467; RFC 5524 (URLAUTH=BINARY); RFC 5593 §2 (applications)
"""

import hmac
import secrets
from contextlib import AsyncExitStack
from typing import Final

from pillarbox.mailstore.mailbox import (
    Account,
    AttributesFull,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.sessions.imap.conversation import Conversation, Text
from pillarbox.sessions.imap.named_messages import (
    decoded_part,
    named_mailbox,
    named_message,
    named_part,
    part_structure,
)
from pillarbox.sessions.imap.sections import UnknownEncoding
from pillarbox.wire.imap import responses
from pillarbox.wire.imap.imap_url import AuthorizedUrl, BadUrl, parse_authorized_url
from pillarbox.wire.imap.urlauth_commands import FetchedUrl, GenUrlAuth, ResetKey, UrlFetch, UrlForm

MECHANISM: Final = b"INTERNAL"
VERSION: Final = b"\x01"
KEY_SIZE: Final = 64
"""Octets of a mailbox's secret."""
ANY_HOST: Final = "*"
_DISABLED: Final = b"Error in IMAP command %b: URLAUTH disabled"
_FORGED: Final = "URLAUTH verification failed"


def new_key() -> bytes:
    """A secret for a mailbox."""
    return secrets.token_bytes(KEY_SIZE)


async def gen_url_auth(conversation: Conversation, command: GenUrlAuth) -> None:
    """GENURLAUTH: all URLs or none."""
    if not conversation.options.url_host:
        conversation.bad(command.tag, _DISABLED % b"GENURLAUTH")
        return
    made: list[bytes] = []
    try:
        for rump, mechanism in command.rumps:
            made.append(await _authorized(conversation, rump, mechanism))
    except BadUrl as problem:
        text = str(problem).encode("utf-8", "replace")
        conversation.bad(command.tag, b"Error in IMAP command GENURLAUTH: " + text)
        return
    except AttributesFull:
        conversation.no(command.tag, b"[LIMIT] Too many mailbox attributes")
        return
    conversation.engine.untagged(b"GENURLAUTH " + b" ".join(map(responses.astring, made)))
    conversation.ok(command.tag, b"GENURLAUTH completed")


async def _authorized(conversation: Conversation, rump: bytes, mechanism: bytes) -> bytes:
    if mechanism.upper() != MECHANISM:
        raise BadUrl(f"Unsupported URLAUTH mechanism: {mechanism.decode('ascii', 'replace')}")
    try:
        url = parse_authorized_url(rump)
    except BadUrl as problem:
        raise BadUrl(f"Invalid URL: {problem}") from None
    if url is None or url.verifier is not None:
        raise BadUrl("Invalid URL: Must be an URLAUTH rump URL")
    if _is_over(conversation, url):
        raise BadUrl("URLAUTH has already expired")
    if not url.user:
        raise BadUrl("Invalid URL: Missing user name")
    if url.user != conversation.options.user:
        raise BadUrl(f"Not permitted to generate URLAUTH for user {url.user}")
    _check_server(conversation, url)
    try:
        async with named_mailbox(conversation.account, url.message, url.message.mailbox) as mailbox:
            await named_message(mailbox, url.message)
            key = await conversation.account.url_key(mailbox.guid, new_key())
    except BadUrl as problem:
        raise BadUrl(f"Invalid URL: {problem}") from None
    return b"%b:%b:%b" % (rump, MECHANISM.lower(), _token(key, rump).hex().encode("ascii"))


def _token(key: bytes, rump: bytes) -> bytes:
    return VERSION + hmac.digest(key, rump, "sha1")


def _is_over(conversation: Conversation, url: AuthorizedUrl) -> bool:
    return url.expires is not None and conversation.clock.now() > url.expires


def _check_server(conversation: Conversation, url: AuthorizedUrl) -> None:
    options = conversation.options
    if options.url_host not in (ANY_HOST, url.host):
        raise BadUrl("Invalid URL: Inappropriate host name")
    if (url.port or 143) != options.url_port:
        raise BadUrl("Invalid URL: Inappropriate server port")


async def reset_key(conversation: Conversation, command: ResetKey) -> None:
    """RESETKEY."""
    if not conversation.options.url_host:
        conversation.bad(command.tag, _DISABLED % b"RESETKEY")
        return
    account, name = conversation.account, command.mailbox
    if name is None:
        await account.forget_url_keys(list((await account.identities()).values()))
        conversation.ok(command.tag, b"All keys removed")
        return
    if any(mechanism.upper() != MECHANISM for mechanism in command.mechanisms):
        conversation.no(command.tag, b"[CANNOT] Unsupported URLAUTH mechanism")
        return
    try:
        mailbox = await account.open(name, read_only=True)
    except NoSuchMailbox:
        conversation.no(command.tag, conversation.missing(name))
        return
    try:
        await account.forget_url_keys([mailbox.guid])
    finally:
        mailbox.close()
    conversation.ok(command.tag, b"[URLMECH INTERNAL] Key removed")


async def url_fetch(conversation: Conversation, command: UrlFetch) -> None:
    """URLFETCH: what cannot be had is NIL, and the answer OK all the same."""
    if not conversation.options.url_host:
        conversation.bad(command.tag, _DISABLED % b"URLFETCH")
        return
    async with AsyncExitStack() as opened:
        accounts: dict[str, Account | None] = {conversation.options.user: conversation.account}
        for wanted in command.urls:
            try:
                url = _checked(conversation, wanted)
                if url.user not in accounts:
                    accounts[url.user] = await opened.enter_async_context(conversation.account_of(url.user))
                await _tell(conversation, wanted, url, accounts[url.user])
            except BadUrl as problem:
                text = wanted.text.decode("utf-8", "replace")
                conversation.engine.untagged(b"URLFETCH %b NIL" % responses.astring(wanted.text))
                reason = f'NO Failed to fetch URLAUTH "{text}": {problem}.'
                conversation.engine.untagged(reason.encode("utf-8", "replace"))
            await conversation.flush_if_much()
    conversation.ok(command.tag, b"URLFETCH completed")


async def _tell(
    conversation: Conversation, wanted: FetchedUrl, url: AuthorizedUrl, account: Account | None
) -> None:
    """`* URLFETCH`, if the token is right.  BadUrl."""
    assert url.verifier is not None
    try:
        if account is None:
            raise BadUrl(_FORGED)
        async with named_mailbox(account, url.message, url.message.mailbox) as mailbox:
            key = await account.url_key(mailbox.guid)
            if not (hmac.compare_digest(_token(key, url.rump), url.verifier.token) and key):
                raise BadUrl(_FORGED)
            content = await named_message(mailbox, url.message)
    except (BadUrl, PermissionDenied) as fault:
        problem = str(fault) if isinstance(fault, BadUrl) else "Permission denied"
        # RFC 4467 §4: as long as for a mailbox that is there, and for strangers the same words
        _token(new_key(), url.rump)
        if problem == _FORGED or url.user != conversation.options.user:
            raise BadUrl(_FORGED) from None
        raise BadUrl(f"Invalid URLAUTH: {problem}") from None
    head = b"* URLFETCH %b" % responses.astring(wanted.text)
    section, form = url.message.section, wanted.form
    if UrlForm.BODYPARTSTRUCTURE in form:
        head += b" (BODYPARTSTRUCTURE %b)" % await part_structure(content, section)
    if UrlForm.BINARY in form:
        try:
            opening, decoded = await decoded_part(content, section)
        except UnknownEncoding:
            conversation.engine.send(head + b" (BINARY NIL)\r\n")
            return
        await conversation.send_parts(
            b"%b (BINARY %b" % (head, opening), Text(decoded, escaped=False), b")\r\n"
        )
    elif not form or UrlForm.BODY in form:
        text = await named_part(content, section)
        head += b"%b{%d}\r\n" % (b" (BODY " if form else b" ", len(text))
        await conversation.send_parts(head, Text(text, escaped=True), b")\r\n" if form else b"\r\n")
    else:
        conversation.engine.send(head + b"\r\n")


def _checked(conversation: Conversation, wanted: FetchedUrl) -> AuthorizedUrl:
    """A URL that may let this user in, if its token is right.  BadUrl."""
    url = parse_authorized_url(wanted.text)
    if url is None or url.verifier is None:
        raise BadUrl("Invalid URL: Must be a full URLAUTH URL")
    if not url.user:
        raise BadUrl("Invalid URLAUTH: Missing user name")
    if url.verifier.mechanism.upper() != MECHANISM:
        raise BadUrl(f"Unsupported URLAUTH mechanism: {url.verifier.mechanism.decode('ascii', 'replace')}")
    if _is_over(conversation, url):
        raise BadUrl("URLAUTH has expired")
    user = conversation.options.user
    application, named = url.application.lower(), url.access_user
    if not (
        (application == "user" and named is not None and named.lower() == user.lower())
        or (application in ("authuser", "anonymous") and named is None)
    ):
        raise BadUrl(f"No '{url.access}' access allowed for user {user}")
    _check_server(conversation, url)
    return url
