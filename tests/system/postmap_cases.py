"""The cases of test_postmap_peer.py: files, command lines and standard input of each."""

from typing import Final

INDEXED = ("hash", "btree", "lmdb")

DIFFERENCES: Final[dict[str, str]] = {
    "hash that is no database": "the original lets its library print BDB0178 again and again",
    "btree that is no database": "the original lets its library print BDB0178 again and again",
    **dict.fromkeys(
        [f"{kind} of a directory" for kind in INDEXED], "the original makes a database of nothing beside it"
    ),
    "lmdb and an empty key": "the original lets its library call the question wrong",
    "lmdb of a long key, and what is there then": "the original leaves half of a database",
    "postmap -q a pipemap:{inline:{a=b},{inline:{b=c}}}": "the original takes no table in braces of its own",
    "lmdb not there": "to delete from it, the original makes an empty one without a word",
}
"""Case → why the answers differ.  Machine-read: a case that is listed and does not differ fails."""

MAP: Final = """\
# comment
a b
A c
"q k" v
"unb v
key: v
nov
\tcont
É x
esc\\ k v
k2 \t v w\x20\x20
# c
   x y
a d
me@example.com\tyou@example.com, other@example.net
@example.com any
only

  # comment again
\tand more
last value
"""
ALIASES: Final = """\
root: me
Root: you
list: a,b , c@d.e,
   f <g@h>
cmd: "|/usr/bin/x -f a:b, c"
bare: |/bin/x y
inc: :include:/a/b
file: /var/x y
"quoted name": z
"a@b": q
x@y: z
p%y: z
nocolon z
: empty
novalue:
a,b: c
esc: \\me
"": e
esc\\ aped: "va\\"lue"
com(ment)ment: a (comment (nested)) b
dq: ""
ut: é
dom: [1.2.3.4]
sp ace: z
trail: a;
ang: <a@b>, "c d"@e
two: a: b
# comment
   cont: z
end: x\\
"""
RULES: Final = r"""
/^a$/ exact
/^b(c*)(d)?$/ one=$1 two=${2} three=$(1) $$
!/^[a-y]/ not a letter
/(abc/ x
/(y)/ $1 $(2)
/(y)/ ${y}
/(y)/ $
/(y)/ ${1
/(y)/ ${0}
/y/X foo
/y
/q/k z
!/y(.)/ $1
if /^z/
/zz/ two
/^z(.*)/i Z=$1
endif
endif
if !/x/
/nox/ no x here
endif extra
if /w/ extra
/ww/ both
endif
word
/empty/
|^pipe|alter| slash
,comma, comma
/multi
  line/ multi line text
/A.C/ any
/\// slash
if /v/
/vv/ open end
"""
PATTERN_KEYS: Final = (
    "a A b bcc bccd zz zabc zABC 1 nox xx ww w empty pipe alter /comma , multi__line a.c a/c vv v y zzz é ABC "
    "no-match".split()
)
CIDR: Final = """\
192.0.2.1 one
192.0.2.0/24 net
192.0.2.5/24 bad
10.0.0.0/8
1.2.3 x
::1 six
2001:db8::/32 doc
[2001:db9::]/32 bracket
[2001:dba::/32] inside
[2001:dbb:: x
[2001:dbc::]y z
!198.51.100.0/24 not hundred
if 127.0.0.0/8
127.0.0.1 local
!127.0.0.2 not two
endif
endif
if ::/0
fe80::/10 link
300.1.1.1 x
1.2.3.0/33 y
1.2.3.0/x y
endif foo
"""
ADDRESSES: Final = (
    "192.0.2.1 192.0.2.77 198.51.100.7 198.51.101.7 127.0.0.1 127.0.0.2 127.0.0.3 ::1 2001:db8::5 2001:db9::1 "
    "2001:dba::1 fe80::1 foo 1.2.3 300.1.1.1 ::ffff:192.0.2.1 2001:DB8::A".split()
)
MESSAGE: Final = """\
Subject: one
\tfolded
Content-Type: multipart/mixed; boundary="bb"
From: a@b

preamble
--bb
Content-Type: text/plain
X-Part: 1

body line
--bb
Content-Type: message/rfc822

Subject: inner
X-Inner: y

inner body
--bb--
epilogue
"""
ODD_BOUNDARIES: Final = """\
Content-Type: (a \\) b) MultiPart / (c) mixed junk; x="y;boundary=no"; boundary(d) = "a\\b
 c" junk

--ab c trailing
Content-Type: message/rfc822; x

Content-Type: multipart/other; boundary = plain ; boundary=second
X-Nested: 1

--plain
A: 1
junk
B: 2
--second
C: 3

text
--none
D: 4
--second--
E: 5

--ab c
F: 6

--ab c--
G: 7
"""
EMPTY_LINES: Final = """\
Content-Type: multipart/mixed; boundary=bb

before
--bb

body

--bb
A: x
no header
--bb
Content-Type: message/rfc822

X: y

inner
--bb--
after
"""
KEYS: Final = (
    'a\nA\n"q k"\nkey:\nnov\né\nesc\\ k\nk2\nme@example.com\nME@Example.com\n@example.com\nonly\nlast\nnope\n'
)


