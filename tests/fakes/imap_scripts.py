"""What is said to both IMAP servers (tests/system/test_imap_replies_peer.py), and the mail they say it about."""

from typing import Final

from fakes.imap_exchanges import SECOND, Exchange


def literal(text: bytes) -> bytes:
    """`{n+}` and the text."""
    return b"{%d+}\r\n%b" % (len(text), text)


def append(
    mailbox: bytes, content: bytes, *, flags: bytes = b"", date: bytes = b"01-Jan-2024 10:00:00 +0000"
) -> bytes:
    """APPEND with a date, so that both copies tell the same one."""
    words = [b"x APPEND", mailbox, *([b"(%b)" % flags] if flags else []), b'"%b"' % date, literal(content)]
    return b" ".join(words)


def header(**fields: str) -> bytes:
    """Header fields, `_` for `-`, and the empty line."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return "".join(lines).encode() + b"\r\n"


PLAIN: Final = (
    header(
        From="Alice Example <alice@example.org>",
        To="bob@example.net, Carol <carol@example.net>",
        Cc="dave@example.net",
        Subject="hello world",
        Date="Mon, 1 Jan 2024 10:00:00 +0000",
        Message_ID="<1@example.org>",
        X_Odd="\tone\r\n two",
    )
    + b"Hello Bob,\r\nthis is plain text with a  needle in it.\r\n.dot\r\n"
)
MULTIPART: Final = header(
    From='"Bob B." <bob@example.net>',
    To="alice@example.org",
    Subject="Re: hello world",
    Date="Tue, 2 Jan 2024 11:30:00 +0100",
    Message_ID="<2@example.net>",
    In_Reply_To="<1@example.org>",
    MIME_Version="1.0",
    Content_Type='multipart/mixed; boundary="outer"',
) + (
    b'preamble\r\n--outer\r\nContent-Type: multipart/alternative; boundary="inner"\r\n\r\n'
    b"--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln\r\n"
    b"--inner\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<p>Hello <b>html</b></p>\r\n--inner--\r\n\r\n"
    b'--outer\r\nContent-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n'
    b'Content-Disposition: attachment; filename="a.bin"\r\nContent-ID: <part@x>\r\n\r\nAAECAwQFBgcICQ==\r\n'
    b"--outer--\r\nepilogue\r\n"
)
ENCODED: Final = (
    header(
        From="=?utf-8?q?J=C3=B6rg?= <joerg@example.de>",
        To="alice@example.org",
        Subject="=?iso-8859-1?q?Gr=FC=DFe?= from =?utf-8?b?S8O2bG4=?=",
        Date="Wed, 3 Jan 2024 09:00:00 -0500",
        Message_ID="<3@example.de>",
        MIME_Version="1.0",
        Content_Type="text/plain; charset=iso-8859-1; format=flowed",
        Content_Transfer_Encoding="quoted-printable",
        Content_Language="de, en",
    )
    + b"Sch=F6ne Gr=FC=DFe\r\nund ein langer Text=\r\n ohne Ende\r\n"
)
FORWARD: Final = (
    header(
        From="dave@example.net",
        To="alice@example.org",
        Subject="[Fwd: hello world]",
        Date="Thu, 4 Jan 2024 12:00:00 +0000",
        Message_ID="<4@example.net>",
        References="<1@example.org>",
        MIME_Version="1.0",
        Content_Type="multipart/mixed; boundary=b",
    )
    + b"--b\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    + PLAIN
    + b"\r\n--b--\r\n"
)
BARE: Final = b"just a body\r\nwith 8-bit: gr\xc3\xbc\xc3\x9f\r\n"
DEEP: Final = (
    header(
        From="eve@example.org",
        To="undisclosed-recipients:;",
        Subject="RE: Re: hello world",
        Date="Fri, 5 Jan 2024 08:00:00 +0000",
        Message_ID="<6@example.org>",
        References="<1@example.org> <2@example.net>",
        In_Reply_To="<2@example.net>",
        Reply_To="Eve <eve@reply.example>",
        Sender="sender@example.org",
        Bcc="hidden@example.org",
    )
    + b"third in the thread\r\n"
)

PREPARATION: Final = (
    append(b"INBOX", PLAIN),
    append(b"INBOX", MULTIPART, flags=b"\\Seen $Label1", date=b"02-Jan-2024 11:00:00 +0100"),
    append(b"INBOX", ENCODED, flags=b"\\Flagged", date=b"03-Jan-2024 14:00:00 +0000"),
    append(b"INBOX", FORWARD, flags=b"\\Answered NonJunk", date=b"04-Jan-2024 12:00:00 +0000"),
    append(b"INBOX", BARE, flags=b"\\Deleted", date=b"20-Feb-2024 23:59:59 +0000"),
    append(b"INBOX", DEEP, flags=b"\\Draft \\Seen", date=b"05-Jan-2024 08:00:00 +0000"),
    b"x CREATE Sent",
    b"x CREATE Trash",
    b'x CREATE "Lists/a b"',
    b"x CREATE Entw&APw-rfe",
    b"x CREATE deep/er/est",
    b"x SUBSCRIBE Sent",
    b'x SUBSCRIBE "Lists/a b"',
    append(b'"Lists/a b"', header(Subject="b list", From="z@example.org") + b"1\r\n", flags=b"\\Seen"),
    append(b'"Lists/a b"', header(Subject="A list", From="y@example.org") + b"2\r\n"),
    b"x SELECT INBOX",
    b"x CLOSE",
    append(b"INBOX", PLAIN),
    append(b"INBOX", MULTIPART, flags=b"\\Seen $Label1", date=b"02-Jan-2024 11:00:00 +0100"),
)
"""INBOX has UIDs 1 to 4, 6, 7 and 8."""

SELECT: Final = b"x SELECT INBOX"


BASE64: Final = b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
EMPTY_FIRST: Final = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\r\n"
    b"--b\r\n\r\nsecond text\r\n--b--\r\n"
)
MESSAGE_URL: Final = b"imap://tester@mail.test/INBOX/;UID=2"
URL_RUMPS: Final = (
    MESSAGE_URL + b";URLAUTH=user+tester INTERNAL",
    b'"%b;URLAUTH=anonymous" internal "%b/;SECTION=1.1;URLAUTH=authuser" INTERNAL'
    % (MESSAGE_URL, MESSAGE_URL),
    MESSAGE_URL + b";URLAUTH=submit+joe INTERNAL",
    MESSAGE_URL + b";URLAUTH=stream INTERNAL",
    MESSAGE_URL + b";URLAUTH=anonymous FOO",
    MESSAGE_URL + b" INTERNAL",
    MESSAGE_URL + b";URLAUTH= INTERNAL",
    MESSAGE_URL + b";URLAUTH=foo+ INTERNAL",
    MESSAGE_URL + b";URLAUTH=anonymous",
    MESSAGE_URL + b";EXPIRE=2001-01-01T00:00:00Z;URLAUTH=authuser INTERNAL",
    MESSAGE_URL + b";EXPIRE=foo;URLAUTH=authuser INTERNAL",
    MESSAGE_URL + b";EXPIRE=2099-01-01T00:00:00Z INTERNAL",
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL:%b INTERNAL" % (b"0" * 42),
    b"imap://mail.test/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://joe@mail.test/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://tester@MAIL.test/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test:144/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test:143/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test/INBOX/;UID=99;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test/INBOX;UIDVALIDITY=7/;UID=1;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test/INBOX;URLAUTH=anonymous INTERNAL",
    b"imap://tester@mail.test/INBOX/;UID=1/;PARTIAL=0.20;URLAUTH=anonymous INTERNAL",
    b"imap:tester INTERNAL",
    b"/INBOX/;UID=1;URLAUTH=anonymous INTERNAL",
    b"http://foo/ INTERNAL",
)


def whole_url(end: bytes) -> tuple[bytes, ...]:
    """GENURLAUTH."""
    return (b'x GENURLAUTH "%b%b" INTERNAL' % (MESSAGE_URL, end),)


GENURLAUTH_AND_FETCH: Final = tuple(
    step
    for rump, fetches in (
        (b";URLAUTH=user+tester", (b"{url}",)),
        (
            b";EXPIRE=2099-01-01T00:00:00+01:00;URLAUTH=authuser",
            (
                b"{url}",
                b"({url})",
                b"({url} BODYPARTSTRUCTURE)",
                b"({url} BODY BODYPARTSTRUCTURE)",
            ),
        ),
        (b"/;SECTION=TEXT;URLAUTH=anonymous", (b"{url} {url}", b"{url}0", b"{url}00")),
        (b"/;SECTION=HEADER;URLAUTH=anonymous", (b"{url}", b"({url} BINARY)")),
        (
            b"/;SECTION=2;URLAUTH=anonymous",
            (b"{url}", b"({url} BINARY)"),
        ),
        (b"/;SECTION=1.1;URLAUTH=anonymous", (b"({url} BINARY)", b"({url} BODYPARTSTRUCTURE)")),
        (b"/;SECTION=1;URLAUTH=anonymous", (b"({url} BODYPARTSTRUCTURE)",)),
        (b"/;SECTION=2/;PARTIAL=1.4;URLAUTH=anonymous", (b"{url}",)),
        (b"/;SECTION=2.MIME/;PARTIAL=3;URLAUTH=anonymous", (b"{url}",)),
        (b";URLAUTH=submit+tester", (b"{url}",)),
        (b";URLAUTH=stream", (b"{url}",)),
        (b";URLAUTH=anonymous", (b"({url} BINARY BODY)", b"({url} FOO)", b"({url}", b"(BODY)", b"()")),
    )
    for step in (
        *whole_url(rump),
        *(b"x URLFETCH " + fetch for fetch in fetches),
    )
)

_NO_TOKEN: Final = b":INTERNAL:" + b"0" * 42
BAD_URLS: Final = (
    b"hello",
    b"http://foo",
    MESSAGE_URL,
    MESSAGE_URL + b";URLAUTH=anonymous",
    MESSAGE_URL + b";URLAUTH=anonymous:",
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL",
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL:",
    MESSAGE_URL + b";URLAUTH=anonymous::" + b"0" * 42,
    MESSAGE_URL + b";URLAUTH=:INTERNAL:" + b"0" * 42,
    MESSAGE_URL + b";URLAUTH=+joe" + _NO_TOKEN,
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL:00",
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL:" + b"x" * 42,
    MESSAGE_URL + b";URLAUTH=anonymous:INTERNAL:" + b"0" * 41,
    MESSAGE_URL + b";URLAUTH=anonymous" + _NO_TOKEN,
    MESSAGE_URL + b";URLAUTH=submit+joe" + _NO_TOKEN,
    MESSAGE_URL + b";URLAUTH=anonymous:FOO:" + b"0" * 42,
    MESSAGE_URL + b";EXPIRE=2001-01-01T00:00:00Z;URLAUTH=anonymous" + _NO_TOKEN,
    b"imap://tester@other/INBOX/;UID=1;URLAUTH=anonymous" + _NO_TOKEN,
    b"imap://tester@mail.test:144/INBOX/;UID=1;URLAUTH=anonymous" + _NO_TOKEN,
    b"imap://tester@mail.test/INBOX;UIDVALIDITY=7/;UID=1;URLAUTH=anonymous" + _NO_TOKEN,
)


def selected(name: str, *steps: bytes) -> Exchange:
    """Steps in INBOX."""
    return Exchange(name, (SELECT, *steps))


CASES_OF_LETTERS: Final = tuple(
    "é e\u0301 É e grüße GRÜSSE ß ss İ ı i ς Σ ① 1 が か\u3099 ａ _ 각 가".split()
)
"""Texts of which some are the same to i;unicode-casemap, and some within others."""
EXCHANGES: Final = [
    Exchange("any state", (b"x CAPABILITY", b"x CAPABILITY extra", b"x NOOP", b"x NOOP extra", b"x ID NIL", b'x ID ("name" "x")', b"x ID", b"x ID (", b"x FOO", b"x", b"x ", b"", b"* NOOP", b"x NOOP")),
    selected("names that cannot be", *(step % name for name in (b'""', b"a//b", b"/a", b"Trash/", b"~a") for step in (b"x STATUS %b (MESSAGES)", b"x COPY 1 %b", b"x MOVE 1 %b", b"x APPEND %b {1}", b"x SUBSCRIBE %b", b"x UNSUBSCRIBE %b", b"x DELETE %b", b"x RENAME %b foo")), b"x STATUS .. (MESSAGES)", b"x APPEND a/../b {1}", b"x SELECT a//b"),
    selected("nothing to copy or to move", b"x UID COPY 99 nobox", b"x UID COPY 99 a//b", b"x UID MOVE 99 nobox", b"x SEARCH RETURN (SAVE) SUBJECT nothing", b"x COPY $ nobox", b"x EXAMINE INBOX", b"x UID MOVE 99 Trash"),
    selected("APPEND of nothing", b"x APPEND nobox {0+}\r\n", b"x APPEND nobox {0}", b"x APPEND deep {0}", b"x APPEND Trash {0}"),
    selected("QRESYNC that was not enabled", b"x SELECT Trash (QRESYNC (1 1))", b"x FETCH 1 UID", b"x SELECT INBOX", b"x EXAMINE INBOX (QRESYNC (1 1))", b"x NOOP", b"x FETCH 1 UID"),
    selected("STORE UNCHANGEDSINCE in EXAMINE", b"x EXAMINE INBOX", b"x STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", b"x UID STORE 99 (UNCHANGEDSINCE 1) FLAGS.SILENT ()", b"x FETCH 1 FLAGS"),
    selected("FETCH in order", b"x FETCH 1:2 (BODY UID ENVELOPE FLAGS)", b"x FETCH 2 (PREVIEW ENVELOPE RFC822.SIZE BODYSTRUCTURE UID)", b"x FETCH 2 (ENVELOPE INTERNALDATE)", b"x FETCH 1 FULL (CHANGEDSINCE 1)", b"x STORE 1 +FLAGS.SILENT (new)"),
    Exchange("STATUS of what is looked at", (b"x EXAMINE Trash", append(b"Trash", PLAIN), b"x STATUS Trash (RECENT MESSAGES)", SECOND + b"x STATUS Trash (RECENT)", b'x LIST "" Trash RETURN (STATUS (RECENT))', SECOND + b"x SELECT Trash", b"x STATUS Trash (RECENT)", SECOND + b"x STATUS Trash (RECENT)", b"x RENAME INBOX inbox", b"x SELECT nobox (CONDSTORE)", SELECT, SECOND + b"x FETCH 9 MODSEQ", SECOND + b"x STORE 1 +FLAGS (\\Seen)")),
    Exchange("many commands without a mailbox", (b"x FETCH 1 UID",) * 22),
    Exchange("many wrong commands", (b"x FOO",) * 22),
    Exchange("not now", (b"x LOGIN a b", b"x AUTHENTICATE PLAIN", b"x STARTTLS", b"x CHECK", b"x CLOSE", b"x EXPUNGE", b"x FETCH 1 UID", b"x UID", b"x UID FOO", b"x UID FETCH 1 UID", b"x UNSELECT", b"x DONE")),
    Exchange("LOGOUT", (b"x LOGOUT",)),
    Exchange("ENABLE", (b"x ENABLE", b"x ENABLE FOO", b"x ENABLE CONDSTORE", b"x ENABLE CONDSTORE", b"x ENABLE FOO QRESYNC CONDSTORE", b"x ENABLE (A)")),
    Exchange("SELECT", (SELECT, b"x SELECT inbox", b"x SELECT InBox extra", b"x EXAMINE INBOX", b"x SELECT nobox", b"x FETCH 1 UID", b'x SELECT ""', b"x SELECT", b"x SELECT Trash", b"x SELECT deep", b"x SELECT deep/", b"x SELECT &", b"x SELECT Entw&APw-rfe", b"x SELECT {5+}\r\nTrash", b"x UNSELECT", b"x SELECT gr\xc3\xbc\xc3\x9f")),
    Exchange("SELECT parameters", (b"x SELECT INBOX (FOO)", b"x SELECT INBOX (CONDSTORE FOO)", b"x SELECT (INBOX)", b"x SELECT INBOX (", b"x SELECT INBOX (CONDSTORE)", b"x SELECT INBOX ()", b"x EXAMINE INBOX (CONDSTORE)")),
    Exchange("CLOSE and UNSELECT", (SELECT, b"x CLOSE", b"x FETCH 1 UID", SELECT, b"x UNSELECT", b"x EXAMINE INBOX", b"x CLOSE", SELECT)),
    Exchange("CREATE", (b"x CREATE a", b"x CREATE a", b"x CREATE a/b/", b"x CREATE INBOX", b"x CREATE inbox", b"x CREATE INBOX/sub", b"x CREATE /x", b"x CREATE x//y", b"x CREATE a.b", b"x CREATE ~x", b'x CREATE ""', b"x CREATE", b"x CREATE Gr&APw-n", b"x CREATE gr\xc3\xbcn", b"x CREATE a&b", b'x CREATE "a*b"', b'x CREATE "a%b"', b"x CREATE deep", b"x CREATE ..", b"x CREATE " + b"n" * 300, b'x LIST "" "*"')),
    Exchange("DELETE", (b"x DELETE Trash", b"x DELETE Trash", b"x DELETE INBOX", b"x DELETE deep", b"x DELETE deep/er/est", b"x DELETE Lists", b'x DELETE "Lists/a b"', b'x LIST "" "*"', b"x DELETE", b'x DELETE ""', b'x LSUB "" "*"')),
    Exchange("DELETE what is selected", (b"x SELECT Trash", b"x DELETE Trash")),
    Exchange("RENAME", (b"x RENAME Trash Old", b"x RENAME Trash Older", b"x RENAME INBOX Saved", b"x RENAME Old Sent", b"x RENAME deep/er other", b"x RENAME Lists L", b'x LIST "" "*"', b"x RENAME Old INBOX", b"x RENAME Old Old", b"x RENAME Old Old/sub", b"x RENAME Old a.b", b"x RENAME Old", b"x RENAME nobox x", b'x RENAME Old ""', b"x RENAME Old New/", b'x LSUB "" "*"')),
    Exchange("SUBSCRIBE", (b"x SUBSCRIBE Trash", b"x SUBSCRIBE Trash", b"x SUBSCRIBE nobox", b"x SUBSCRIBE deep/er", b"x UNSUBSCRIBE Sent", b"x UNSUBSCRIBE nobox", b'x LSUB "" "*"', b'x LSUB "" "%"', b'x LIST (SUBSCRIBED) "" "*"', b"x SUBSCRIBE", b'x SUBSCRIBE ""', b"x SUBSCRIBE INBOX", b"x SUBSCRIBE Trash/", b'x LSUB "" inbox')),
    Exchange("LIST", (b'x LIST "" ""', b'x LIST "" "*"', b'x LIST "" "%"', b'x LIST "" "%/%"', b"x LIST Lists/ *", b"x LIST Lists %", b'x LIST "" inbox', b'x LIST "" INB%', b'x LIST "" nobox', b'x LIST "" Entw*', b"x LIST", b'x LIST ""', b'x LIST "" "*" extra', b'x LIST Lists ""', b'x LIST "" deep', b'x LIST "" deep/%', b'x LIST "" "*e*"', b'x list "" {1+}\r\n%', b'x LIST "" (', b'x LIST "" %%')),
    Exchange("LSUB", (b'x LSUB "" "*"', b'x LSUB "" "%"', b"x LSUB Lists/ *", b"x LSUB", b'x LSUB "" ""', b'x LSUB "" "Lists/%"', b'x LSUB "" nobox')),
    Exchange("extended LIST", (b'x LIST (SUBSCRIBED) "" "*"', b'x LIST () "" "%"', b'x LIST (REMOTE) "" "%"', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" "*"', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" (Lists "Lists/%")', b'x LIST (RECURSIVEMATCH) "" "%"', b'x LIST (FOO) "" "*"', b'x LIST (SPECIAL-USE) "" "*"', b'x LIST "" ("Sent" "Lists/*")', b'x LIST "" "%" RETURN (CHILDREN)', b'x LIST "" "*" RETURN (SUBSCRIBED)', b'x LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)', b'x LIST "" "*" RETURN ()', b'x LIST "" "*" RETURN (FOO)', b'x LIST "" ()', b'x LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN)', b'x LIST () "" ""')),
    selected("SEARCH addresses", b'x SEARCH FROM "<alice@"', b"x SEARCH TO <carol@example.net>", b'x SEARCH TO "bob@example.net, c"', b'x SEARCH FROM "Bob B."', b"x SEARCH FROM eve", b'x SEARCH FROM "<eve@"', b'x SEARCH HEADER FROM "<eve@"', b'x SEARCH TO recipients', b"x SEARCH CC dave@", b"x SEARCH BCC x", b"x SEARCH CHARSET UTF-8 FROM J\xc3\xb6rg", b'x SEARCH TO ""', b'x SEARCH BCC ""', b'x SEARCH NOT CC ""'),
    Exchange("LIST-STATUS", (b'x LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))', b'x LIST "" INBOX RETURN (STATUS (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE))', b'x LIST "" INBOX RETURN (STATUS (FOO))', b'x LIST "" INBOX RETURN (STATUS ())', b'x LIST "" INBOX RETURN (STATUS)', b'x LIST (SUBSCRIBED) "" "*" RETURN (STATUS (MESSAGES) CHILDREN)')),
    Exchange("NAMESPACE", (b"x NAMESPACE", b"x NAMESPACE extra")),
    selected("STATUS of the selected", append(b"INBOX", PLAIN), b"x NOOP", b"x STATUS INBOX (MESSAGES RECENT UNSEEN)", b'x LIST "" INBOX RETURN (STATUS (MESSAGES RECENT))', SECOND + b"x STATUS INBOX (MESSAGES RECENT)"),
    Exchange("STATUS", (b"x STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)", b"x STATUS inbox (UNSEEN MESSAGES)", b"x STATUS Trash (MESSAGES SIZE)", b"x STATUS nobox (MESSAGES)", b"x STATUS INBOX (FOO)", b"x STATUS INBOX ()", b"x STATUS INBOX MESSAGES", b"x STATUS INBOX", b"x STATUS", b"x STATUS deep (MESSAGES)", SELECT, b"x STATUS INBOX (MESSAGES RECENT)", b'x STATUS "Lists/a b" (MESSAGES UNSEEN RECENT)', b"x STATUS Trash (HIGHESTMODSEQ)", b"x STATUS INBOX (MESSAGES MESSAGES)")),
    Exchange("APPEND", (append(b"Trash", PLAIN), append(b"Trash", PLAIN, flags=b"\\Seen $New \\Flagged"), append(b"nobox", PLAIN), b"x APPEND nobox {5}", b"x APPEND Trash {0+}\r\n", b"x APPEND Trash {3}", b"abc", b"x APPEND Trash", b"x APPEND Trash (\\Seen)", b"x APPEND Trash foo {1+}\r\na", b'x APPEND Trash "bad date" {1+}\r\na', b"x APPEND Trash (\\Foo) {1+}\r\na", b"x APPEND Trash (\\Recent) {1+}\r\na", b'x APPEND Trash {1+}\r\na {1+}\r\nb', b'x APPEND Trash (\\Seen) {1+}\r\na (\\Draft) " 1-Jan-2024 10:00:00 +0000" {1+}\r\nb', b"x SELECT Trash", b"x FETCH 1:* FLAGS", append(b"Trash", PLAIN), b"x APPEND deep {1+}\r\na", b"x APPEND Trash {1+}\r\na junk", b"x APPEND Trash ({1+}\r\na")),
    selected("FETCH items", b"x FETCH 1 UID", b"x FETCH 1:3 (UID FLAGS)", b"x FETCH 1:* INTERNALDATE", b"x FETCH 1:* RFC822.SIZE", b"x FETCH 1:* ENVELOPE", b"x FETCH 1:* BODY", b"x FETCH 1:* BODYSTRUCTURE", b"x FETCH 2 ALL", b"x FETCH 2 FAST", b"x FETCH 2 FULL", b"x FETCH 2 (ALL)", b"x FETCH 2 (UID UID FLAGS FLAGS)", b"x FETCH 2 ()", b"x FETCH 2", b"x FETCH", b"x FETCH 2 FOO", b"x FETCH 2 (UID", b"x FETCH 2 UID)", b"x FETCH 2 (FOO)", b"x FETCH 2 (UID (FLAGS))"),
    selected("FETCH sets", b"x FETCH 0 UID", b"x FETCH 99 UID", b"x FETCH 1:99 UID", b"x FETCH * UID", b"x FETCH *:1 UID", b"x FETCH 3:1 UID", b"x FETCH 1,1,2 UID", b"x FETCH 3,1 UID", b"x FETCH a UID", b"x FETCH 1: UID", b"x FETCH ,1 UID", b"x FETCH 1,,2 UID", b"x FETCH -1 UID", b"x FETCH 4294967296 UID", b"x UID FETCH 1:* UID", b"x UID FETCH 5 FLAGS", b"x UID FETCH 0 FLAGS", b"x UID FETCH 99 FLAGS", b"x UID FETCH *:99 FLAGS", b"x UID FETCH 7,1,7 FLAGS", b"x UID FETCH 4294967295 FLAGS", b"x UID FETCH 6:3 (FLAGS)", b"x FETCH $ UID"),
    selected("FETCH in an empty mailbox", b"x SELECT Trash", b"x FETCH 1:* UID", b"x FETCH 1 UID", b"x FETCH * UID", b"x UID FETCH 1:* UID", b"x UID FETCH * UID", b"x SEARCH ALL", b"x UID SEARCH ALL", b"x STORE 1:* +FLAGS (\\Seen)", b"x COPY 1:* Sent", b"x EXPUNGE"),
    selected("FETCH sections", b"x FETCH 1 BODY.PEEK[]", b"x FETCH 1 BODY.PEEK[HEADER]", b"x FETCH 1 BODY.PEEK[TEXT]", b"x FETCH 1 BODY.PEEK[1]", b"x FETCH 1 BODY.PEEK[1.MIME]", b"x FETCH 1 BODY.PEEK[2]", b"x FETCH 2 BODY.PEEK[1]", b"x FETCH 2 BODY.PEEK[1.1]", b"x FETCH 2 BODY.PEEK[1.1.MIME]", b"x FETCH 2 BODY.PEEK[1.2]", b"x FETCH 2 BODY.PEEK[2]", b"x FETCH 2 BODY.PEEK[2.MIME]", b"x FETCH 2 BODY.PEEK[3]", b"x FETCH 2 BODY.PEEK[1.HEADER]", b"x FETCH 4 BODY.PEEK[2]", b"x FETCH 4 BODY.PEEK[2.HEADER]", b"x FETCH 4 BODY.PEEK[2.TEXT]", b"x FETCH 4 BODY.PEEK[2.1]", b"x FETCH 4 BODY.PEEK[2.MIME]", b"x FETCH 4 BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]"),
    selected("FETCH partial", b"x FETCH 1 BODY.PEEK[]<0.10>", b"x FETCH 1 BODY.PEEK[]<5.5>", b"x FETCH 1 BODY.PEEK[]<99999.5>", b"x FETCH 1 BODY.PEEK[TEXT]<0.0>", b"x FETCH 1 BODY.PEEK[]<0>", b"x FETCH 1 BODY.PEEK[]<0.>", b"x FETCH 1 BODY.PEEK[]<a.b>", b"x FETCH 1 BODY.PEEK[]<0.4294967296>", b"x FETCH 1 (BODY.PEEK[]<0.5> BODY.PEEK[]<5.5>)", b"x FETCH 2 BODY.PEEK[1.1]<2.4>", b"x FETCH 1 BODY.PEEK[HEADER]<2.9>"),
    selected("FETCH header fields", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS (subject From x-odd nothing)]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT FROM)]", b'x FETCH 1 BODY.PEEK[HEADER.FIELDS ("Subject" TO)]', b"x FETCH 1:* BODY.PEEK[HEADER.FIELDS (Date Subject From To Message-ID References)]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS ()]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS (A B]", b"x FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.5>", b"x FETCH 5 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"),
    selected("FETCH RFC822", b"x FETCH 1 RFC822.HEADER", b"x FETCH 1 RFC822.TEXT", b"x FETCH 1 RFC822", b"x FETCH 1 (RFC822.SIZE RFC822.HEADER FLAGS)", b"x FETCH 1 RFC822.FOO", b"x FETCH 1 RFC822.HEADER.LINES"),
    selected("FETCH parts of parts", *(b"x FETCH 2 BODY.PEEK[%b]" % part for part in (b"1", b"1.1", b"1.1.1", b"1.1.1.1", b"1.1.2", b"1.3", b"2.1", b"2.1.MIME", b"2.1.HEADER", b"2.1.1", b"2.2")), b"x FETCH 1 BODY.PEEK[1.1]", b"x FETCH 4 BODY.PEEK[2.1]", b"x FETCH 4 BODY.PEEK[2.1.1]"),
    selected("FETCH bad sections", b"x FETCH 1 BODY[", b"x FETCH 1 BODY[FOO]", b"x FETCH 1 BODY[0]", b"x FETCH 1 BODY[1.0]", b"x FETCH 1 BODY[1.]", b"x FETCH 1 BODY[MIME]", b"x FETCH 1 BODY[1.FOO]", b"x FETCH 1 BODY[]]", b"x FETCH 1 BODYFOO", b"x FETCH 1 BODY.PEEK", b"x FETCH 1 ENVELOPE[]", b"x FETCH 1 BODY[99999999999]"),
    selected("FETCH that marks", b"x FETCH 1 BODY[TEXT]", b"x FETCH 1 FLAGS", b"x FETCH 1 BODY[]<0.1>", b"x FETCH 3 (FLAGS BODY[1])", b"x UID FETCH 4 (BODY[1] FLAGS)", b"x EXAMINE INBOX", b"x FETCH 5 BODY[]<0.3>", b"x FETCH 5 FLAGS"),
    selected("STORE", b"x STORE 1 +FLAGS (\\Seen)", b"x STORE 1 +FLAGS (\\Seen)", b"x STORE 1:2 -FLAGS \\Seen", b"x STORE 1 FLAGS (\\Answered \\Flagged)", b"x STORE 1 FLAGS ()", b"x STORE 1 +FLAGS.SILENT (\\Deleted)", b"x STORE 1 FLAGS", b"x STORE 1 +FLAGS ($New new2)", b"x STORE 1 +FLAGS (NEW2)", b"x STORE 2 -FLAGS ($label1)", b"x STORE 1 +FLAGS (\\Foo)", b"x STORE 1 +FLAGS (\\Recent)", b"x STORE 1 FOO (\\Seen)", b"x STORE 99 +FLAGS (\\Seen)", b"x STORE 0 +FLAGS (\\Seen)", b"x STORE 1", b"x STORE", b"x UID STORE 6 +FLAGS (\\Flagged)", b"x UID STORE 99 +FLAGS (\\Flagged)", b"x UID STORE 1:* FLAGS.SILENT (\\Seen)", b"x STORE 1 +FLAGS (a(b)", b"x STORE 1 +FLAGS (a*b)", b"x FETCH 1:* FLAGS", b"x STORE 1 +FLAGS (" + b"k" * 60 + b")"),
    selected("STORE in EXAMINE", b"x EXAMINE INBOX", b"x STORE 1 +FLAGS (\\Seen)", b"x EXPUNGE", b"x UID EXPUNGE 1:*", b"x MOVE 1 Trash", b"x COPY 1 Trash", b"x FETCH 1 FLAGS"),
    selected("EXPUNGE", b"x STORE 2,4 +FLAGS.SILENT (\\Deleted)", b"x EXPUNGE", b"x EXPUNGE", b"x FETCH 1:* UID", b"x STORE 1:* +FLAGS.SILENT (\\Deleted)", b"x UID EXPUNGE 1,8", b"x UID EXPUNGE 99", b"x UID EXPUNGE", b"x UID EXPUNGE x", b"x EXPUNGE extra", b"x FETCH 1:* UID", b"x CLOSE", SELECT),
    selected("COPY", b"x COPY 1:3 Trash", b"x COPY 1 nobox", b"x COPY 99 Trash", b"x COPY 1", b"x COPY x Trash", b"x UID COPY 1,4,6 Sent", b"x UID COPY 99 Sent", b"x UID COPY 1 nobox", b"x COPY 1 INBOX", b"x NOOP", b"x SELECT Trash", b"x FETCH 1:* (FLAGS INTERNALDATE)", b"x COPY 1 &", b"x COPY 1 deep"),
    selected("MOVE", b"x MOVE 1:2 Trash", b"x MOVE 1 nobox", b"x MOVE 99 Trash", b"x UID MOVE 6 Trash", b"x UID MOVE 99 Trash", b"x MOVE 1 INBOX", b"x FETCH 1:* UID", b"x MOVE 1", b"x STATUS Trash (MESSAGES UIDNEXT)"),
    selected("SEARCH flags", *(b"x SEARCH " + key for key in (b"ALL", b"SEEN", b"UNSEEN", b"FLAGGED", b"UNFLAGGED", b"ANSWERED", b"UNANSWERED", b"DELETED", b"UNDELETED", b"DRAFT", b"UNDRAFT", b"RECENT", b"NEW", b"OLD", b"KEYWORD $Label1", b"UNKEYWORD $label1", b"KEYWORD nothing", b"UNKEYWORD nothing", b"KEYWORD \\Seen", b"KEYWORD"))),
    selected("SEARCH sets", *(b"x SEARCH " + key for key in (b"1", b"2:4", b"*", b"99", b"1:99", b"UID 1:3", b"UID 99", b"NOT 1:3", b"UID", b"0", b"1:", b"UID *", b"NOT UID 6:*"))),
    selected("SEARCH text", *(b"x SEARCH " + key for key in (b"SUBJECT hello", b"SUBJECT HELLO", b'SUBJECT ""', b"FROM alice", b'FROM "Alice Example"', b"TO bob", b"CC dave", b"BCC hidden", b"BODY needle", b"BODY hello", b"TEXT needle", b"TEXT alice", b"HEADER Message-ID 1@example", b'HEADER X-Odd ""', b"HEADER X-Odd two", b"HEADER nothing x", b"BODY html", b"BODY AAEC", b'TEXT "b.bin"', b"BODY", b"HEADER a", b"SUBJECT {5+}\r\nworld"))),
    selected("SEARCH in headers of parts", *(b"x SEARCH " + key for key in (b"BODY Content-Type", b"BODY base64", b"TEXT base64", b"BODY a.bin", b"BODY octet-stream", b"TEXT octet-stream", b"BODY Subject", b"TEXT Subject", b"BODY mixed", b"TEXT mixed", b"BODY epilogue"))),
    selected("SEARCH charsets", *(b"x SEARCH " + key for key in (b"CHARSET UTF-8 SUBJECT {6+}\r\nGr\xc3\xbc\xc3\x9f", b"CHARSET UTF-8 SUBJECT gr\xc3\xbc", b"CHARSET UTF-8 BODY {7+}\r\nGr\xc3\xbc\xc3\x9fe", b"CHARSET ISO-8859-1 SUBJECT {4+}\r\ngr\xfc\xdf", b"CHARSET FOO SUBJECT a", b"CHARSET US-ASCII SUBJECT hello", b"CHARSET", b"SUBJECT K\xc3\xb6ln", b"FROM j\xc3\xb6rg", b"CHARSET UTF-8 TEXT {5+}\r\nK\xc3\xb6ln"))),
    selected("SEARCH dates", *(b"x SEARCH " + key for key in (b"BEFORE 2-Jan-2024", b"ON 2-Jan-2024", b"SINCE 4-Jan-2024", b'SINCE "04-Jan-2024"', b"SENTBEFORE 2-Jan-2024", b"SENTON 3-Jan-2024", b"SENTSINCE 4-Jan-2024", b"ON 31-Feb-2024", b"ON foo", b"ON", b"OLDER 10", b"YOUNGER 10", b"OLDER 0", b"YOUNGER x", b"BEFORE 1-jan-2024", b"ON 20-Feb-2024"))),
    selected("SEARCH sizes and logic", *(b"x SEARCH " + key for key in (b"LARGER 600", b"SMALLER 600", b"LARGER x", b"OR SEEN FLAGGED", b"NOT SEEN", b"NOT NOT SEEN", b"(SEEN FLAGGED)", b"OR (SEEN UNDELETED) (FLAGGED)", b"SEEN UNSEEN", b"OR SEEN", b"NOT", b"()", b"(SEEN", b"SEEN)", b"FOO", b"1 SEEN", b"OR 1 2", b"", b"SEEN  DRAFT", b"LARGER 0 SMALLER 100000"))),
    selected("SEARCH in charsets that nobody knows", append(b"INBOX", "Content-Type: text/plain; charset=x-unknown\r\n\r\nschöne\r\n".encode()), append(b"INBOX", b"Content-Type: text/plain; charset=x-unknown\r\n\r\nsch\xf6ne\r\n"), *(b"x SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key, len(text.encode()), text.encode()) for key, text in ((b"BODY", "schön"), (b"BODY", "sch"), (b"BODY", "ne")))),
    Exchange("XLIST", (b'x XLIST "" *', b'x XLIST "" ""', b'x XLIST "" ("INBOX" "Trash")', b"x XLIST")),
    selected("SEARCH without case and accents", *(append(b"INBOX", b"Subject: x%by\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n" % (text.encode(), text.encode())) for text in CASES_OF_LETTERS), *(b"x SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key, len(text.encode()), text.encode()) for text in CASES_OF_LETTERS for key in (b"SUBJECT", b"BODY")), b"x SORT (SUBJECT) UTF-8 ALL", b"x THREAD ORDEREDSUBJECT UTF-8 ALL"),
    selected("ESEARCH", *(b"x " + key for key in (b"SEARCH RETURN () ALL", b"SEARCH RETURN (ALL) SEEN", b"SEARCH RETURN (MIN MAX COUNT) ALL", b"UID SEARCH RETURN (MIN MAX ALL COUNT) ALL", b"SEARCH RETURN (COUNT) KEYWORD nothing", b"SEARCH RETURN (MIN) KEYWORD nothing", b"SEARCH RETURN (FOO) ALL", b"SEARCH RETURN ALL", b"SEARCH RETURN (COUNT)", b"UID SEARCH UID 1:*", b"UID SEARCH RETURN (ALL) 2:4", b"SEARCH RETURN (ALL COUNT) CHARSET UTF-8 ALL"))),
    selected("SEARCHRES", *(b"x " + key for key in (b"SEARCH RETURN (SAVE) SEEN", b"FETCH $ UID", b"UID FETCH $ FLAGS", b"SEARCH $", b"SEARCH UID $", b"SEARCH RETURN (SAVE COUNT) FLAGGED", b"STORE $ +FLAGS (\\Answered)", b"SEARCH RETURN (SAVE MIN) ALL", b"FETCH $ UID", b"SEARCH RETURN (SAVE) KEYWORD nothing", b"FETCH $ UID", b"COPY $ Trash", b"SEARCH RETURN (SAVE MIN MAX) ALL", b"UID COPY $ Trash", b"SEARCH RETURN (SAVE) FOO", b"FETCH $ UID"))),
    selected("SEARCHRES and what changes messages", *(b"x " + key for key in (b"SEARCH RETURN (SAVE) 2:3", b"UID STORE $ +FLAGS.SILENT (\\Deleted)", b"STORE 4 +FLAGS.SILENT (\\Deleted)", b"UID EXPUNGE $", b"FETCH $ UID", b"UID FETCH $ FLAGS", b"SEARCH RETURN (SAVE) DELETED", b"UID MOVE $ Trash", b"UID SEARCH UID $", b"FETCH 1:* UID", b"SEARCH RETURN (SAVE) ALL", b"STORE 1 +FLAGS.SILENT (\\Deleted)", b"UID EXPUNGE 1:*,$", b"EXPUNGE $", b"UID EXPUNGE $", b"FETCH 1:* UID", b"MOVE $ Trash", b"UID FETCH $ UID (CHANGEDSINCE 1)"))),
    selected("SORT", *(b"x " + key for key in (b"SORT (ARRIVAL) US-ASCII ALL", b"SORT (DATE) US-ASCII ALL", b"SORT (REVERSE DATE) UTF-8 ALL", b"SORT (SUBJECT) UTF-8 ALL", b"SORT (FROM) UTF-8 ALL", b"SORT (TO) UTF-8 ALL", b"SORT (CC) UTF-8 ALL", b"SORT (SIZE) UTF-8 ALL", b"SORT (REVERSE SIZE SUBJECT) UTF-8 ALL", b"SORT (SUBJECT REVERSE DATE) UTF-8 UNDELETED", b"UID SORT (SUBJECT) UTF-8 SEEN", b"SORT (DISPLAYFROM) UTF-8 ALL", b"SORT (DISPLAYTO REVERSE ARRIVAL) UTF-8 ALL", b"SORT (FOO) UTF-8 ALL", b"SORT () UTF-8 ALL", b"SORT UTF-8 ALL", b"SORT (DATE) FOO ALL", b"SORT (DATE) UTF-8", b"SORT (DATE)", b"SORT (REVERSE) UTF-8 ALL", b"SORT (REVERSE REVERSE DATE) UTF-8 ALL", b"SORT RETURN (COUNT MIN MAX ALL) (DATE) UTF-8 ALL", b"UID SORT RETURN () (REVERSE SUBJECT) UTF-8 ALL", b"SORT (DATE) UTF-8 KEYWORD nothing", b"SORT RETURN (ALL) (DATE) UTF-8 KEYWORD nothing"))),
    selected("THREAD", *(b"x " + key for key in (b"THREAD REFERENCES UTF-8 ALL", b"THREAD REFS UTF-8 ALL", b"THREAD ORDEREDSUBJECT UTF-8 ALL", b"UID THREAD REFERENCES UTF-8 ALL", b"UID THREAD ORDEREDSUBJECT US-ASCII SEEN", b"THREAD REFERENCES UTF-8 1", b"THREAD FOO UTF-8 ALL", b"THREAD REFERENCES FOO ALL", b"THREAD REFERENCES UTF-8", b"THREAD REFERENCES", b"THREAD", b"THREAD REFERENCES UTF-8 KEYWORD nothing"))),
    selected("CONDSTORE", b"x FETCH 1:2 (UID MODSEQ)", b"x FETCH 1:2 FLAGS (CHANGEDSINCE 1)", b"x STORE 1 +FLAGS (\\Seen)", b"x FETCH 1:* FLAGS (CHANGEDSINCE {modseq})", b"x STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Flagged)", b"x STORE 1:2 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Flagged)", b"x STORE 1 +FLAGS.SILENT (\\Answered)", b"x SEARCH MODSEQ {modseq}", b"x SEARCH RETURN (MIN) MODSEQ 1", b"x STORE 1 (UNCHANGEDSINCE x) +FLAGS (\\Seen)", b"x STORE 1 (FOO 1) +FLAGS (\\Seen)", b"x FETCH 1 FLAGS (FOO 1)", b"x FETCH 1 FLAGS (CHANGEDSINCE)", b"x FETCH 1 FLAGS (CHANGEDSINCE x)", b"x FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", b"x SEARCH MODSEQ x", b"x SEARCH MODSEQ", b'x SEARCH MODSEQ "/flags/\\\\draft" all 1', b"x STATUS INBOX (HIGHESTMODSEQ)", b"x NOOP"),
    Exchange("QRESYNC", (b"x SELECT INBOX (QRESYNC (1 1))", b"x ENABLE QRESYNC", SELECT, b"x STORE 1 +FLAGS (\\Deleted)", b"x EXPUNGE", b"x UID FETCH 1:* FLAGS (CHANGEDSINCE {modseq} VANISHED)", b"x UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", b"x FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", b"x UID FETCH 1:* FLAGS (VANISHED)", b"x UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE 1)", b"x UID STORE 2 +FLAGS.SILENT (\\Deleted)", b"x UID EXPUNGE 2", b"x UID MOVE 3 Trash", b"x SELECT INBOX (QRESYNC ({validity} 1))", b"x EXAMINE INBOX (QRESYNC ({validity} 1 1:3,5 (1,3 2,4)))", b"x SELECT INBOX (QRESYNC ({validity} {modseq}) CONDSTORE)", b"x SELECT INBOX (QRESYNC (12 1))", b"x STORE 1 +FLAGS.SILENT (\\Deleted)", b"x CLOSE", SELECT, b"x UNSELECT")),
    Exchange("QRESYNC parameters", (b"x SELECT INBOX (QRESYNC (1 1))", b"x ENABLE QRESYNC", b"x SELECT INBOX (QRESYNC (12))", b"x SELECT INBOX (QRESYNC)", b"x SELECT INBOX (QRESYNC (12 x))", b"x SELECT INBOX (QRESYNC (12 1 1:*))", b"x SELECT INBOX (QRESYNC (12 1 1:3 (1)))", b"x SELECT INBOX (QRESYNC (12 1 1:3 (1 x)))", b"x SELECT INBOX (QRESYNC (12 1 1:3 (*) 4))", b"x SELECT INBOX (QRESYNC (12 1 1:3 4))", b"x SELECT INBOX (QRESYNC (12 1", b"x SELECT INBOX (QRESYNC (0 1))")),
    Exchange("days that are none", (b'x APPEND Trash "31-Feb-2024 10:00:00 +0000" {1+}\r\na',)),
    selected("two sessions", SECOND + SELECT, b"x STORE 1 +FLAGS (\\Seen)", SECOND + b"x NOOP", SECOND + b"x STORE 2:3 +FLAGS (\\Deleted $Other)", b"x FETCH 1:3 FLAGS", b"x NOOP", SECOND + b"x EXPUNGE", b"x FETCH 1 FLAGS", b"x FETCH 1:4 UID", b"x SEARCH ALL", b"x FETCH 2 ENVELOPE", b"x NOOP", b"x FETCH 1:* UID", SECOND + append(b"INBOX", PLAIN), b"x NOOP", SECOND + b"x NOOP"),
    selected("two sessions and QRESYNC", b"x ENABLE QRESYNC", SECOND + SELECT, SECOND + b"x STORE 2:3 +FLAGS (\\Deleted)", SECOND + b"x EXPUNGE", b"x NOOP", SECOND + b"x UID MOVE 6 Trash", b"x UID FETCH 1:* UID"),
    selected("IDLE", b"x IDLE", b"DONE", b"x IDLE", b"done", b"x IDLE", b"foo", b"x NOOP", b"x IDLE extra", b"DONE"),
    selected("literals and quotes", b"x SEARCH SUBJECT {5}", b"hello", b'x SEARCH SUBJECT "hel\\"lo"', b'x SEARCH SUBJECT "hello', b"x SEARCH SUBJECT {99999999999+}", b"x NOOP", b"x SEARCH SUBJECT {a}", b"x SEARCH SUBJECT {5", b'x FETCH "1" UID', b"x  NOOP", b"X noop", b"\xff NOOP", b"x NO\xffOP"),
    selected("BINARY", b"x FETCH 2 BINARY.PEEK[2]", b"x FETCH 2 BINARY.SIZE[2]", b"x FETCH 2 BINARY.PEEK[1.1]", b"x FETCH 1 BINARY.PEEK[]", b"x FETCH 2 BINARY.PEEK[2]<2.3>", b"x FETCH 2 BINARY[1.2]", b"x FETCH 2 BINARY.SIZE[]", b"x FETCH 2 BINARY.PEEK[9]", b"x FETCH 2 BINARY.PEEK[1.MIME]", b"x FETCH 2 BINARY.SIZE[1.MIME]", b"x FETCH 1 (BINARY.PEEK[TEXT] BINARY.SIZE[TEXT])", b"x FETCH 2 BINARY.PEEK[1.1.MIME]<3.9>", b"x FETCH 2 BINARY[HEADER.FIELDS (Subject x-none)]", b"x FETCH 2 BINARY.SIZE[HEADER.FIELDS (Subject x-none)]", b"x FETCH 2 BINARY.PEEK[HEADER.FIELDS.NOT (Subject)]", b"x FETCH 2 BINARY.PEEK[MIME]", b"x FETCH 2 BINARY.SIZE[1.1]<0.1>", b"x APPEND Trash ~{3+}\r\na\0b", b"x FETCH 3 (BINARY.PEEK[1] BINARY.SIZE[1])"),
    selected("CATENATE", b"x APPEND Trash CATENATE (TEXT {6+}\r\nA: b\r\n TEXT {6+}\r\n\r\nabcd)", b'x APPEND Trash CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER" TEXT {3+}\r\nabc)', b'x APPEND Trash CATENATE (URL "/INBOX;UIDVALIDITY=1/;UID=1")', b'x APPEND Trash CATENATE (URL "/INBOX/;UID=99")', b'x APPEND Trash CATENATE (URL "foo://bar")', b"x APPEND Trash CATENATE ()", b"x APPEND Trash CATENATE (FOO)", b'x APPEND Trash (\\Seen) "01-Jan-2024 10:00:00 +0000" CATENATE (TEXT {1+}\r\na)', b'x APPEND nobox CATENATE (TEXT {1+}\r\na)', b"x SELECT Trash", b"x FETCH 1:* (FLAGS RFC822.SIZE)"),
    selected("URLAUTH", *(step for rump in URL_RUMPS for step in (b"x GENURLAUTH " + rump, b"x NOOP")), b"x GENURLAUTH", *GENURLAUTH_AND_FETCH, b"x URLFETCH", *(b"x URLFETCH " + url for url in BAD_URLS), b"x RESETKEY INBOX INTERNAL", b"x URLFETCH {url}", b"x RESETKEY INBOX FOO", b"x RESETKEY nobox", b"x RESETKEY Trash", b"x RESETKEY", b"x RESETKEY (", b'x GENURLAUTH "' + MESSAGE_URL + b';URLAUTH=anonymous" INTERNAL', b"x URLFETCH {url}", b"x RESETKEY INBOX", b'x APPEND INBOX CATENATE (URL "{url}")'),
    selected("URLAUTH=BINARY", *whole_url(b";URLAUTH=authuser"), b"x URLFETCH ({url} BINARY)", *whole_url(b"/;SECTION=2;URLAUTH=authuser"), b"x URLFETCH ({url} BINARY BODYPARTSTRUCTURE)"),
    selected("URLAUTH of no part", *whole_url(b"/;SECTION=9;URLAUTH=anonymous"), b"x URLFETCH {url}"),
    selected("URLAUTH for somebody else", *whole_url(b";URLAUTH=user+joe"), b"x URLFETCH {url}"),
    selected("PREVIEW of other texts", append(b"INBOX", header(Content_Type="text/calendar") + b"BEGIN:VCALENDAR\r\n"), append(b"INBOX", header(Content_Type="application/pdf") + b"%PDF\r\n"), append(b"INBOX", b"Subject: quoted\r\n\r\n> one\r\n>  two\r\n>> three\r\n"), append(b"INBOX", b"Subject: answer\r\n\r\n> one\r\nI see\r\n"), b"x FETCH 7:* PREVIEW"),
    selected("PREVIEW", b"x FETCH 1:* PREVIEW", b"x FETCH 1 (PREVIEW (LAZY))", b"x FETCH 1 (PREVIEW (FOO))", b"x FETCH 1 PREVIEW (FUZZY)", b"x FETCH 1 SNIPPET", b"x FETCH 1 (SNIPPET (LAZY=FUZZY))", b"x FETCH 1 (SNIPPET (FUZZY))"),
    selected("SAVEDATE", b"x SEARCH SAVEDATESUPPORTED", b"x SEARCH SAVEDBEFORE 1-Jan-2000", b"x SEARCH SAVEDSINCE 1-Jan-2000", b"x SEARCH SAVEDON 1-Jan-2000", b"x SEARCH SAVEDSINCE x"),
    Exchange("names that nobody quoted", (*(step for name in (b"a%b", b"a*b", b"a\\b", b'"a\\b"', b'"a\\"b"') for step in (b"x CREATE " + name, b"x STATUS " + name + b" (MESSAGES)", b'x LIST "" ' + name, b"x RENAME " + name + b" q", b"x DELETE q", b"x DELETE " + name)), b"x SELECT INBOX", b"x SEARCH SUBJECT a\\b", b'x SEARCH SUBJECT "he\\llo"', b"x SEARCH BODY *")),
    Exchange("special use", (b"x CREATE Junk (USE (\\Junk))", b"x CREATE New (USE (\\Sent))", b"x CREATE New2 (USE (\\Foo))", b"x CREATE New3 (FOO)", b'x LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)', b'x LIST "" "*" RETURN (SPECIAL-USE)')),
    Exchange("METADATA", (b'x SETMETADATA INBOX (/private/comment "my comment")', b"x GETMETADATA INBOX /private/comment", b"x GETMETADATA INBOX (/private/comment /shared/comment)", b"x GETMETADATA (DEPTH infinity) INBOX /private", b'x SETMETADATA "" (/private/vendor/x "y")', b'x GETMETADATA "" /private/vendor/x', b"x SETMETADATA INBOX (/private/comment NIL)", b"x GETMETADATA INBOX /private/comment", b'x SETMETADATA nobox (/private/comment "x")', b'x SETMETADATA INBOX (/foo "x")', b"x GETMETADATA INBOX foo", b"x GETMETADATA (MAXSIZE 2) INBOX /private/comment", b"x GETMETADATA")),
    Exchange("METADATA in detail", (b'x CREATE foo', b'x SETMETADATA INBOX (/private/comment "my comment")', b'x SETMETADATA INBOX (/shared/comment "sh" /private/vendor/vendor.dovecot/x {5+}\r\na\r\nbc)', b'x SETMETADATA foo (/private/comment {4+}\r\nab\tc)', b'x SETMETADATA foo (/private/Weird\\a/b%c "x")', b'x GETMETADATA "" (/shared/comment /shared/admin /private/vendor/x)', b'x GETMETADATA "" /shared/admin', b'x GETMETADATA (DEPTH 1) INBOX /private', b'x GETMETADATA (DEPTH 0) INBOX /private/comment', b'x GETMETADATA (MAXSIZE 2) INBOX (/private/comment /shared/comment)', b'x GETMETADATA INBOX (DEPTH 1) /private', b'x GETMETADATA (DEPTH infinity) "" (/private /shared)', b'x GETMETADATA bar (/private/specialuse)', b'x RENAME foo foo2', b'x GETMETADATA (DEPTH infinity) foo2 (/private /shared)', b'x DELETE foo2', b'x CREATE foo', b'x GETMETADATA foo /private/comment', b'x SETMETADATA INBOX (/private/comment NIL)', b'x SETMETADATA INBOX (/private/empty "")', b'x GETMETADATA INBOX /private/empty', b'x GETMETADATA INBOX /private/UPPER', b'x SETMETADATA INBOX (/private/UPPER "1")', b'x GETMETADATA INBOX /private/upper', b'x SETMETADATA INBOX (/foo "x")', b'x SETMETADATA INBOX (/private/ "x")', b'x SETMETADATA INBOX (/private/a//b "x")', b'x SETMETADATA INBOX (/private/a* "x")', b'x SETMETADATA INBOX (private/a "x")', b'x SETMETADATA INBOX ()', b'x SETMETADATA INBOX (/private/a)', b'x SETMETADATA INBOX /private/a "b"', b'x SETMETADATA', b'x SETMETADATA INBOX', b'x GETMETADATA INBOX', b'x GETMETADATA INBOX foo', b'x GETMETADATA INBOX (/private/b foo)', b'x GETMETADATA INBOX ()', b'x GETMETADATA (FOO) INBOX /private/a', b'x GETMETADATA (DEPTH 2) INBOX /private/a', b'x GETMETADATA (MAXSIZE x) INBOX /private/a', b'x GETMETADATA nobox /private/a', b'x SETMETADATA nobox (/private/a "x")')),
    Exchange("QUOTA", (b"x GETQUOTAROOT INBOX", b"x GETQUOTAROOT nobox", b'x GETQUOTA "User quota"', b"x GETQUOTA foo", b'x SETQUOTA "User quota" (STORAGE 5)', b"x GETQUOTA", b"x GETQUOTAROOT")),
    Exchange("ACL", (b"x MYRIGHTS INBOX", b"x MYRIGHTS nobox", b"x GETACL INBOX", b"x LISTRIGHTS INBOX tester", b"x SETACL Trash other lrs", b"x GETACL Trash", b"x SETACL Trash other +w", b"x SETACL Trash other -l", b"x GETACL Trash", b"x DELETEACL Trash other", b"x GETACL Trash", b"x SETACL Trash other !", b"x SETACL Trash", b"x MYRIGHTS")),
    Exchange("NOTIFY", (b"x NOTIFY NONE", b"x NOTIFY SET (selected (MessageNew MessageExpunge))", b"x NOTIFY SET STATUS (personal (MessageNew MessageExpunge))", b"x NOTIFY SET (foo (MessageNew))", b"x NOTIFY SET (inboxes (Foo))", b"x NOTIFY", b"x NOTIFY FOO")),
    Exchange("extended LIST in detail", (b'x CREATE m/t1', b'x CREATE m/t2/', b'x CREATE m/t2/t1', b'x CREATE m/t3', b'x CREATE m/t4/t5', b'x CREATE m/t4/t52', b'x CREATE m/t6', b'x CREATE m/t7/t7', b'x CREATE m/t8/t8', b'x CREATE m/t8/t9', b'x SUBSCRIBE m/t1', b'x SUBSCRIBE m/t2/t1', b'x SUBSCRIBE m/t6', b'x SUBSCRIBE m/t7/t7', b'x SUBSCRIBE m/t8/t8', b'x SUBSCRIBE m/t8/t9', b'x DELETE m/t6', b'x LIST () "" ""', b'x LIST "" ("")', b'x LIST "" "" RETURN ()', b'x LIST "" (m/*2 m/t3)', b'x LIST (RECURSIVEMATCH REMOTE) "" ""', b'x LIST (REMOTE) "" %', b'x LIST (SUBSCRIBED) "" m/*', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" m/t2% RETURN (CHILDREN)', b'x LIST "" m/% RETURN (CHILDREN SUBSCRIBED)', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" *t7', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" *t8', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" (m/t2)', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" (m/t2 m/t2/t1)', b'x LIST "" (m/t7 m/t7/t7)', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" m/%', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" %', b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" *', b'x LIST (SUBSCRIBED RECURSIVEMATCH SPECIAL-USE) "" %', b'x LIST (SUBSCRIBED) "" m/t6 RETURN (CHILDREN)', b'x LIST (SUBSCRIBED) "" m/% RETURN (STATUS (MESSAGES))', b'x LIST (SUBSCRIBED SUBSCRIBED) "" m/t1', b'x LIST "" m/t4% RETURN (CHILDREN CHILDREN)', b'x LSUB "" m/%', b'x LSUB "" m/t%', b'x LSUB m/ t%', b'x LSUB "" %/t2%')),
    Exchange("mod-sequences in detail", (b'x SELECT INBOX', b'x FETCH 1 MODSEQ', b'x STORE 1 +FLAGS (\\Seen)', b'x STORE 3 +FLAGS (\\Seen)', b'x STORE 2 +FLAGS (\\Flagged)', b'x STORE 4 +FLAGS (\\Seen)', b'x SEARCH RETURN (MIN) 1:3 MODSEQ "/flags/\\\\seen" all 1', b'x SEARCH RETURN (MAX) 1:3 MODSEQ "/flags/\\\\seen" all 1', b'x SEARCH RETURN () 1:3 MODSEQ "/flags/\\\\seen" all 1', b'x SEARCH RETURN (MIN MAX) 2:3 MODSEQ "/flags/\\\\seen" all 1', b'x SEARCH RETURN (COUNT) 1:3 MODSEQ 1', b'x SEARCH RETURN (ALL) 2:3 MODSEQ {modseq}', b'x SEARCH MODSEQ {modseq}', b'x UID SEARCH RETURN (MIN MAX COUNT) MODSEQ {modseq}', b'x SEARCH NOT MODSEQ {modseq}', b'x SORT RETURN (MIN) (DATE) UTF-8 MODSEQ 1', b'x UID SORT (DATE) UTF-8 MODSEQ 1', b'x STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Flagged)', b'x STORE 1:3 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Flagged)', b'x UID STORE 1:99 (UNCHANGEDSINCE 999999999999999999) -FLAGS (\\Flagged)', b'2> x SELECT INBOX (CONDSTORE)', b'2> x STORE 1:2 +FLAGS (\\Answered)', b'x NOOP', b'x FETCH 1:* (FLAGS) (CHANGEDSINCE 1)', b'x UID FETCH 1:* (UID) (CHANGEDSINCE {modseq})')),
    Exchange("keywords in detail", (b'x SELECT INBOX', b'x STORE 1 +FLAGS (FooBar)', b'x STORE 2 +FLAGS (fOObar)', b'x SEARCH KEYWORD FOOBAR', b'x SEARCH UNKEYWORD foobar', b'x STORE 1 -FLAGS (foobar)', b'x FETCH 1:2 FLAGS', b'x STORE 1 +FLAGS (kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk)', b'x STORE 1 +FLAGS (kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk)', b'x STORE 1 +FLAGS (kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk)', b'x FETCH 1 FLAGS', b'x STORE 1 FLAGS (a a \\Seen \\seen)', b'x STORE 1 +FLAGS ("ab")', b'x STORE 1 +FLAGS ({2+}\r\nab)', b'x STORE 1 +FLAGS (a]b)', b'x STORE 1 +FLAGS (a%b)', b'x STORE 1 +FLAGS (a*b)', b'x STORE 1 +FLAGS (\\*)', b'x STORE 1 +FLAGS (NIL)', b'x STORE 1 +FLAGS NIL', b'x STORE 1 +FLAGS ((a))', b'x STORE 1 +FLAGS a b c', b'x STORE 1 +FLAGS', b'x STORE 1', b'x STORE', b'x STORE 1 +FLAGS.FOO (a)', b'x STORE 1,2,3:4,2 -FLAGS.SILENT (a)', b'x UID COPY 1:2,4,7:8 Trash', b'x UID COPY 8,1 Trash', b'x COPY 3,1 Trash', b'x UID EXPUNGE 1:*', b'x UID STORE 4,1 +FLAGS.SILENT (\\Deleted)', b'x UID EXPUNGE 4', b'x UID EXPUNGE 1,4:6', b'x NOOP', b'x FETCH 1:* (UID FLAGS)', b'x CHECK', b'x CLOSE', b'x SELECT Trash', b'x FETCH 1:* (UID FLAGS)', b'x UID FETCH 99 FLAGS', b'x UID STORE 99 +FLAGS (\\Seen)', b'x UID SEARCH UID 99', b'x UID COPY 99 Trash', b'x UID MOVE 99 Trash', b'x EXAMINE Trash', b'x FETCH 1 (BODY[] FLAGS)', b'x EXPUNGE', b'x CLOSE', b'x UNSELECT')),
    Exchange("odd lines", (b'x NOOP', b'x SELECT INBOX', b'x FETCH 1 (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((UID)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))', b'x SEARCH ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((SEEN))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))', b'x SEARCH NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT SEEN', b'x SEARCH OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN SEEN', b'x FETCH 1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3,4,5,6,7,1,2,3 UID', b'x FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-0)] BODY.PEEK[HEADER.FIELDS (X-1)] BODY.PEEK[HEADER.FIELDS (X-2)] BODY.PEEK[HEADER.FIELDS (X-3)] BODY.PEEK[HEADER.FIELDS (X-4)] BODY.PEEK[HEADER.FIELDS (X-5)] BODY.PEEK[HEADER.FIELDS (X-6)] BODY.PEEK[HEADER.FIELDS (X-7)] BODY.PEEK[HEADER.FIELDS (X-8)] BODY.PEEK[HEADER.FIELDS (X-9)] BODY.PEEK[HEADER.FIELDS (X-10)] BODY.PEEK[HEADER.FIELDS (X-11)] BODY.PEEK[HEADER.FIELDS (X-12)] BODY.PEEK[HEADER.FIELDS (X-13)] BODY.PEEK[HEADER.FIELDS (X-14)] BODY.PEEK[HEADER.FIELDS (X-15)] BODY.PEEK[HEADER.FIELDS (X-16)] BODY.PEEK[HEADER.FIELDS (X-17)] BODY.PEEK[HEADER.FIELDS (X-18)] BODY.PEEK[HEADER.FIELDS (X-19)] BODY.PEEK[HEADER.FIELDS (X-20)] BODY.PEEK[HEADER.FIELDS (X-21)] BODY.PEEK[HEADER.FIELDS (X-22)] BODY.PEEK[HEADER.FIELDS (X-23)] BODY.PEEK[HEADER.FIELDS (X-24)] BODY.PEEK[HEADER.FIELDS (X-25)] BODY.PEEK[HEADER.FIELDS (X-26)] BODY.PEEK[HEADER.FIELDS (X-27)] BODY.PEEK[HEADER.FIELDS (X-28)] BODY.PEEK[HEADER.FIELDS (X-29)])', b'x LOGIN a b c', b'x sElEcT "INBOX"', b'X1+2 NOOP', b'(x NOOP', b'x" NOOP', b'x{1} NOOP', b'x% NOOP', b'x\\ NOOP', b'x\x80 NOOP', b'  x NOOP', b'x\tNOOP', b'x NOOP ', b'x SEARCH  ALL', b'x FETCH  1  UID ', b'x FETCH 1 UID)', b'x FETCH 1 (UID', b'x FETCH 1 (UID))', b'x FETCH 1 ( UID )', b'x FETCH 1 (UID  FLAGS)', b'x LIST "" "" extra', b'x STATUS INBOX MESSAGES', b'x STATUS INBOX ()', b'x STATUS "INBOX" (MESSAGES MESSAGES)', b'x STATUS INBOX ((MESSAGES))', b'x STATUS INBOX ("MESSAGES")', b'x RENAME a', b'x CREATE a b', b'x DELETE a b', b'x SUBSCRIBE Sent extra', b'x EXPUNGE 1', b'x UID EXPUNGE 1 2', b'x IDLE', b'x NOOP', b'DONE', b'x SEARCH OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN OR SEEN SEEN', b'x SEARCH OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED OR FLAGGED SEEN', b'x SEARCH OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR OR SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN', b'x SEARCH OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello OR SUBJECT hello FROM alice UNDELETED', b'x LOGOUT extra')),
    Exchange("NOTIFY in detail", (b'x CREATE foo', b'x CREATE bar', b'x SUBSCRIBE foo', b'x NOTIFY NONE', b'x NOTIFY SET (selected (MessageNew MessageExpunge))', b'x NOTIFY SET (personal (MessageNew MessageExpunge))', b'x NOTIFY SET STATUS (personal (MessageNew MessageExpunge)) (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))', b'x NOTIFY SET STATUS (inboxes (MessageNew MessageExpunge FlagChange)) (mailboxes foo (MessageNew MessageExpunge)) (subtree (bar baz) NONE)', b'x NOTIFY SET (foo (MessageNew))', b'x NOTIFY SET (inboxes (Foo))', b'x NOTIFY SET (inboxes (MessageNew))', b'x NOTIFY SET (inboxes (MessageExpunge))', b'x NOTIFY SET (inboxes (FlagChange))', b'x NOTIFY SET (inboxes (MessageNew MessageExpunge AnnotationChange))', b'x NOTIFY SET (inboxes (MailboxMetadataChange))', b'x NOTIFY SET (inboxes (ServerMetadataChange))', b'x NOTIFY SET (inboxes (MailboxName SubscriptionChange))', b'x NOTIFY SET (selected (MailboxName))', b'x NOTIFY SET (selected (FlagChange))', b'x NOTIFY SET (selected (MessageNew))', b'x NOTIFY SET (selected (MessageExpunge FlagChange))', b'x NOTIFY SET (inboxes ())', b'x NOTIFY SET (inboxes NONE)', b'x NOTIFY SET (selected NONE)', b'x NOTIFY SET (inboxes (MessageNew (UID) MessageExpunge))', b'x NOTIFY SET', b'x NOTIFY SET STATUS', b'x NOTIFY SET inboxes', b'x NOTIFY SET (selected (MessageNew MessageExpunge)) (selected-delayed (MessageNew MessageExpunge))', b'x NOTIFY SET (personal (MessageNew MessageExpunge)) (personal (FlagChange MessageNew MessageExpunge))', b'x NOTIFY SET (mailboxes (foo bar) (MessageNew MessageExpunge)) (subscribed (MailboxName))', b'x NOTIFY SET (mailboxes nobox (MessageNew MessageExpunge))', b'x NOTIFY SET (mailboxes * (MessageNew MessageExpunge))', b'x NOTIFY SET STATUS (mailboxes foo (MailboxName))', b'x NOTIFY SET STATUS (subscribed (MessageNew MessageExpunge))', b'x NOTIFY', b'x NOTIFY FOO', b'x NOTIFY NONE extra')),
    Exchange("CONTEXT in detail", (b'x APPEND INBOX (\\Seen) "01-Jan-2024 10:00:00 +0000" {10+}\r\nC: Subject: a', b'x APPEND INBOX "01-Jan-2024 10:00:00 +0000" {10+}\r\nC: Subject: b', b'x APPEND INBOX "01-Jan-2024 10:00:00 +0000" {10+}\r\nC: Subject: c', b'x SELECT INBOX', b'a SEARCH RETURN (UPDATE COUNT) SEEN', b'b UID SEARCH RETURN (UPDATE ALL) UNSEEN', b'c UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNDELETED', b'a2 SEARCH RETURN (UPDATE) SEEN', b'a SEARCH RETURN (UPDATE COUNT) FLAGGED', b'd STORE 2 +FLAGS (\\Seen)', b'd NOOP', b'd STORE 3 +FLAGS.SILENT (\\Seen)', b'd NOOP', b'd STORE 1 -FLAGS (\\Seen)', b'd NOOP', b'd APPEND INBOX (\\Seen) "01-Jan-2024 10:00:00 +0000" {10+}\r\nC: Subject: d', b'd NOOP', b'd STORE 2 +FLAGS (\\Deleted)', b'd EXPUNGE', b'd NOOP', b'x CANCELUPDATE "a" "b"', b'x CANCELUPDATE "foo"', b'd STORE 1 +FLAGS (\\Seen)', b'x CANCELUPDATE a2', b'2> x SELECT INBOX', b'2> x STORE 1:* -FLAGS (\\Seen)', b'd NOOP', b'2> x STORE 1 +FLAGS (\\Seen)', b'd NOOP', b'x SEARCH RETURN (UPDATE CONTEXT COUNT) UNSEEN', b'e SEARCH RETURN (UPDATE COUNT) 1:2', b'f UID SEARCH RETURN (UPDATE MIN) BODY x', b'g SEARCH RETURN (UPDATE PARTIAL 1:2) ALL', b'h SEARCH RETURN (UPDATE SAVE) ALL', b'2> x STORE 1 +FLAGS (\\Deleted)', b'd NOOP', b'2> x EXPUNGE', b'd SEARCH ALL', b'd NOOP', b'x SELECT INBOX', b'd STORE 1 +FLAGS (\\Seen)', b'x CANCELUPDATE', b'x CANCELUPDATE (a)')),
    Exchange("LIST in detail",(b'x LIST (SUBSCRIBED) "" (INBOX "a%") RETURN (CHILDREN)',b'x LIST () "" *',b'x LIST (SPECIAL-USE SUBSCRIBED) "" *',b'x LIST (RECURSIVEMATCH SUBSCRIBED) "" %',b'x LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)',b'x LIST "" * RETURN (FOO)',b'x LIST (FOO) "" *',b'x LIST "" ()',b'x LIST "" (a b) RETURN ()',b'x LIST "" * RETURN (STATUS (MESSAGES FOO))',b'x LIST "" * RETURN (STATUS ())',b'x LIST "" INBOX RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT))',b'x LIST "a" "%"',b'x LIST "a/" "%"',b'x LIST "/" "%"',b'x LIST "" "/INBOX"',b'x LIST "" inbox',b'x LIST "" InBoX RETURN (SUBSCRIBED)',b'x LIST "" "INBOX/%"',b'x LIST INBOX ""',b'x LIST a/ ""',b'x LSUB "" "%"',b'x LSUB "" "*"',b'x LSUB a *',b'x LIST "" "*%"',b'x LIST "" "%*"',b'x LIST "" "%%"',b'x LIST "" ""',b'x LIST')),
    Exchange("names in detail",(b'x CREATE a',b'x CREATE a/b/c',b'x CREATE a/b',b'x CREATE a/b/',b'x CREATE /a',b'x CREATE a//b',b'x CREATE ~a',b'x CREATE "a b"',b'x CREATE &AOQ-',b'x CREATE &AOQ',b'x CREATE "a.b"',b'x CREATE "a*b"',b'x CREATE "a%b"',b'x CREATE "a\\"b"',b'x CREATE INBOX/x',b'x CREATE inbox/y',b'x RENAME a/b z/y',b'x RENAME a INBOX',b'x RENAME a a/x',b'x RENAME a a',b'x RENAME nobox q',b'x RENAME z/y "q."',b'x RENAME z/y z//y',b'x LIST "" *',b'x DELETE a',b'x DELETE a',b'x DELETE z',b'x DELETE inbox',b'x DELETE INBOX/x',b'x LIST "" *',b'x SUBSCRIBE nobox',b'x SUBSCRIBE "a//b"',b'x SUBSCRIBE z/y',b'x UNSUBSCRIBE nobox',b'x UNSUBSCRIBE z/y',b'x UNSUBSCRIBE z/y')),
    Exchange("APPEND in detail",(b'x APPEND INBOX {0+}\r\n',b'x APPEND INBOX (\\Seen \\seen) {1+}\r\na',b'x APPEND INBOX () {1+}\r\na',b'x APPEND INBOX (a b a) {1+}\r\na',b'x APPEND INBOX (\\Seen) " 1-Jan-2024 10:00:00 +0100" {1+}\r\na',b'x APPEND INBOX (\\Seen) "1-Jan-2024 10:00:00 +0100" {1+}\r\na',b'x APPEND INBOX {1+}\r\na {1+}\r\nb',b'x APPEND INBOX {1+}\r\na (\\Seen) {1+}\r\nb',b'x APPEND "INBOX" {1+}\r\na ',b'x APPEND INBOX ~{3+}\r\na\x00b',SELECT,b'x FETCH 1:* (FLAGS RFC822.SIZE)')),
    Exchange("FETCH in detail",(SELECT,b'x FETCH 1 (FLAGS FLAGS)',b'x FETCH 1 (BODY BODYSTRUCTURE ENVELOPE)',b'x FETCH 1 ALL',b'x FETCH 1 (ALL)',b'x FETCH 1 FULL',b'x FETCH 1 FAST',b'x FETCH 1 RFC822.PEEK',b'x FETCH 1 BODY.PEEK',b'x FETCH 1 BODY[]<0>',b'x FETCH 1 BODY[]<0.0>',b'x FETCH 1 BODY.PEEK[]<10.5>',b'x FETCH 1 BODY.PEEK[HEADER]<0.5>',b'x FETCH 1 BODY.PEEK[HEADER.FIELDS ()]',b'x FETCH 1 BODY.PEEK[HEADER.FIELDS (a b]',b'x FETCH 1 BODY.PEEK[HEADER.FIELDS ("Subject" to)]',b'x FETCH 1 BODY.PEEK[TEXT.MIME]',b'x FETCH 1 BODY.PEEK[1.MIME]',b'x FETCH 2 BODY.PEEK[1.1.MIME]',b'x FETCH 3:5 (BODY.PEEK[1] BODY.PEEK[1.1])',b'x FETCH 1,1,1 UID',b'x FETCH 2:1 UID',b'x FETCH *:1 UID',b'x FETCH *,1 UID',b'x UID FETCH 1,99 UID',b'x UID FETCH * FLAGS',b'x UID FETCH 99:* FLAGS',b'x FETCH 1 X-GM-MSGID',b'x FETCH 1 INTERNALDATE',b'x FETCH 1 (UID BODY[HEADER.FIELDS (DATE)] FLAGS)',b'x FETCH 1 MODSEQ',b'x UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)')),
    Exchange("STORE in detail",(SELECT,b'x STORE 1 FLAGS ()',b'x STORE 1 FLAGS \\Seen',b'x STORE 1 FLAGS (\\Recent)',b'x STORE 1 +FLAGS (\\*)',b'x STORE 1 +FLAGS (a%b)',b'x STORE 1 +FLAGS ("a")',b'x STORE 1 +FLAGS.SILENT (\\Seen)',b'x STORE 1 +FLAGS.FOO (\\Seen)',b'x STORE 1 FOO (\\Seen)',b'x STORE 99 +FLAGS (\\Seen)',b'x UID STORE 99 +FLAGS (\\Seen)',b'x STORE 1:* +FLAGS (Junk)',b'x STORE 1 -FLAGS (junk)',b'x STORE 1 +FLAGS (aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff)',b'x STORE 1 (UNCHANGEDSINCE 1) +FLAGS (x)',b'x FETCH 1 FLAGS',b'x STORE 1:2 (UNCHANGEDSINCE 99999999999999) FLAGS (\\Seen)')),
    Exchange("other commands in detail",(b'x SELECT',b'x SELECT ""',b'x EXAMINE INBOX',b'x EXPUNGE',b'x CLOSE',b'x CHECK',b'x SELECT INBOX',b'x CHECK',b'x CHECK x',b'x STATUS',b'x STATUS INBOX',b'x STATUS INBOX (UIDNEXT UIDVALIDITY)',b'x STATUS nobox (MESSAGES)',b'x STATUS "" (MESSAGES)',b'x ENABLE',b'x ENABLE FOO',b'x ENABLE CONDSTORE QRESYNC',b'x ENABLE CONDSTORE',b'x NAMESPACE x',b'x ID',b'x ID ()',b'x ID ("name")',b'x ID ("name" "x" "os" NIL)',b'x IDLE',b'DONE',b'x COMPRESS',b'x COMPRESS FOO',b'x UNSELECT',b'x UNSELECT',b'x UID',b'x UID FOO',b'x UID FETCH',b'x FOO',b'',b'x',b'x ',b'* NOOP',b'+ NOOP',b'x AUTHENTICATE PLAIN',b'x STARTTLS',b'x LOGIN a b')),
    Exchange("SEARCH in detail",(SELECT,b'x SEARCH CHARSET UTF-8 ALL',b'x SEARCH RETURN () UID 1:3',b'x SEARCH RETURN (MIN MAX) 1:3',b'x SEARCH RETURN (COUNT COUNT) ALL',b'x SEARCH UID 1:3 NOT 2',b'x SEARCH OR OR 1 2 3',b'x SEARCH (1) (2)',b'x SEARCH (OR 1 2) 1',b'x SEARCH 1:*',b'x SEARCH *:1',b'x SEARCH *:99',b'x SEARCH UID *:1',b'x SEARCH HEADER Subject ""',b'x SEARCH HEADER "Subject" hello',b'x SEARCH HEADER "" hello',b'x SEARCH FROM ""',b'x SEARCH TEXT ""',b'x SEARCH BODY ""',b'x SEARCH SUBJECT "hello world"',b'x SEARCH SUBJECT "hello  world"',b'x SEARCH SUBJECT "o w"',b'x SEARCH BEFORE 1-Jan-1970',b'x SEARCH SINCE 1-Jan-2038',b'x SEARCH SENTBEFORE 1-Jan-2038',b'x SEARCH YOUNGER 1',b'x SEARCH OLDER 99999999',b'x SEARCH LARGER 0',b'x SEARCH SMALLER 1',b'x SEARCH LARGER 4294967295',b'x SEARCH LARGER 4294967296',b'x SEARCH MODSEQ 1',b'x SEARCH INTHREAD REFERENCES ALL',b'x SEARCH FUZZY SUBJECT hello',b'x SEARCH X-GM-RAW x',b'x SORT (ARRIVAL REVERSE ARRIVAL) UTF-8 ALL',b'x SORT RETURN (MIN) (DATE) UTF-8 ALL',b'x THREAD REFERENCES US-ASCII 1:3',b'x SEARCH RETURN (SAVE) 1:2',b'x SEARCH $ 1',b'x UID SEARCH $')),
    selected("BINARY of a whole message", append(b"INBOX", BASE64 + b"aGVsbG8=\r\n"), b"x NOOP", b"x FETCH 8 BINARY.PEEK[]"),
    selected("BINARY of what is no base64", append(b"INBOX", BASE64 + b"aGVs!bG8=\r\n"), append(b"INBOX", BASE64 + b"aGVsbG8=\r\ntrailing\r\n"), append(b"INBOX", BASE64), b"x NOOP", b"x FETCH 9 BINARY.PEEK[1]", b"x FETCH 10 BINARY.PEEK[1]", b"x FETCH 8 BINARY.PEEK[1]"),
    selected("PREVIEW of an empty text", append(b"INBOX", EMPTY_FIRST), append(b"INBOX", BASE64 + b"aGVs!bG8=\r\n"), b"x NOOP", b"x FETCH 8 PREVIEW", b"x FETCH 9 PREVIEW"),
    selected("CONTEXT", b"x SEARCH RETURN (UPDATE COUNT) SEEN", b"x STORE 1 +FLAGS (\\Seen)", b"x NOOP", b'x CANCELUPDATE "x"', b'x CANCELUPDATE "foo"', b"x SEARCH RETURN (PARTIAL 1:2) ALL", b"x SEARCH RETURN (CONTEXT) ALL", b"x SEARCH RETURN (PARTIAL 0:2) ALL", b"x SORT RETURN (PARTIAL 2:3) (DATE) UTF-8 ALL"),
]  # fmt: skip
