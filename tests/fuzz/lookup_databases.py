"""hash, btree and LMDB files: any octets are answered from, or are DamagedDatabase, and come to an end.

The first octet says which reader; the rest is the file.  What is found takes no more room than the file has.
"""

from fakes.database_files import FEW
from pillarbox.tables.indexed_table import INDEX_KINDS
from pillarbox.tables.page_reading import DamagedDatabase, FileInMemory

KINDS = sorted(INDEX_KINDS)
SEEDS = [bytes([KINDS.index(kind)]) + content[:8192] for kind, content in FEW.items()]
DICTIONARY = [b"\x61\x15\x06\x00", b"\x62\x31\x05\x00", b"\xde\xc0\xef\xbe", b"\x0d\x00", b"\x05\x00", b"a\0"]


def fuzz_one(data: bytes) -> None:
    """Ask, and list."""
    content = data[1:]
    try:
        reader = INDEX_KINDS[KINDS[data[0] % len(KINDS) if data else 0]].reader(FileInMemory(content))
        reader.get(b"a\0")
        assert sum(len(key) + len(value) for key, value in reader.items()) <= len(content)
    except DamagedDatabase:
        pass