def words(text: str) -> list[list[str]]:
    """Command lines; `''` is an empty word."""
    return [["" if word == "''" else word for word in line.split()] for line in text.strip().split("\n")]


Case = tuple[str, dict[str, str], str, str]
Result = tuple[list[str], int, str, str]
"""Command line, exit status, standard output, standard error."""
CASES: list[Case] = []
"""Name, files, command lines, standard input of each."""


def case(name: str, commands: str, *, stdin: str = "", **files: str) -> None:
    CASES.append((name, files, commands, stdin))


for kind in INDEXED:
    case(
        f"{kind} with odd octets",
        f"postmap {kind}:a\npostmap -s {kind}:a",
        a="nul\0key 1\nkey nul\0value\n\x1b[1m\n",
    )
    case(f"{kind} of aliases with odd octets", f"postalias {kind}:a\npostalias -q a {kind}:a", a="a: b\0c\n")
    case(f"{kind} of files that are none", f"postmap -F {kind}:a", a="a .\nb /nonexistent\n")
    case(f"{kind} and an empty key", f"postmap {kind}:a\npostmap -q '' {kind}:a", a="a 1\n")
    case(
        f"{kind} and an empty key to delete",
        f"postmap {kind}:a\npostmap -d - {kind}:a\npostmap -s {kind}:a",
        a="a 1\nb 2\nc 3\n",
        stdin="a\n\nb\n",
    )
    case(f"{kind} of a directory", f"postmap {kind}:.")
    case(f"{kind} of a long key", f"postmap {kind}:a", a=f"{'a' * 600} v\n")
    case(
        f"{kind} of a long key, and what is there then",
        f"postmap {kind}:a\npostmap -q b {kind}:a",
        a=f"b 1\n{'a' * 600} v\n",
    )
    case(f"{kind} built and listed", f"postmap {kind}:a\npostmap -s {kind}:a", a=MAP)
    case(f"{kind} asked", f"postmap {kind}:a\npostmap -q - {kind}:a", a=MAP, stdin=KEYS)
    case(f"{kind} of nothing", f"postmap {kind}:a\npostmap -s {kind}:a\npostmap -q x {kind}:a", a="")
    case(
        f"{kind} without folding",
        f"postmap -f {kind}:a\npostmap -s {kind}:a\npostmap -q A {kind}:a\npostmap -f -q A {kind}:a",
        a=MAP,
    )
    case(f"{kind} with replacing", f"postmap -r {kind}:a\npostmap -q a {kind}:a", a=MAP)
    case(f"{kind} without a warning", f"postmap -w {kind}:a\npostmap -q a {kind}:a", a=MAP)
    case(
        f"{kind} without NULs",
        f"postmap -n {kind}:a\npostmap -q a {kind}:a\npostmap -N -q a {kind}:a\npostmap -n -q a {kind}:a",
        a=MAP,
    )
    case(
        f"{kind} with NULs", f"postmap -N {kind}:a\npostmap -N -q a {kind}:a\npostmap -n -q a {kind}:a", a=MAP
    )
    case(
        f"{kind} entries added",
        f"postmap {kind}:a\npostmap -i {kind}:a\npostmap -s {kind}:a",
        a="x y\na b\n",
        stdin="a new\nz z\n",
    )
    case(
        f"{kind} entries added and replaced",
        f"postmap {kind}:a\npostmap -ir {kind}:a\npostmap -s {kind}:a",
        a="x y\na b\n",
        stdin="A new\nz z\n",
    )
    case(f"{kind} added to nothing", f"postmap -i {kind}:a\npostmap -s {kind}:a", stdin="a new\nz z\nbad\n")
    case(
        f"{kind} key deleted",
        f"postmap {kind}:a\npostmap -d A {kind}:a\npostmap -d A {kind}:a\npostmap -s {kind}:a",
        a=MAP,
    )
    case(
        f"{kind} keys deleted",
        f"postmap {kind}:a\npostmap -d - {kind}:a\npostmap -s {kind}:a",
        a=MAP,
        stdin=KEYS[:20],
    )
    case(
        f"{kind} not there",
        f"postmap -q a {kind}:a\npostmap -s {kind}:a\npostmap -d a {kind}:a\npostmap {kind}:a",
    )
    case(
        f"{kind} of files",
        f"postmap -F {kind}:a\npostmap -q both {kind}:a\npostmap -F -q both {kind}:a\npostmap -F -s {kind}:a\n"
        f"postmap {kind}:plain\npostmap -F -q x {kind}:plain\npostmap -F -s {kind}:plain\npostmap -s {kind}:plain\n"
        f"postmap -F -i {kind}:a\npostmap -F -q more {kind}:a\npostmap -F -d more {kind}:a",
        a="both one, two\none\n  one\nlost one nofile\nnone ,\nTWO two\n",
        plain="x y\n",
        one="1\n",
        two="2",
        stdin="more two\n",
    )
    case(
        f"{kind} of aliases",
        f"postalias {kind}:a\npostalias -q - {kind}:a\npostalias -q root {kind}:a\npostmap -q root {kind}:a",
        a=ALIASES,
        stdin="root\nQUOTED name\nlist\nesc aped\n@\nnope\n",
    )
    case(
        f"{kind} alias added",
        f"postalias {kind}:a\npostalias -i {kind}:a\npostalias -q - {kind}:a",
        a="root: a\n",
        stdin="new: b\nroot: c\n",
    )
    case(
        f"{kind} alias deleted",
        f"postalias {kind}:a\npostalias -d root {kind}:a\npostalias -d root {kind}:a\npostalias -q root {kind}:a",
        a="root: a\n",
    )
    case(
        f"{kind} that is no database",
        f"postmap -q a {kind}:a",
        **{"a.db": "no database " * 50, "a.lmdb": "no database " * 50},
    )
