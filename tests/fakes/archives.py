"""Mail from Debian packages that scripts/fetch-archives has unpacked: mbox archives of lists, broken messages.

python3-django-hyperkitty           mbox files: lists as Mailman 2 archived them, wrong charsets and dates
golang-github-jhillyerd-enmime-dev  single messages: MIME as clients made it, and damaged
"""

import mailbox
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ARCHIVES: Final = Path(__file__).parents[2] / ".archives"
PACKAGES: Final = {
    "hyperkitty": "python3-django-hyperkitty",
    "enmime": "golang-github-jhillyerd-enmime-dev",
}


def version(name: str) -> str:
    """The package's version; "" if it is not there."""
    path = ARCHIVES / PACKAGES[name] / "version"
    return path.read_text().strip() if path.exists() else ""


def archived_messages() -> list[bytes]:
    """All of them with CRLF line ends, and nothing else changed."""
    return [_with_crlf(content) for content in (*_from_mbox_files(), *_single_messages())]


def _from_mbox_files() -> Iterator[bytes]:
    for path in sorted((ARCHIVES / PACKAGES["hyperkitty"]).rglob("tests/testdata/*.txt")):
        if not path.read_bytes().startswith(b"From "):
            yield path.read_bytes()
            continue
        archive = mailbox.mbox(path, create=False)
        try:
            for key in archive.keys():
                yield archive.get_bytes(key)
        finally:
            archive.close()


def _single_messages() -> Iterator[bytes]:
    for path in sorted((ARCHIVES / PACKAGES["enmime"]).rglob("testdata/**/*.raw")):
        yield path.read_bytes()


def _with_crlf(content: bytes) -> bytes:
    text = content.replace(b"\r\n", b"\n").rstrip(b"\n")
    return text.replace(b"\n", b"\r\n") + b"\r\n"
