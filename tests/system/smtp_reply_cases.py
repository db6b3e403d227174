"""The cases of test_smtp_replies_peer.py: what is said to the services of smtp_reply_services.py."""

from collections.abc import Sequence
from typing import Final

from fakes.smtp_exchanges import Exchange, Raw

HELLO: Final = b"EHLO client.example"
MAIL: Final = b"MAIL FROM:<a@example.test>"
RCPT: Final = b"RCPT TO:<me@pillarbox.test>"
BEGIN: Final = (HELLO, MAIL, RCPT)
PLAIN: Final = b"AUTH PLAIN AG5vYm9keQB3cm9uZw=="  # \0nobody\0wrong


def senders(*paths: bytes) -> tuple[bytes, ...]:
    """One MAIL after another, each in a transaction of its own."""
    return (HELLO, *(step for path in paths for step in (b"MAIL FROM:" + path, b"RSET")))


def recipients(*paths: bytes) -> tuple[bytes, ...]:
    """RCPTs in one transaction."""
    return (HELLO, MAIL, *(b"RCPT TO:" + path for path in paths))


ADDRESSES: Final = (
    b"1.2.3.010",
    b"001.002.003.004",
    b"1.2.3.0004",
    b"0.0.0.0",
    b"0.1.2.3",
    b"1.2.3.4.5",
    b"1.2.3.256",
    b"",
    b"IPv6:::1%eth0",
    b"IPV6:2001:db8::1",
    b"IPv6:::1.2.3.4",
    b"::1",
    b"IPv6:::1%]x",
)
STRANGER: Final = b"RCPT TO:<x@elsewhere.test>"


def told(verb: bytes, attributes: Sequence[bytes]) -> tuple[bytes, ...]:
    """What a proxy says of one client after another, and what that client may do."""
    steps = ((verb + b" " + one, HELLO, MAIL, RCPT, STRANGER, b"RSET") for one in attributes)
    return (HELLO, *(step for some in steps for step in some))


NAMES: Final = tuple(
    b"NAME=" + value
    for value in (
        b"a.test",
        b"[UNAVAILABLE]",
        b"[tempunavail]",
        b"a_b.test",
        b"-a",
        b"a..b",
        b"1.2.3.4",
        b"a+2Etest",
        b"a+ZZ",
        b"",
        b"=x",
        b"x" * 70,
        b"bad.test",
    )
)
TOLD_ADDRESSES: Final = (
    b"192.0.2.9",
    b"192.0.2.300",
    b"2001:db8::1",
    b"[UNAVAILABLE]",
    b"[TEMPUNAVAIL]",
    b"x",
    b"127.0.0.1",
)
OTHERS: Final = (
    b"PORT=25",
    b"PORT=0",
    b"PORT=-1",
    b"PORT=x",
    b"PORT=[UNAVAILABLE]",
    b"PORT=00025",
    b"PROTO=ESMTP",
    b"PROTO=smtp",
    b"PROTO=LMTP",
    b"PROTO=[UNAVAILABLE]",
    b"HELO=x.test",
    b"HELO=[UNAVAILABLE]",
    b"HELO=a+20b",
    b"HELO=gr+FC",
    b"HELO=" + b"x" * 256,
)
FURTHER: Final = (
    b"REVERSE_NAME=r.test",
    b"REVERSE_NAME=[TEMPUNAVAIL]",
    b"REVERSE_NAME=a_b",
    b"LOGIN=[UNAVAILABLE]",
    b"LOGIN=a+20b",
    b"LOGIN=gr+C3+BC",
    b"LOGIN=me@pillarbox.test",
    b"DESTADDR=192.0.2.1",
    b"DESTADDR=[UNAVAILABLE]",
    b"DESTADDR=x",
    b"DESTPORT=25",
    b"DESTPORT=[UNAVAILABLE]",
)
WRONG: Final = (
    b"FOO=x",
    b"=x",
    b"NAME",
    b"IDENT=x",
    b"SOURCE=LOCAL",
    b"SOURCE=x",
    b"ADDR=192.0.2.5 FOO=x",
    b"name=a.test  addr=127.0.0.1 ",
    b"NAME=a.test NAME=b.test",
    b"NAME=a.test,ADDR=192.0.2.5",
)