case(
    "several tables",
    "postmap hash:a btree:b\npostmap -q x hash:a btree:b\npostmap -q y hash:a btree:b\npostmap -q - hash:a btree:b\npostmap -d x hash:a btree:b",
    a="x 1\n",
    b="x 2\ny 3\n",
    stdin="x\ny\nz\n",
)
case("no type is default_database_type", "postmap a\npostmap -q x a", a="x 1\n")
case("texthash asked", "postmap -q - texthash:a", a=MAP, stdin=KEYS)
case("texthash not there", "postmap -q a texthash:a")
case("texthash is only read", "postmap texthash:a\npostmap -d a texthash:a\npostmap -i texthash:a", a="a b\n")
for kind in ("regexp", "pcre"):
    for key in PATTERN_KEYS:
        case(f"{kind} {key}", f"postmap -q {key} {kind}:r", r=RULES)
    case(
        f"{kind} keys of standard input",
        f"postmap -q - {kind}:r",
        r=RULES,
        stdin="a\nb\nA line of several words zz\n",
    )
    case(f"{kind} not there", f"postmap -q a {kind}:r")
    case(f"{kind} is only read", f"postmap -s {kind}:r\npostmap -d x {kind}:r\npostmap {kind}:r", r="/a/ b\n")
    case(f"{kind} of header fields", f"postmap -h -q - {kind}:r", r="/./ found\n", stdin=MESSAGE)
    case(
        f"{kind} of header fields of all parts", f"postmap -hm -q - {kind}:r", r="/./ found\n", stdin=MESSAGE
    )
    case(
        f"{kind} of empty lines",
        f"postmap -q - {kind}:r\npostmap -bq - {kind}:r\npostmap -hbq - {kind}:r\npostmap -bmq - {kind}:r",
        r="/^$/ empty\n/./ full\n",
        stdin="no header\n\nA\n\n b\n",
    )
    case(
        f"{kind} of empty lines between parts",
        f"postmap -bq - {kind}:r\npostmap -hbmq - {kind}:r\npostmap -bmq - {kind}:r",
        r="/^$/ empty\n/./ full\n",
        stdin=EMPTY_LINES,
    )
    case(
        f"{kind} of a message within a message",
        f"postmap -hbmq - {kind}:r",
        r="/^$/ empty\n/./ full\n",
        stdin="Content-Type: message/rfc822\n\nno header\n\ninner\n",
    )
    case(
        f"{kind} of a message that its header does not begin",
        f"postmap -hbmq - {kind}:r",
        r="/^$/ empty\n/./ full\n",
        stdin="Content-Type: message/rfc822\nno header\nX: y\n\ninner\n",
    )
    case(
        f"{kind} of a long header field",
        f"postmap -hq - {kind}:r",
        r="/./ found\n",
        stdin="A: b\n" + f" {'x' * 1000}\n" * 110 + "C: d\n\n",
    )
    case(f"{kind} of odd boundaries", f"postmap -hm -q - {kind}:r", r="/./ found\n", stdin=ODD_BOUNDARIES)
    case(f"{kind} of body lines", f"postmap -b -q - {kind}:r", r="/./ found\n", stdin=MESSAGE)
    case(f"{kind} of body lines with MIME", f"postmap -bm -q - {kind}:r", r="/./ found\n", stdin=MESSAGE)
    case(f"{kind} of header and body", f"postmap -bhm -q - {kind}:r", r="/./ found\n", stdin=MESSAGE)
    case(
        f"{kind} of a header without a body",
        f"postmap -bh -q - {kind}:r",
        r="/./ found\n",
        stdin="Subject: a\n b\n",
    )
