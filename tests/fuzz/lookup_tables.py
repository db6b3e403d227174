"""Text of tables: cidr, regexp, pcre, inline, postmap's and postalias's sources.

Repetitions `{n}` and references `\\1` are kept from regexp: the C library takes any time and memory for them, and
only the admin writes patterns.

Any text is a table with warnings, or a ConfigurationFault; any key has an answer, none, or a LookupFault.  The
first line is the key.
"""

from fakes.crash_file_system import CrashFileSystem
from pillarbox.tables.alias_source import alias_entries
from pillarbox.tables.map_source import map_entries
from pillarbox.tables.opening import open_with
from pillarbox.tables.table import LookupFault, Opening
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

SEEDS = [
    b"abc\n/a(b)/i x$1\nif !/z/\n!/q/ y\nendif\n/a/!/b/ two\n",
    b"192.0.2.1\n192.0.2.0/24 a\n!10.0.0.0/8 b\nif ::/0\n[::1]/128 x\nendif\n",
    b'key\nkey value\n"a b" c\n  more\n# x\nlist: a, "|cmd", :include:/x (c) \\y [z]\n',
    b"a\na=b, {c = d e}\n",
]
DICTIONARY = [
    b"if ",
    b"endif",
    b"${1}",
    b"$(1)",
    b"[:alpha:]",
    b"(?:",
    b"{",
    b"}",
    b":include:",
    b"/128",
    b"\\",
    b"!/",
]
KINDS = ("cidr", "regexp", "pcre", "texthash")


def fuzz_one(data: bytes) -> None:
    """The same text as every kind of table."""
    key, _, text = data[:600].decode("utf-8", "surrogateescape").partition("\n")
    files = CrashFileSystem()
    files.make_directories("/t")
    files.make_file("/t/f", text.encode("utf-8", "surrogateescape"))
    for utf8 in (True, False):
        opening = Opening(where="", clock=ManualClock(), utf8=utf8, file_system=files)
        harmless = "{" not in text and "\\" not in text
        kinds = [kind for kind in KINDS if kind != "regexp" or harmless]
        for name in (*(f"{kind}:/t/f" for kind in kinds), f"inline:{{{text}}}", f"pcre:{{{text}}}"):
            try:
                open_with(name, opening).query(key)
            except (ConfigurationFault, LookupFault):
                continue
        for entries in (map_entries, alias_entries):
            for number, name, value in entries(text, path="f", opening=opening):
                assert number > 0
                assert isinstance(name, str)
                assert value or entries is alias_entries
