"""maildirsize and the rules of quotas: any octets have a meaning, or are counted anew or refused."""

from fakes.crash_file_system import CrashFileSystem
from pillarbox.config.quota_settings import QuotaFault, quota_settings
from pillarbox.mailstore.quota.maildirsize import MAX_SIZE, MaildirSize, Usage, parse

SEEDS = [
    b"104857600S,1000C\n0 0\n60 1\n120 2\n-60 -1\n",
    b"0S\n",
    b"5C\n1 1\n-2 -2\n",
    b"*:storage=1G:messages=5",
    b"Trash:storage=+10%",
    b"-storage=95% quota-warning 95 me",
]
DICTIONARY = [
    b"S",
    b"C",
    b",",
    b" 1\n",
    b"-1",
    b"storage=",
    b"bytes=",
    b"messages=",
    b":ignore",
    b"*:",
    b"%",
    b"+",
]


def fuzz_one(data: bytes) -> None:
    """The same octets as the file, as a rule, as a warning and as a root."""
    found = parse(data)
    if found.usage is not None:
        assert found.usage.octets >= 0
        assert found.usage.messages >= 0
        assert len(data) < MAX_SIZE
    files = CrashFileSystem()
    files.make_directories("/m")
    files.make_file("/m/maildirsize", data)
    file = MaildirSize(b"/m", files)
    file.read(0.0, None)
    file.append(Usage(5, 1))
    file.write(Usage(10, 2), Usage(7, 1), temporary=b"x")
    again = file.read(0.0, Usage(10, 2))
    assert again is not None
    assert again.usage == Usage(7, 1)
    text = data.decode("latin-1")
    for values in (
        {"quota": "count:U", "quota_rule": text},
        {"quota": "count:U", "quota_warning": text, "quota_grace": text},
        {"quota": text, "quota_rule": text},
    ):
        try:
            quota_settings(values)
        except QuotaFault:
            continue