for kind in ("regexp", "pcre", "cidr"):
    for number, text in enumerate(("x", "{/a/ b}c", "{", "{#x} {/a/ b} {1.2.3.4 c}")):
        key = "1.2.3.4" if kind == "cidr" else "a"
        CASES.append((f"{kind} of odd braces {number}", {}, f"postmap -q {key} {kind}:{{{text}}}", ""))
case("regexp with two patterns", "postmap -q abc regexp:r\npostmap -q abd regexp:r", r="/a(.)/!/c/ $1\n")
case(
    "regexp basic syntax",
    "postmap -q a+ regexp:r\npostmap -q aab regexp:r",
    r="/^a+$/x plus\n/\\(a*\\)b/x $1\n",
)
case(
    "regexp classes",
    "postmap -q ab1 regexp:r\npostmap -q a-] regexp:r",
    r="/^([[:alpha:]]+)([[:digit:]])$/ $1 $2\n/[]-]([])])/ x$1\n",
)
case("regexp longest", "postmap -q abcd regexp:r", r="/(a|ab)(c|bcd)/ $1-$2\n")
case(
    "pcre anchors and flags",
    "postmap -q ab pcre:r\npostmap -q AB pcre:r\npostmap -q xab pcre:r",
    r="/b$/A anchored\n/a b/x extended\n/AB/i case\n/a+?(.*)/U $1\n",
)
case("pcre named group", "postmap -q ab pcre:r", r="/(?P<first>a)(b)/ $2$1\n")
for address in ADDRESSES:
    case(f"cidr {address}", f"postmap -q {address} cidr:c", c=CIDR)
