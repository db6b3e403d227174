"""Commands that are about the session itself: CAPABILITY, NOOP, ID, ENABLE, COMPRESS.

STANDARDS
    RFC 3501 §6.1; RFC 2971 (ID); RFC 4978 (COMPRESS); RFC 5161 (ENABLE); RFC 7162 §3.2.3; RFC 7889 (APPENDLIMIT);
    RFC 9755 (UTF8=ACCEPT)
"""

from typing import Final

from pillarbox.sessions.imap.compression import CompressedTransport
from pillarbox.sessions.imap.conversation import Conversation
from pillarbox.sessions.imap.identification import told_identity
from pillarbox.wire.imap import commands, responses

CAPABILITIES: Final = (
    b"IMAP4rev1 IMAP4rev2 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS"
    b" THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS"
    b" LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH"
    b" LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY"
    b" SPECIAL-USE COMPRESS=DEFLATE REPLACE PARTIAL UTF8=ACCEPT OBJECTID CREATE-SPECIAL-USE INPROGRESS UIDONLY"
).split()
"""What works after login, in Dovecot's order."""
ENABLABLE: Final = frozenset((b"CONDSTORE", b"QRESYNC", b"UIDONLY", b"UTF8=ACCEPT", b"IMAP4REV2"))
"""What ENABLE knows (RFC 5161)."""


def capabilities(conversation: Conversation) -> list[bytes]:
    """What works in this session."""
    limit = conversation.message_size_limit
    ours = [*CAPABILITIES, b"APPENDLIMIT=%d" % limit] if limit else list(CAPABILITIES)  # RFC 7889 §2
    if conversation.options.literal_minus:
        ours[ours.index(b"LITERAL+")] = b"LITERAL-"
    if conversation.options.url_host:
        ours += [b"URLAUTH", b"URLAUTH=BINARY"]
    if conversation.options.metadata:
        ours += [b"METADATA", b"LIST-METADATA"]
    if conversation.options.has_acl:
        ours += [b"ACL", b"RIGHTS=texk", b"LIST-MYRIGHTS"]
    if conversation.options.has_quota:
        ours += [b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"]  # RFC 9208 §3.1
    configured = conversation.options.capability.encode("ascii", "replace")
    if configured.startswith(b"+"):
        return ours + configured[1:].split()
    return configured.split() or ours


async def capability(conversation: Conversation, command: commands.Capability) -> None:
    """CAPABILITY."""
    conversation.engine.untagged(responses.capability(capabilities(conversation)))
    conversation.ok(command.tag, b"Capability completed")


async def noop(conversation: Conversation, command: commands.Noop) -> None:
    """NOOP: what is new is told."""
    await conversation.refresh()
    await conversation.tell_changes(asked=True)
    conversation.ok(command.tag, b"NOOP completed")


async def compress(conversation: Conversation, command: commands.Compress) -> None:
    """COMPRESS (RFC 4978 §3): the answer is the last thing that goes as it is."""
    if command.algorithm != b"DEFLATE":
        conversation.bad(command.tag, b"Error in IMAP command COMPRESS: Unknown compression mechanism")
        return
    if isinstance(conversation.transport, CompressedTransport):
        conversation.no(command.tag, b"[COMPRESSIONACTIVE] COMPRESSION=DEFLATE already enabled")
        return
    conversation.ok(command.tag, b"Begin compression")
    await conversation.flush()
    conversation.use_transport(
        CompressedTransport(conversation.transport, unread=conversation.engine.unread())
    )


async def identify(conversation: Conversation, command: commands.Id) -> None:
    """ID (RFC 2971); the log tells of the first, even if that is NIL and there is nothing to tell."""
    options = conversation.options
    if not conversation.is_identified:
        conversation.is_identified = True
        if text := told_identity(command.parameters, options.id_log):
            conversation.log(f"ID sent: {text}")
    conversation.engine.untagged(responses.identification(conversation.options.server_id))
    conversation.ok(command.tag, b"ID completed")


async def enable(conversation: Conversation, command: commands.Enable) -> None:
    """ENABLE (RFC 5161 §3.1): what is enabled now is told, be it nothing or not for the first time."""
    known = [name for name in dict.fromkeys(command.capabilities) if name in ENABLABLE]
    if b"CONDSTORE" in known or b"QRESYNC" in known:  # RFC 7162 §3.2.3: QRESYNC implies CONDSTORE
        await conversation.enable_condstore()
    conversation.qresync = conversation.qresync or b"QRESYNC" in known
    conversation.uid_only = conversation.uid_only or b"UIDONLY" in known
    conversation.utf8_accept = conversation.utf8_accept or b"UTF8=ACCEPT" in known
    conversation.rev2 = conversation.rev2 or b"IMAP4REV2" in known
    conversation.engine.utf8_names = conversation.utf8_accept or conversation.rev2
    spelled = [b"IMAP4rev2" if name == b"IMAP4REV2" else name for name in known]
    conversation.engine.untagged(b" ".join([b"ENABLED", *spelled]))
    conversation.ok(command.tag, b"Enabled")