_TOLD: Final[dict[str, tuple[bytes, ...]]] = {
    "names": NAMES,
    "others": OTHERS,
    "further attributes": FURTHER,
    "what is none": WRONG,
}
EXCHANGES: Final = [
    *(Exchange(f"{verb.decode()} of {title}", told(verb, attributes), "proxy") for verb in (b"XCLIENT", b"XFORWARD") for title, attributes in _TOLD.items()),
    *(Exchange(f"XCLIENT of {one.decode()}", told(b"XCLIENT", (b"ADDR=" + one,) * 2), "proxy") for one in TOLD_ADDRESSES),
    Exchange("XFORWARD of addresses", told(b"XFORWARD", tuple(b"ADDR=" + one for one in TOLD_ADDRESSES)), "proxy"),
    Exchange("ports that are none", (HELLO, b"XCLIENT PORT=65536", b"XCLIENT DESTPORT=99999", b"XFORWARD PORT=65536"), "proxy"),
    Exchange("XCLIENT and XFORWARD of a stranger", (b"XCLIENT", b"XFORWARD", b"XCLIENT NAME=x", b"XFORWARD NAME=x", b"XCLIENT FOO", HELLO, MAIL, b"XCLIENT", b"XFORWARD NAME=x"), "sasl"),
    Exchange("filtered commands", (b"FOO x", HELLO, b"FOO", b"MAIL FROM:<bad@x>", b"RSET", b"MAIL FROM:<bad@\xff>", b"RSET", b"BLANK", b" FOO", b"MAIL FROM:<space@x> FOO", b""), "command filter"),
    Exchange("a command filter that fails", (b"FOO x",), "failing command filter"),
    Exchange("keywords by address", (HELLO, MAIL, RCPT + b" NOTIFY=NEVER", b"ETRN x"), "discarding by address"),
    Exchange("keywords that nobody knows", (b"NOOP", b"HELO x", HELLO), "failing keywords"),
    Exchange("characters in a footer", (HELLO, MAIL, STRANGER, b"FOO"), "expansion"),
    Exchange("old restrictions", (*(step for name in (b"naked", b"relay", b"rnaked", b"rrelay") for step in (b"EHLO 192.0.2.1", b"MAIL FROM:<" + name + b"@s.test>", RCPT, STRANGER, HELLO, b"MAIL FROM:<" + name + b"@s.test>", STRANGER)), b"RSET", b"MAIL FROM:<mx@s.test>", RCPT, b"RSET", b"MAIL FROM:<rmx@s.test>", RCPT), "old"),
    *(Exchange(f"old: HELO {name.decode()}", (b"HELO " + name, b"MAIL FROM:<naked@s.test>", RCPT, STRANGER), "old") for name in (b"192.0.2.321", b"1.2.3", b".1.2.3.4", b"1..2.3.4", b"::1", b"::", b"1:2", b"1.2.3.4.5.", b"fe80::1", b"12")),
    *(Exchange(f"old: a client named {name.decode()}", (b"XCLIENT NAME=%s ADDR=192.0.2.9" % name, HELLO, b"MAIL FROM:<rrelay@s.test>", STRANGER, b"RSET", b"MAIL FROM:<relay@s.test>", STRANGER, b"RCPT TO:<x@relaying.test>"), "old") for name in (b"relaying.test", b"h.parent.test")),
    Exchange("names that are addresses", tuple(b"HELO " + name for name in (b"192.0.2.1", b"::1", b"1.2.3", b"[::1]", b"[1.2.3]")), "unknown names"),
    Exchange("permits", (HELLO, *(step for name in (b"ok", b"dunno", b"permit", b"250", b"relay", b"text") for step in (b"MAIL FROM:<" + name + b"@s.test>", RCPT, STRANGER, b"RSET")), MAIL, RCPT, b"DATA", b"x\r\n."), "permits"),
    Exchange("words that nobody reads", (HELLO, MAIL, RCPT, STRANGER, *(step for name in (b"no", b"not") for step in (b"RSET", b"MAIL FROM:<" + name + b"@s.test>", RCPT))), "followed"),
    *(Exchange(name, (HELLO, MAIL, STRANGER), name) for name in ("networks in a table", "networks but those in a table", "networks and a table")),
    Exchange("domains and exceptions", (HELLO, b"ETRN a.flush.test", b"ETRN a.no.flush.test", *recipients(*(b"<u@" + name + b".test>" for name in b"parent PARENT a.parent xparent no.parent a.no.parent dot a.dot b.a.dot tab a.tab tabdot a.tabdot last a.last no.last a.no.last".split()))), "domains"),
    *(Exchange(f"forbidden {at}", (HELLO, word, b"NOOP"), "forbidden") for at, word in enumerate((b"FOO bar", b"\xff\xfe", b"1x", b"GET / HTTP/1.0", b"MAIL FROM:<>", b""))),
    Exchange("a header outside ASCII as a command", (HELLO, b"X-8: gr\xc3\xbcn\x01")),
    Exchange("a bare LF behind a command that is refused", (HELLO, MAIL, Raw(b"RCPT TO:<me@pillarbox.test> FOO=1\nNOOP\r\n", 1)), "bare"),
    Exchange("checks of a message with a bare LF", (*BEGIN, b"DATA", b"Subject: info\r\n\r\nbody\n\r\nwarn body\r\n."), "bare"),
    Exchange("lines of mbox files", (*BEGIN, b"DATA", b"From a\r\n>From b\r\nSubject: reject\r\n\r\nx\r\n.")),
    Exchange("AUTH need not be the last of a group", (b"EHLO client.example", Raw(b"AUTH FOO\r\nRSET\r\n", 2)), "sasl"),
    Exchange("a group that nobody may send", (HELLO, Raw(b"NOOP\r\nVRFY me\r\n", 1))),
    Exchange("AUTH= of nobody", (HELLO, MAIL + b" AUTH=<>", RCPT, b"DATA", b"x\r\n."), "sasl"),
    Exchange("one permit", (HELLO, MAIL, RCPT, STRANGER), "one permit"),
    Exchange("domains of one service", (HELLO, b"VRFY me", *(b"VRFY me@%s" % domain for domain in b"pillarbox.test here.test else.test alias.test other.test origin.test parent.test".split())), "own domains"),
    Exchange("XCLIENT before TLS", (b"XFORWARD NAME=x", b"XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE]", HELLO, MAIL, b"XCLIENT ADDR=192.0.2.8"), "proxy and a must of TLS"),
    Exchange("who speaks for others is not counted", (HELLO, MAIL, b"RSET", MAIL, b"RSET", b"XCLIENT ADDR=192.0.2.9 NAME=[UNAVAILABLE]", HELLO, MAIL, b"RSET", MAIL), "counted"),
    Exchange("too big for cleanup", (*BEGIN, b"DATA", b"Subject: a\r\n\r\n" + b"x" * 300 + b"\r\n.", MAIL, RCPT, b"DATA", b"Subject: a\r\n\r\n" + (b"x" * 98 + b"\r\n") * 40 + b"\r\n."), "small cleanup"),
    Exchange("keywords that cannot be looked up", (b"HELO client.example", HELLO, b"NOOP"), "keywords that fail"),
    Exchange("a queue file from the beginning", (HELLO, MAIL, STRANGER, RCPT), "open early"),
    *(Exchange(f"washed {at}", (*BEGIN, b"DATA", content + b"\r\n."), "washed") for at, content in enumerate((b"Subject: a\x01b\r\n\r\nbody", b"Subject: a\r\n\r\nbo\x02dy", b"Subject: rejQect\r\n\r\nbody", b"Subject: a\r\n\r\nbad\x03 body", b"Subject: a\x01\r\n\r\nbad body"))),
    Exchange("filtered DNS", (HELLO, MAIL, RCPT), "filtered DNS"),
    *(Exchange(f"a client named {name.decode()}", (HELLO, b"XCLIENT ADDR=192.0.2.%d NAME=%s" % (host, name), HELLO, MAIL, STRANGER, b"XFORWARD NAME=x"), "named clients") for host, name in (*((1, name + b".test") for name in b"trusted a.trusted TRUSTED xtrusted bad.other a.bad.other a.other other tab a.tab a.dotted verp a.verp a.below below c.loop".split()), (77, b"[UNAVAILABLE]"), (78, b"x.test"))),
    Exchange("networks that nobody knows", (HELLO, MAIL, RCPT), "networks that fail"),
    Exchange("literals of clients", tuple(verb + literal for verb, brackets in ((b"EHLO ", b"[%s]"), (b"HELO ", b"%s")) for literal in (brackets % address for address in ADDRESSES)), "helo"),
    Exchange("literals of senders", senders(*(b"<x@[%s]>" % address for address in ADDRESSES))),
    Exchange("literals of recipients", (HELLO, MAIL, *(b"RCPT TO:<x@[%s]>" % address for address in ADDRESSES))),
    Exchange("XVERP", (HELLO, b"MAIL FROM:<a@s.test> XVERP", b"RSET", b"MAIL FROM:<a@s.test> XVERP=-+", b"RSET", b"MAIL FROM:<> XVERP", b"MAIL FROM:<a@s.test> XVERP=*/", b"MAIL FROM:<a@s.test> XVERP=", b"MAIL FROM:<a@s.test> XVERP=+=x", b"MAIL FROM:<a@s.test> XVERPX"), "verp"),
    Exchange("a footer", (b"FOO", HELLO, b"MAIL FROM:<a@b", MAIL, b"RCPT TO:<a@elsewhere.test>", b"RCPT TO:<a", b"RSET", b"VRFY x@elsewhere.test", b"FOO", b"FOO"), "footer"),
    Exchange("greetings", (b"HELO client.example", b"EHLO client.example", b"helo x", b"EhLo x")),
    Exchange("no name", (b"HELO", b"EHLO", b"HELO ", b"EHLO  ")),
    Exchange("odd names", (b"HELO a b", b"EHLO [127.0.0.1]", b"EHLO [IPv6:::1]", b"EHLO (a)", b"EHLO <a>", b"EHLO -", b"EHLO a\0b", b"EHLO gr\xc3\xbc\xc3\x9f", b"EHLO \xff", b"HELO \xff")),
    Exchange("bare greetings", (b"MAIL FROM:<a@example.test>", b"RCPT TO:<me@pillarbox.test>")),
    Exchange("small talk", (b"NOOP", b"NOOP with words", b"RSET", b"RSET now", b"VRFY", b"VRFY me@pillarbox.test", b"VRFY no@pillarbox.test", b"VRFY <me@pillarbox.test>", b"VRFY x@elsewhere.test", b"VRFY me you", b"VRFY <>", b"VRFY me@pillarbox.test SMTPUTF8", b"VRFY postmaster", b"VRFY @", b"VRFY me")),
    Exchange("odd VRFY that is disabled", (HELLO, b"VRFY x y z", b"VRFY <a@b", b"VRFY", b"VRFY me@pillarbox.test SMTPUTF8"), "strict"),
    Exchange("odd VRFY", (HELLO, b"VRFY <me@pillarbox.test", b"VRFY 'me'", b'VRFY "me"@pillarbox.test', b"VRFY \xff", b"VRFY (x)")),
    Exchange("HELP and others", (b"EXPN staff", b"TURN", b"SEND FROM:<a@b>", b"SOML", b"FOO", b"foo bar", b"", b" ", b"\t", b".", b"XCLIENT NAME=x", b"XFORWARD NAME=x", b"QUIT now")),
    Exchange("HELP", (b"HELP", b"HELP MAIL")),
    Exchange("more recipients than there may be", (HELLO, MAIL, RCPT, *(RCPT,) * 8), "overshoot"),
    Exchange("commands that do nothing", (b"FOO", HELLO, b"foo bar", b"VRFY no@pillarbox.test", b"HELP", b"FOOD", b"FOO", b"FOO", b"FOO", b"FOO", b"FOO", b"FOO", b"FOO"), "no-ops"),
    Exchange("what mail needs does nothing", (b"EHLO client.example", b"HELO client.example", MAIL, b"mail", b"STARTTLS", RCPT, b"DATA", b"BDAT 4 LAST", b" auth PLAIN", b"Data: x", b"Subject: x"), "no-ops of what mail needs"),
    Exchange("QUIT does nothing", (b"QUIT", b"quit now", b"QUITS", b"NOOP"), "no-ops of what mail needs"),
    Exchange("strict SMTPUTF8", (HELLO, b"MAIL FROM:<\xc3\xbc@example.test>", b"MAIL FROM:<a@\xc3\xbc.test>", b"MAIL FROM:<\xc3\xbc@example.test> SMTPUTF8", b"RCPT TO:<\xc3\xbc@pillarbox.test>", b"RSET", MAIL, b"RCPT TO:<\xc3\xbc@pillarbox.test>", b"RCPT TO:<x@\xc3\xbc.test>", b"RCPT TO:<a@elsewhere.test>"), "strict UTF-8"),
    Exchange("discarded keywords", (HELLO, b"VRFY me@pillarbox.test", b"ETRN flush.test", b"MAIL FROM:<a@b> SIZE=99999999", b"RSET", b"MAIL FROM:<a@b> BODY=8BITMIME", b"RSET", b"MAIL FROM:<a@b> SMTPUTF8", b"MAIL FROM:<a@b> RET=FULL", b"MAIL FROM:<a@b> ENVID=x", b"MAIL FROM:<a@b> RET=x", MAIL, RCPT + b" NOTIFY=NEVER", RCPT + b" ORCPT=rfc822;x", RCPT + b" NOTIFY=x", RCPT, b"RSET", b"AUTH PLAIN", b"AUTH", Raw(b"NOOP\r\nNOOP\r\n", 2), b"HELO x", MAIL, RCPT, b"BDAT 3 LAST\r\nabc", b"STARTTLS"), "discarding"),
    Exchange("ETRN", (b"ETRN", b"ETRN example.test", HELLO, b"ETRN", b"ETRN pillarbox.test", b"ETRN a b", b"ETRN @x", b"ETRN #x", b"ETRN no_such!", b"ETRN flush.test", b"ETRN sub.FLUSH.test", b"ETRN @flush.test", b"ETRN [192.0.2.1]")),
    Exchange("commands of browsers", (b"GET / HTTP/1.0",)),
    Exchange("a header as a command", (b"Subject: x",)),
    Exchange("another header", (b"MAILFROM:<a@b>",)),
    Exchange("no command at all", (b":",)),
    Exchange("8-bit command", (b"\xff\xfe",)),
    Exchange("order", (b"RCPT TO:<me@pillarbox.test>", b"DATA", b"BDAT 0", b"BDAT 0 LAST", HELLO, b"RCPT TO:<me@pillarbox.test>", b"DATA", MAIL, MAIL, b"DATA", b"BDAT 0", RCPT, b"DATA now", b"DATA x y", MAIL, b"HELO again", RCPT, b"DATA")),
    Exchange("order before syntax", (b"RCPT FOO", HELLO, b"RCPT FOO", MAIL, b"MAIL FOO", b"DATA x", b"AUTH", b"ETRN x", b"STARTTLS x", b"STARTTLS")),
    Exchange("order after RSET", (HELLO, MAIL, RCPT, b"RSET", RCPT, b"DATA")),
    Exchange("MAIL syntax", (HELLO, b"MAIL", b"MAIL FROM", b"MAIL FROM:", b"MAIL FROM: ", b"MAIL FROM <a@b>", b"MAIL a@b", b"MAIL TO:<a@b>")),
    Exchange("brackets", senders(b"<a@b", b"a@b>", b"<<a@b>>", b"<a@b>x", b"x<a@b>", b"<a@b>,<c@d>", b"a@b,c@d", b"<a@b>;", b"<a b@c>", b"<a@b c>", b"a b@c", b"a@b c", b"<a>b", b">", b"<", b"<a@b>>", b"<a @b>", b"<a@ b>", b'<"a" @b>', b'<a "b"@c>', b"<a.b .c@d>")),
    Exchange("MAIL blanks", senders(b" <a@example.test>", b"<a@example.test> ", b"\t<a@example.test>", b" a@example.test", b"< a@example.test >", b"<a@example.test>  SIZE=1", b"<a@example.test>\tSIZE=1")),
    Exchange("MAIL with a tab or more blanks", (HELLO, b"MAIL\tFROM:<a@example.test>", b"RSET", b"MAIL  FROM:<a@example.test>", b"RSET", b"MAIL FROM :<a@example.test>", b"RSET", b"MAIL FROM\t: <a@example.test>", b"RSET", b" MAIL FROM:<a@example.test>", b"RSET", b"MAIL From:<a@example.test>", b"RSET", b"mail from:a@example.test", b"RSET\t", b"\tRSET", b"RSET ")),
    Exchange("senders", senders(b"<>", b"<a>", b"<a@>", b"<@b>", b"<@>", b"<a@b@c>", b"<a.@b>", b"<.a@b>", b"<a..b@c>", b'<"a b"@c>', b'<"a"@c>', b'<""@c>', b'<"a\\"b"@c>', b'<"a\\b"@c>', b'<"a>', b'<a"b@c>', b'<a"b"@c>')),
    Exchange("more senders", senders(b"<a@b.>", b"<a@.b>", b"<a@b..c>", b"<a@-b>", b"<a@b-.c>", b"<a@b_c>", b"<a@[1.2.3.4]>", b"<a@[1.2.3]>", b"<a@[x]>", b"<a@[IPv6:::1]>", b"<a@[>", b"<a@1.2.3.4>", b"<a@b/c>", b"<a!b>", b"<a%b@c>", b"<a@b:c>")),
    Exchange("odd senders", senders(b"<a\\ b@c>", b"<a\\@b@c>", b"<(x)a@b>", b"<a@b(x)>", b"Name <a@b>", b'"Name" <a@b>', b"<group: a@b;>", b"<a;b@c>", b"<a,b@c>", b"<a:b@c>", b"<-a@b>", b"<a@b>@c", b"()", b"(x)", b"<()>")),
    Exchange("routes", senders(b"<@x:a@b>", b"<@x,@y:a@b>", b"<@x:@y:a@b>", b"<@x:>", b"<@x>", b"<@x,a@b>", b"@x:a@b")),
    Exchange("long senders", senders(b"<" + b"a" * 64 + b"@b>", b"<" + b"a" * 65 + b"@b>", b"<" + b"a" * 513 + b"@b>", b"<a@" + b"b" * 63 + b">", b"<a@" + b"b" * 64 + b">", b"<a@" + b"b." * 120 + b"c>", b"<a@" + b"b." * 160 + b"c>", b"<" + b"a" * 1500 + b"@b>")),
    Exchange("8-bit senders", senders(b"<gr\xc3\xbcn@b>", b"<gr\xc3\xbcn@b> SMTPUTF8", b"<a@gr\xc3\xbcn.test>", b"<a@gr\xc3\xbcn.test> SMTPUTF8", b"<\xff@b>", b"<\xff@b> SMTPUTF8", b"<a@b> SMTPUTF8", b"<a@b> SMTPUTF8=1", b"<a@b> SMTPUTF8 SMTPUTF8", b"<a@\xff>", b"<a\x01b@c>", b"<a\x7fb@c>", b"<a\0b@c>", b"<a@b\0c>")),
    Exchange("SIZE", senders(b"<a@b> SIZE=20000", b"<a@b> SIZE=20001", b"<a@b> SIZE=", b"<a@b> SIZE", b"<a@b> SIZE=-1", b"<a@b> SIZE=+1", b"<a@b> SIZE=1x", b"<a@b> SIZE=1_0", b"<a@b> SIZE=99999999999999999999", b"<a@b> SIZE=0", b"<a@b> SIZE=00001", b"<a@b> size=5", b"<a@b> SIZE=1 SIZE=2", b"<a@b> SIZE=0x10")),
    Exchange("BODY", senders(b"<a@b> BODY=8BITMIME", b"<a@b> BODY=7BIT", b"<a@b> body=8bitmime", b"<a@b> BODY=BINARYMIME", b"<a@b> BODY=", b"<a@b> BODY", b"<a@b> BODY=7BIT BODY=8BITMIME")),
    Exchange("RET and ENVID", senders(b"<a@b> RET=FULL", b"<a@b> RET=HDRS", b"<a@b> RET=hdrs", b"<a@b> RET=FOO", b"<a@b> RET=", b"<a@b> RET", b"<a@b> RET=FULL RET=FULL", b"<a@b> ENVID=abc", b"<a@b> ENVID=a+3Db", b"<a@b> ENVID=a+3db", b"<a@b> ENVID=a+", b"<a@b> ENVID=a+ZZ", b"<a@b> ENVID=", b"<a@b> ENVID", b"<a@b> ENVID=a=b", b"<a@b> ENVID=a ENVID=b", b"<a@b> ENVID=a+00b", b"<a@b> ENVID=gr\xc3\xbcn")),
    Exchange("other options", senders(b"<a@b> FOO", b"<a@b> FOO=BAR", b"<a@b> =", b"<a@b> AUTH=<>", b"<a@b> AUTH=a+40b", b"<a@b> AUTH=", b"<a@b> NOTIFY=NEVER", b"<a@b> ORCPT=rfc822;a@b", b"<a@b> HOLDFOR=1", b"<a@b> x y", b"<a@b> FOO\x01", b"<a@b> \xff")),
    Exchange("AUTH= where it is offered", senders(b"<a@b> AUTH=<>", b"<a@b> AUTH=a+40b", b"<a@b> AUTH=", b"<a@b> AUTH", b"<a@b> AUTH=a+ZZ", b"<a@b> AUTH=a=b"), "sasl"),
    Exchange("RCPT syntax", (HELLO, MAIL, b"RCPT", b"RCPT TO", b"RCPT TO:", b"RCPT TO: ", b"RCPT TO <a@b>", b"RCPT a@b", b"RCPT FROM:<a@b>", b"RCPT TO:<me@pillarbox.test", b"RCPT TO:me@pillarbox.test>", b"RCPT TO:<>", b"RCPT TO:<<me@pillarbox.test>>", b"RCPT TO:<me@pillarbox.test>x", b"RCPT TO:<me@pillarbox.test>,<you@pillarbox.test>", b"RCPT TO:<me @pillarbox.test>", b"RCPT\tTO:<me@pillarbox.test>", b"RCPT  TO : me@pillarbox.test")),
    Exchange("recipients", recipients(b"<no@pillarbox.test>", b"<NO@Pillarbox.Test>", b"<x@elsewhere.test>", b"<x@[127.0.0.1]>", b"<x@[192.0.2.1]>", b"<x%elsewhere.test@pillarbox.test>", b"<elsewhere.test!x@pillarbox.test>", b"<elsewhere.test!x>", b'<"x@elsewhere.test"@pillarbox.test>', b"<x@elsewhere.test@pillarbox.test>", b"<@pillarbox.test:x@elsewhere.test>", b"<@elsewhere.test:no@pillarbox.test>", b"<no@pillarbox.test.>", b'<"no"@pillarbox.test>', b'<"n o"@pillarbox.test>', b"<no>", b"<x%elsewhere.test>")),
    Exchange("more recipients", recipients(b"<@>", b"<a@>", b"<@pillarbox.test>", b'<""@pillarbox.test>', b"<..@pillarbox.test>", b"<-no@pillarbox.test>", b"<no+ext@pillarbox.test>", b"<gr\xc3\xbcn@pillarbox.test>", b"<\xff@pillarbox.test>", b"<n\0o@pillarbox.test>", b"<no\x01@pillarbox.test>", b"<a@\xc3\xbc.test>", b"<(c)no@pillarbox.test>", b"<|/bin/sh@pillarbox.test>", b"</file@pillarbox.test>", b"<a@b@c>")),
    Exchange("recipients that are taken", recipients(b"<me@pillarbox.test>", b"<ME@PILLARBOX.TEST>", b"<postmaster>", b"<me@pillarbox.test>")),
    Exchange("recipients in odd forms", recipients(b'<"me"@pillarbox.test>', b'<"two words"@pillarbox.test>', b"<@x,@y:me@pillarbox.test>")),
    Exchange("Postmaster", recipients(b"<Postmaster>", b"<postmaster@pillarbox.test>", b"<POSTMASTER@elsewhere.test>")),
    Exchange("UTF-8 recipients", (HELLO, MAIL + b" SMTPUTF8", b"RCPT TO:<gr\xc3\xbcn@pillarbox.test>", b"RCPT TO:<\xff@pillarbox.test>", b"RCPT TO:<me@gr\xc3\xbcn.test>", b"RCPT TO:<me@pillarbox.test>")),
    Exchange("NOTIFY and ORCPT", recipients(*(b"<no@pillarbox.test> " + option for option in (b"NOTIFY=NEVER", b"NOTIFY=SUCCESS,FAILURE,DELAY", b"notify=success", b"NOTIFY=NEVER,SUCCESS", b"NOTIFY=SUCCESS,NEVER", b"NOTIFY=FOO", b"NOTIFY=", b"NOTIFY", b"NOTIFY=SUCCESS,", b"NOTIFY=SUCCESS,SUCCESS", b"NOTIFY=NEVER NOTIFY=NEVER", b"ORCPT=rfc822;a@b", b"ORCPT=a@b", b"ORCPT=", b"ORCPT", b"ORCPT=rfc822;", b"ORCPT=;a", b"ORCPT=rfc822;a+ZZ", b"ORCPT=rfc822;a+2Bb")))),
    Exchange("more of ORCPT", recipients(*(b"<no@pillarbox.test> " + option for option in (b"ORCPT=rfc 822;a", b"ORCPT=rfc822;a ORCPT=rfc822;b", b"ORCPT=utf-8;gr\\x{FC}n", b"ORCPT=utf-8;gr\xc3\xbcn", b"ORCPT=utf-8;\xff", b"ORCPT=utf-8;a\\x{}", b"ORCPT=x_y;a", b"FOO", b"FOO=BAR", b"SIZE=5", b"=", b"ORCPT=rfc822;a+00b", b"ORCPT=rfc822;a=b", b"ORCPT=rfc822;gr\xc3\xbcn")))),
    Exchange("a message", (*BEGIN, b"DATA", b"Subject: x\r\n\r\nbody\r\n.")),
    Exchange("a message without ESMTP", (b"HELO x", MAIL, RCPT, b"DATA", b"body\r\n.")),
    Exchange("an empty message", (*BEGIN, b"DATA", b".", MAIL)),
    Exchange("a message that is too big", (*BEGIN, b"DATA", (b"x" * 98 + b"\r\n") * 300 + b".", MAIL, RCPT, b"DATA", b"small\r\n.")),
    Exchange("just too big", (*BEGIN, b"DATA", b"S: x\r\n\r\n" + b"x" * 19700 + b"\r\n.")),
    Exchange("hops", (*BEGIN, b"DATA", b"Received: x\r\n" * 60 + b"\r\n.", MAIL)),
    Exchange("recipients one by one", (HELLO, MAIL, b"DATA", b"RCPT TO:<no@pillarbox.test>", b"DATA", RCPT, b"DATA", b"x\r\n.", RCPT)),
    Exchange("too many recipients", recipients(*[b"<me@pillarbox.test>"] * 5)),
    Exchange("too many, then DATA", (*recipients(*[b"<me@pillarbox.test>"] * 4), b"DATA", b"x\r\n.")),
    Exchange("BDAT", (*BEGIN, b"BDAT 3\r\nab", b"BDAT 0", b"BDAT 4 LAST\r\nab\r\n"[:-2], MAIL)),
    Exchange("BDAT at once", (*BEGIN, b"BDAT 6 last\r\nabcd", MAIL)),
    Exchange("empty BDAT", (*BEGIN, b"BDAT 0 LAST", MAIL)),
    Exchange("BDAT syntax", (*BEGIN, b"BDAT", b"NOOP")),
    *(Exchange("BDAT " + words.decode(), (*BEGIN, b"BDAT " + words, b"NOOP")) for words in (b"x", b"-1", b"+1", b"1 FOO", b"1 LAST x", b"0 LAST x", b"99999999999999999999", b"LAST", b"1_0", b"0x1")),
    Exchange("BDAT syntax without a transaction", (HELLO, b"BDAT x", b"NOOP")),
    Exchange("others after BDAT", (*BEGIN, b"BDAT 2\r\n", RCPT, MAIL, b"DATA", b"NOOP", b"VRFY me@pillarbox.test", b"RSET", MAIL)),
    Exchange("BDAT without recipient", (HELLO, b"BDAT 5\r\nabc", MAIL, b"BDAT 5\r\nabc", b"BDAT 5 LAST\r\nabc", b"NOOP", RCPT)),
    Exchange("BDAT that is too big", (*BEGIN, Raw(b"BDAT 30000\r\n" + b"x" * 30000, 1), b"BDAT 3 LAST\r\na", b"NOOP", MAIL)),
    Exchange("BDAT in small pieces", (*BEGIN, Raw(b"BDAT 2\r\nabBDAT 2\r\ncdBDAT 2 LAST\r\n\r\n", 3), MAIL)),
    Exchange("chunks beyond the limit", (*BEGIN, Raw(b"BDAT 15000\r\n" + b"x" * 15000, 1), Raw(b"BDAT 15000\r\n" + b"x" * 15000, 1), Raw(b"BDAT 100 LAST\r\n" + b"x" * 100, 1), b"NOOP", MAIL)),
    Exchange("pipelining", (HELLO, Raw(MAIL + b"\r\n" + RCPT + b"\r\nDATA\r\n", 3), b"x\r\n.", Raw(MAIL + b"\r\n" + RCPT + b"\r\nRSET\r\nMAIL FROM:<>\r\n", 4))),
    Exchange("pipelining behind HELO", (Raw(b"HELO x\r\n" + MAIL + b"\r\n" + RCPT + b"\r\n", 3),)),
    Exchange("pipelining behind EHLO", (Raw(HELLO + b"\r\n" + MAIL + b"\r\n", 2),)),
    Exchange("pipelining behind DATA", (*BEGIN, Raw(b"DATA\r\nx\r\n.\r\n", 2))),
    Exchange("pipelining behind the message", (*BEGIN, b"DATA", Raw(b"x\r\n.\r\n" + MAIL + b"\r\n" + RCPT + b"\r\n", 3))),
    Exchange("pipelining behind QUIT", (HELLO, Raw(b"QUIT\r\nNOOP\r\n", 2))),
    Exchange("pipelining behind NOOP", (HELLO, Raw(b"NOOP\r\nNOOP\r\n", 2))),
    Exchange("pipelining behind VRFY", (HELLO, Raw(b"VRFY me@pillarbox.test\r\nNOOP\r\n", 2))),
    Exchange("pipelining behind HELP", (HELLO, Raw(b"ETRN x\r\nNOOP\r\n", 2))),
    Exchange("pipelining behind an unknown command", (HELLO, Raw(b"FOO\r\nNOOP\r\n", 2))),
    Exchange("pipelining behind a refused DATA", (HELLO, Raw(b"DATA\r\nNOOP\r\n", 2))),
    Exchange("a command that is too long", (HELLO, b"NOOP " + b"x" * 2040, b"NOOP " + b"x" * 2043, b"NOOP " + b"x" * 2044, b"NOOP " + b"x" * 2050, b"NOOP " + b"x" * 5000, b"NOOP", b"MAIL FROM:<" + b"a" * 5000 + b"@b>", b"x" * 5000)),
    Exchange("NUL and controls", (HELLO, b"NO\0OP", b"NOOP \x01", b"RSET\x01", b"NOOP\x0b", b"\x0cNOOP", b"\x0bMAIL\x0cFROM:<a@b>\x0b")),
    Exchange("a command that begins with NUL", (b"\0NOOP",)),
    Exchange("NUL behind a command", (b"NOOP\0", b"NOOP \0", b"MAIL FROM:<a@b>\0")),
    Exchange("bare LF", (Raw(b"EHLO client.example\n", 1), Raw(MAIL + b"\n" + RCPT + b"\n", 2), Raw(b"DATA\n", 1), Raw(b"x\r\n.\r\n", 1))),
    Exchange("CR CR LF", (Raw(b"EHLO client.example\r\r\n", 1), Raw(MAIL + b"\r\r\n", 1), Raw(b"RC\rPT TO:<me@pillarbox.test>\r\n", 1), Raw(RCPT + b"\r\r\r\n", 1), b"RSET")),
    Exchange("CR CR LF around the last dot", (*BEGIN, b"DATA", Raw(b"x\r\r\n.\r\r\nNOOP\r\n.\r\n", 1))),
    Exchange("bare LF around the last dot", (*BEGIN, b"DATA", Raw(b"x\n.\nMAIL FROM:<b@b>\n.\r\n\r\n.\r\n", 1))),
    Exchange("bare LF where it is refused", (*BEGIN, b"DATA", Raw(b"x\ny\r\n.\r\n", 1)), "bare"),
    Exchange("bare LF in a command where it is refused", (HELLO, Raw(MAIL + b"\n", 1), RCPT, b"DATA", b"x\r\n."), "bare"),
    Exchange("bare LF in a chunk where it is refused", (*BEGIN, Raw(b"BDAT 5 LAST\r\na\nb\r\n", 1), b"NOOP"), "bare"),
    Exchange("bare LF behind HELO where it is refused", (Raw(b"HELO x\n", 1), b"NOOP", MAIL, RCPT, b"DATA", b"x\r\n."), "bare"),
    Exchange("too many errors", (b"FOO", b"FOO", b"FOO", b"FOO", b"FOO"), "few"),
    Exchange("too many idle commands", (b"NOOP", b"RSET", b"NOOP", b"NOOP", b"NOOP", b"NOOP", b"NOOP", b"NOOP", b"NOOP"), "few"),
    Exchange("too many greetings", (HELLO, b"HELO x", HELLO, b"HELO x", HELLO, b"HELO x", HELLO, b"HELO x", HELLO), "few"),
    Exchange("too many VRFYs", (b"VRFY me@pillarbox.test",) * 9, "few"),
    Exchange("too many empty lines", (b"",) * 6, "few"),
    Exchange("too many refused recipients", recipients(*[b"<no@pillarbox.test>"] * 6), "few"),
    Exchange("errors before a message count no more", (HELLO, b"FOO", b"FOO", MAIL, RCPT, b"DATA", b"x\r\n.", b"FOO", b"FOO", b"FOO", b"FOO"), "few"),
    Exchange("STARTTLS", (b"STARTTLS now", b"STARTTLS")),
    Exchange("STARTTLS that is not offered", (HELLO, b"STARTTLS", b"STARTTLS x"), "no tls"),
    Exchange("TLS", (HELLO, b"STARTTLS", MAIL, RCPT, b"DATA", b"x\r\n."), tls=True),
    Exchange("TLS without a new greeting", (MAIL, RCPT, b"DATA", b"x\r\n."), tls=True),
    Exchange("pipelining behind STARTTLS", (HELLO, Raw(b"STARTTLS\r\nEHLO injected\r\n", 1))),
    Exchange("TLS is a must", (b"NOOP", HELLO, b"VRFY me@pillarbox.test", MAIL, RCPT, b"DATA", b"BDAT 0 LAST", b"ETRN x", b"AUTH PLAIN", b"AUTH", b"RSET", b"EXPN x", b"HELP", b"FOO", b"HELO x"), "encrypt"),
    Exchange("TLS is a must, and is there", (HELLO, MAIL, b"AUTH PLAIN", b"RSET", b"AUTH PLAIN", b"*"), "encrypt", tls=True),
    Exchange("AUTH that is not offered", (b"AUTH PLAIN", HELLO, b"AUTH PLAIN", b"AUTH", b"AUTH x y z")),
    Exchange("AUTH only under TLS", (b"AUTH PLAIN", HELLO, b"AUTH PLAIN", b"AUTH", b"AUTH FOO"), "auth only"),
    Exchange("AUTH before EHLO", (b"AUTH PLAIN", b"*", b"HELO x", b"AUTH PLAIN", b"*"), "sasl"),
    Exchange("AUTH syntax", (HELLO, b"AUTH", b"AUTH ", b"AUTH FOO", b"AUTH PLAIN x y", b"AUTH PLAIN !", b"AUTH PLAIN AA=A", b"AUTH PLAIN =", b"AUTH PLAIN AAAA", b"AUTH FOO x y"), "sasl"),
    Exchange("AUTH given up", (HELLO, b"AUTH PLAIN", b"*", b"AUTH LOGIN", b"*", b"AUTH LOGIN", b"bm9ib2R5", b"*", b"NOOP"), "sasl"),
    Exchange("AUTH with no base64", (HELLO, b"AUTH PLAIN", b"!", b"AUTH LOGIN", b"!!!!", b"AUTH LOGIN", b"bm9ib2R5", b"%", b"AUTH LOGIN !", b"AUTH LOGIN =", b"NOOP"), "sasl"),
    Exchange("AUTH that fails", (HELLO, PLAIN, b"AUTH LOGIN", b"bm9ib2R5", b"d3Jvbmc=", b"NOOP", MAIL, PLAIN, b"RSET", PLAIN), "sasl"),
    Exchange("AUTH with a long response", (HELLO, b"AUTH PLAIN", b"A" * 12288, b"AUTH PLAIN", b"A" * 13000, b"NOOP"), "sasl"),
    Exchange("strict", (MAIL, b"NOOP", HELLO, b"VRFY me@pillarbox.test", b"VRFY", *senders(b"a@b", b" <a@b>", b"<a@b> ", b"<(x)a@b>", b"<a.@b>", b"<a..b@c>", b"Name <a@b>", b"< a@b >")), "strict"),
    Exchange("strict recipients", recipients(b"no@pillarbox.test", b" <no@pillarbox.test>", b"<n..o@pillarbox.test>", b"postmaster", b"<postmaster>"), "strict"),
    Exchange("strict RCPT before HELO", (RCPT, b"DATA", b"RSET", b"ETRN x", b"HELO x", MAIL, RCPT), "strict"),
    *(
        Exchange(f"access result for {name}", (HELLO, b"MAIL FROM:<" + name.encode() + b">", RCPT, b"DATA", b"x\r\n."), "access")
        for name in (
            "ok@s.test", "reject@s.test", "rejecttext@s.test", "rejectdsn@s.test", "rejectwrong@s.test", "defer@s.test",
            "defertext@s.test", "five@s.test", "nine@s.test", "nowhere@s.test", "nodomain@s.test", "nocopy@s.test", "noway@s.test", "nofilter@s.test", "ifpermit@s.test", "ifpermittext@s.test", "ifreject@s.test", "450@s.test", "550@s.test",
            "551@s.test", "552@s.test", "553@s.test", "554@s.test", "555@s.test", "556@s.test", "557@s.test", "421@s.test",
            "521@s.test", "number@s.test", "relay@s.test", "lower@s.test", "hold@s.test", "discard@s.test", "warn@s.test",
            "info@s.test", "prepend@s.test", "redirect@s.test", "class@s.test", "words@s.test", "table@s.test",
            "nonsense@s.test", "x@domain.test", "x@sub.domain.test", "x@dunno.domain.test", "user@any.test",
            "REJECT@S.TEST", "x@dot.test", "x@a.dot.test", "", "data@s.test", "end@s.test",
        )
    ),
    Exchange("access by HELO name", (b"EHLO bad.test", MAIL, RCPT, b"EHLO quiet.test", MAIL, RCPT, b"EHLO sub.bad.test", MAIL, RCPT, b"EHLO friend", b"MAIL FROM:<class@s.test>", RCPT), "access"),
    Exchange("access by recipient", (*recipients(b"<no@pillarbox.test>", b"<five@pillarbox.test>", b"<six@pillarbox.test>", b"<you@pillarbox.test>"), b"RSET", b"MAIL FROM:<ifreject@s.test>", b"RCPT TO:<no@pillarbox.test>", b"RCPT TO:<no>", b"RCPT TO:<x@elsewhere.test>"), "access"),
    Exchange("DATA with access rules", (HELLO, b"MAIL FROM:<data@s.test>", RCPT, b"RCPT TO:<you@pillarbox.test>", b"DATA", b"BDAT 3 LAST\r\na", b"RSET", b"ETRN x"), "access"),
    Exchange("no delay", (b"EHLO bad.test", b"EHLO later.test", MAIL, RCPT, b"EHLO good.test", b"MAIL FROM:<bad@s.test>", RCPT, b"MAIL FROM:<later@s.test>", RCPT, b"RSET", MAIL, RCPT), "early"),
    Exchange("a greeting that is refused changes nothing", (b"EHLO bad.test", b"MAIL FROM:<bad@s.test>", b"HELO good.test", MAIL, b"EHLO bad.test", b"HELO bad@name.test", RCPT, b"MAIL FROM:<x@s.test>", b"RSET", b"MAIL FROM:<bad@s.test>"), "early"),
    *(
        Exchange(f"client {last} named by {what}", (b"XCLIENT ADDR=192.0.2.%d " % last + what.encode(),), "early")
        for last in (7, 6)
        for what in ("NAME=[TEMPUNAVAIL]", "NAME=[UNAVAILABLE]", "NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL]",
            "NAME=[TEMPUNAVAIL] REVERSE_NAME=[UNAVAILABLE]", "REVERSE_NAME=[TEMPUNAVAIL] NAME=good.test")
    ),
    Exchange("another client that is refused at once", (HELLO, b"XCLIENT ADDR=192.0.2.9 NAME=good.test", HELLO, MAIL, b"NOOP", b"XCLIENT ADDR=127.0.0.1", b"FOO"), "early"),
    Exchange("another client that is told to go", (HELLO, b"XCLIENT ADDR=192.0.2.8 NAME=good.test", HELLO), "early"),
    *(
        Exchange(f"a table that fails for {name}", (b"EHLO x.test", b"MAIL FROM:<a@[192.0.2.1]>", b"RCPT TO:<" + name.encode() + b"@pillarbox.test>"), "failing")
        for name in ("helo", "client", "sender", "recipient", "servers")
    ),
    *(
        Exchange(f"servers of {sender.decode()}", (HELLO, b"MAIL FROM:<" + sender + b">", b"RCPT TO:<address@pillarbox.test>"), "failing")
        for sender in (b"a@[192.0.2.5]", b"a@[192.0.2.6]", b"a@[192.0.3.1]", b"a@[IPv6:2001:db8::1]", b"")
    ),
    Exchange("senders that have another name", (HELLO, b"MAIL FROM:<alias@pillarbox.test>", RCPT, b"RSET", b"MAIL FROM:<no@pillarbox.test>", RCPT, b"RSET", b"MAIL FROM:<me>", RCPT), "known senders"),
    Exchange("nobody may", (HELLO, MAIL), "closed"),
    Exchange("deferrals", (*recipients(b"<me@pillarbox.test>", b"<no@pillarbox.test>", b"<x@elsewhere.test>"), b"RSET", b"MAIL FROM:<no@pillarbox.test>", RCPT, b"RSET", b"MAIL FROM:<me@pillarbox.test>", RCPT, b"VRFY me@pillarbox.test"), "lists"),
    *(
        Exchange(f"generic {name}", (HELLO, b"MAIL FROM:<" + name.encode() + b"@s.test>", RCPT, b"RCPT TO:<x@elsewhere.test>"), "generic")
        for name in ("one", "two", "three", "four", "five", "six", "seven", "eight")
    ),
    *(
        Exchange(f"{service} without a login", (HELLO, b"MAIL FROM:<mine@s.test>", RCPT, b"RSET", MAIL, RCPT, b"RSET", b"MAIL FROM:<>", RCPT), service)
        for service in ("owners", "known owners", "owners of nothing")
    ),
    Exchange("unlisted senders", (HELLO, b"MAIL FROM:<no@pillarbox.test>", RCPT, b"RSET", b"MAIL FROM:<me@pillarbox.test>", b"RCPT TO:<no@pillarbox.test>"), "unlisted"),
    *(
        Exchange(f"a message with {text[:40]!r}", (*BEGIN, b"DATA", text + b"\r\n."))
        for text in (
            b"Subject: reject\r\n\r\nx", b"Subject: text\r\n\r\nx", b"Subject: status\r\n\r\nx", b"Subject: later\r\n\r\nx",
            b"Subject: hold\r\n\r\nx", b"Subject: discard\r\n\r\nx", b"Subject: warn\r\n\r\nx", b"Subject: info\r\n\r\nx",
            b"Subject: ignore\r\n\r\nx", b"Subject: prepend\r\n\r\nx", b"Subject: replace\r\n\r\nx", b"Subject: redirect\r\n\r\nx",
            b"Subject: bcc\r\n\r\nx", b"SUBJECT: REJECT\r\n\r\nx", b"Subject : reject\r\n\r\nx", b"Subject: two\r\n lines\r\n\r\nx",
            b"X: y\r\n\r\nSubject: reject\r\n", b"Subject: reject", b"no header\r\nSubject: reject", b"bad body", b"X: y\r\n\r\nbad body",
            b"X: y\r\n\r\nBAD BODY", b"X: y\r\n\r\nwarn body\r\nwarn body", b"X: y\r\n\r\nnot a bad body", b"bad body\r\n\r\nx",
            b"Content-Type: application/x; name=x.exe\r\n\r\nx",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/x;\r\n\tname=x.exe\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\nContent-Type: x; name=exe\r\n--b\r\n\r\nContent-Type: x; name=exe\r\n--b--",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\nContent-Type: x; name=exe\r\n",
            b"Content-Type: message/rfc822\r\n\r\nX-Nested: bad\r\n\r\nx",
            b"Content-Type: message/rfc822\r\n\r\nX: y\r\n\r\nX-Nested: bad",
            b"Content-Type: message/rfc822\r\n\r\nSubject: reject\r\n\r\nx",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-Nested: bad\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbad body\r\n--b--",
            b"Content-Type: multipart / mixed (x) ;\r\n\tboundary = b\r\n\r\n--b\r\nContent-Type: x; name=exe\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/mixed; x=\"boundary=a\"; boundary=b=c\r\n\r\n--b\r\nContent-Type: x; name=exe\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\nContent-Type: x; name=exe\r\n\r\nx\r\n--a--",
            b"Content-Type: multipart/mixed; boundary=b\r\nContent-Type: text/plain\r\n\r\n--b\r\nContent-Type: x; name=exe\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart; boundary=\"b\r\n\r\n--b\r\nContent-Type: x; name=exe\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nX-Nested: bad\r\n\r\nx\r\n--b--",
            b"Content-Type: message/global\r\n\r\nX-Nested: bad\r\n\r\nx",
            b"Content-Type: message/rfc822\r\nno field\r\nX-Nested: bad\r\n\r\nx",
            b"A: b\r\n\r\n" + b"x" * 2048 + b"bad body",
            b"A: b\r\n\r\n" + b"x" * 2047 + b"bad body",
            b"A: b\r\n\r\n" + b"x" * 8192 + b"bad body\r\n",
            b"Subject: text gr\xfc\xdfe\r\n\r\nx", b"X: y\r\n\r\nbad\rbody\r\n", b">From x y\r\nSubject: reject\r\n\r\nx", b"X: y\r\n\r\nno \xff bad body\r\nwarn body",
        )
    ),
    *(
        Exchange(f"MIME that is not in order: {text[:60]!r}", (*BEGIN, b"DATA", text + b"\r\n."), "strict MIME")
        for text in (
            b"Subject: gr\xc3\xbcn\r\n\r\nx", b"A: b\r\n\r\ngr\xc3\xbcn\r\ngr\xc3\xbcn", b"Subject: gr\xc3\xbcn\r\n\r\ngr\xc3\xbcn",
            b"Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbcn", b"Content-Transfer-Encoding: base64\r\n\r\ngr\xc3\xbcn",
            b"Content-Transfer-Encoding: x\r\n\r\ngr\xc3\xbcn",
            b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbcn\r\n--b\r\n\r\nx\r\n--b--",
            b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nx\r\n--b--",
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nA: b\r\n\r\nx",
            b"Content-Type: message/partial\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: b\r\n\r\nx",
            b"Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nA: b\r\n\r\nx",
            b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(120)),
            b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(101)),
            b"Subject: reject\r\nX: gr\xc3\xbcn\r\n\r\nx",
        )
    ),
    Exchange("XCLIENT", (HELLO, b"XCLIENT", b"XCLIENT FOO", b"XCLIENT FOO=x", b"XCLIENT ADDR=x", b"XCLIENT NAME=-x", b"XCLIENT PORT=x", b"XCLIENT PROTO=FOO",
        b"XCLIENT NAME=+ZZ", MAIL, b"XCLIENT NAME=x"), "proxy"),
    Exchange("another client", (b"XCLIENT ADDR=192.0.2.9 NAME=good.test", b"EHLO x", MAIL, RCPT, b"RSET", b"XCLIENT ADDR=127.0.0.1"), "proxy"),
    Exchange("another address", (HELLO, b"XCLIENT ADDR=192.0.2.9", HELLO, MAIL, b"RCPT TO:<x@elsewhere.test>"), "proxy"),
    Exchange("another name", (HELLO, b"XCLIENT NAME=bad.test", b"EHLO x", MAIL, RCPT), "proxy"),
    Exchange("another login", (HELLO, b"XCLIENT NAME=good.test HELO=a.b PROTO=ESMTP LOGIN=me", MAIL, b"RCPT TO:<x@elsewhere.test>"), "proxy"),
    Exchange("a client by IPv6", (HELLO, b"XCLIENT ADDR=IPv6:2001:db8::1 NAME=[UNAVAILABLE]", HELLO, MAIL, b"RCPT TO:<x@elsewhere.test>"), "proxy"),
    Exchange("one of mynetworks", (HELLO, b"XCLIENT ADDR=127.0.0.2 NAME=[TEMPUNAVAIL] REVERSE_NAME=x.test", HELLO, MAIL, b"RCPT TO:<x@elsewhere.test>"), "proxy"),
    Exchange("attributes of no value", (HELLO, b"XCLIENT HELO=", b"XCLIENT PROTO=[UNAVAILABLE]", b"XCLIENT ADDR=[TEMPUNAVAIL]", b"XCLIENT ADDR=2001:db8::1",
        b"XFORWARD NAME=[TEMPUNAVAIL]", b"XFORWARD HELO=" + b"a" * 256, b"XFORWARD PROTO=LMTP IDENT=[UNAVAILABLE]"), "proxy"),
    Exchange("a client of no address", (HELLO, b"XCLIENT ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]", HELLO, MAIL, b"RCPT TO:<x@elsewhere.test>"), "proxy"),
    Exchange("XFORWARD", (HELLO, b"XFORWARD", b"XFORWARD FOO", b"XFORWARD FOO=x", b"XFORWARD ADDR=192.0.2.9 NAME=good.test HELO=x SOURCE=REMOTE", b"XFORWARD SOURCE=FOO",
        b"XFORWARD IDENT=x PROTO=ESMTP PORT=25", MAIL, b"XFORWARD NAME=x", b"RCPT TO:<me@pillarbox.test>", b"DATA", b"Subject: warn\r\n\r\nx\r\n."), "proxy"),
    Exchange("too much mail", (HELLO, MAIL, b"RSET", MAIL, b"RSET", MAIL, b"RSET", MAIL), "mail rate"),
    Exchange("too many recipients at a time", (*recipients(b"<me@pillarbox.test>", b"<no@pillarbox.test>", b"<me@pillarbox.test>"), b"VRFY me@pillarbox.test", b"VRFY"), "recipient rate"),
    Exchange("VRFY outside ASCII", (HELLO, b"VRFY \xc3\xbc@pillarbox.test", b"VRFY \xc3\xbc@pillarbox.test SMTPUTF8", b"VRFY SMTPUTF8", b"VRFY me@pillarbox.test SMTPUTF8", b"VRFY me@\xc3\xbc.test"), "strict UTF-8"),
    Exchange("VRFY without SMTPUTF8", (HELLO, b"VRFY", b"VRFY SMTPUTF8"), "discarding"),
    Exchange("VRFY and tables that fail", (HELLO, b"VRFY recipient@pillarbox.test", b"VRFY client@pillarbox.test", b"VRFY me@pillarbox.test"), "failing"),
    Exchange("too many logins", (HELLO, PLAIN, PLAIN, PLAIN), "auth rate"),
    Exchange("a connection", (HELLO,), "connection rate"),
    Exchange("a connection too many", (HELLO,), "connection rate"),
    Exchange("mechanisms that are left", (HELLO, b"AUTH LOGIN", b"*", b"AUTH PLAIN", b"*"), "mechanisms"),
    Exchange("TLS is a must by its old name", (HELLO, MAIL), "enforce"),
    Exchange("soft bounces", (b"FOO", HELLO, b"MAIL FOO", MAIL, b"RCPT TO:<no@pillarbox.test>", b"RCPT TO:<x@elsewhere.test>", b"DATA", RCPT, b"DATA", (b"x" * 98 + b"\r\n") * 300 + b".", b"HELO", b"VRFY no@pillarbox.test"), "soft"),
    Exchange("names that are refused", (b"HELO x", b"HELO x.", b"HELO [127.0.0.1]", b"HELO [x]", b"HELO 127.0.0.1", b"HELO a_b.c", b"HELO -a.b", b"HELO a..b", b"EHLO a.b", b"HELO .a.b", b"HELO a!b.c", b"HELO " + b"a" * 70 + b".test", b"MAIL FROM:<a@b>"), "helo"),
    Exchange("names that are refused at RCPT", (b"HELO x", MAIL, RCPT, b"HELO a!b.c", MAIL, RCPT, b"HELO a.b", MAIL, RCPT), "fqdn"),
    Exchange("not fully qualified", (b"HELO a.b", b"MAIL FROM:<a@b>", RCPT, b"RSET", b"MAIL FROM:<a>", RCPT, b"RSET", b"MAIL FROM:<>", RCPT, b"RSET", MAIL, b"RCPT TO:<me@pillarbox>", b"RCPT TO:<me>", b"RCPT TO:<postmaster>", b"RCPT TO:<x@[1.2.3.4]>", b"RCPT TO:<x@elsewhere.test>"), "fqdn"),
]  # fmt: skip