case(
    "cidr if without endif",
    "postmap -q 127.0.0.1 cidr:c\npostmap -q 10.0.0.1 cidr:c",
    c="if 127.0.0.0/8\n127.0.0.1 a\n10.0.0.1 b\n",
)
case(
    "cidr negations",
    "postmap -q 10.0.0.1 cidr:c\npostmap -q 127.0.0.1 cidr:c",
    c="! ! 127.0.0.1 a\n! 10.0.0.1 b\n!\n!!\n!! c\nif !\nendif\n",
)
case("cidr not there", "postmap -q 1.2.3.4 cidr:c")
CONSTANTS = r"""
postmap -q a inline:{a=b}
postmap -q A inline:{a=b,c=d}
postmap -q c inline:{a=b,{c=d,e}}
postmap -q x inline:{a=b}
postmap -q a inline:x
postmap -q a "inline:{ }"
postmap -q a inline:{}
postmap -q a inline:{a}
postmap -q a inline:{=b}
postmap -q a inline:{{a=b}
postmap -q a inline:{a=1,a=2}
postmap -q "c d" "inline:{ {c d = y} }"
postmap -q '"c d"' 'inline:{ {"c d" = y} }'
postmap -q 'a"="' 'inline:{ {a"=" = y z} }'
postmap -q 'a\ b' 'inline:{ {a\ b = y} }'
postmap -q a 'inline:{ {"a b = y} }'
postmap -q a 'inline:{ {"a b = y"} }'
postmap -q a "inline:{ {} }"
postmap -q a "inline:{ {= b} }"
postmap -q a "inline:{ { a = b } x }"
postmap -q a static:x
postmap -q a static:{x}
postmap -q a static:{x
postmap -q a static:
postmap -q a fail:x
postmap -q a fail:
postmap -d a fail:x
postmap -s fail:x
postmap fail:x
postmap -q root unix:passwd.byname
postmap -q Root unix:passwd.byname
postmap -q nobody-like-this unix:passwd.byname
postmap -q daemon unix:group.byname
postmap -q a unix:foo
postmap -q LANG environ:x
postmap -q a pipemap:{inline:{a=b},inline:{b=c}}
postmap -q b pipemap:{inline:{a=b},inline:{b=c}}
postmap -q a pipemap:{x}
postmap -q a pipemap:{}
postmap -q a unionmap:{inline:{a=b},inline:{c=d},static:x}
postmap -q z unionmap:{inline:{a=b},inline:{c=d}}
postmap -q a unionmap:{fail:x,static:y}
postmap -q a unionmap:{}
postmap -q a pipemap:{inline:{a=b},{inline:{b=c}}}
postmap -q a randmap:{only}
postmap -q a randmap:{}
postmap -q a pcre:{{/a/x}}
postmap -q a none:x
postmap -s none:x
postmap -d a none:x
postmap none:x
postmap -s static:x
postmap -s unix:passwd.byname
postmap -d a static:x
postmap -d a unix:passwd.byname
postmap -d a inline:{a=b}
postmap -d a cidr:x
postmap static:x
postmap proxy:hash:x
postmap -s proxy:hash:x
postmap -q a :x
postmap -c main.cf hash:x
postmap -c nodir hash:x
postmap
postmap -q a
postmap -d a
postmap -s
postmap -q a -d b x
postmap -s -q a x
postmap -q a -s x
postmap -d a -d b x
postmap -Z
postmap -q
postmap -b -q a static:x
postmap -m -q - static:x
postmap -c /nonexistent -q a static:x
postalias
postalias texthash:x
postalias none:x
postalias hash:nofile
postalias -Z
"""
for line in words(CONSTANTS):
    case(" ".join(line), " ".join(line))
case(
    "files of tables that are text",
    "postmap -F -q x texthash:a\npostmap -F -q y texthash:a\npostmap -F -s texthash:a\npostmap -F -q x regexp:r\n"
    "postmap -F -q y regexp:r\npostmap -F -q x static:one\npostmap -F -q x static:nofile\n"
    "postmap -F -q x inline:{x=one}\npostmap -F -q x inline:{x=nofile}\npostmap -F -q 192.0.2.1 cidr:c",
    a="x one\ny nofile\n",
    r="/x/ one\n/y/ nofile\n",
    c="192.0.2.0/24 one\n",
    one="1\n",
)
case("inline listed", "postmap -s inline:{a=b}")
case("pcre of main.cf", "postmap -q abc pcre:r", r="if /a/\n/b(.)/ $1\nendif\n")
