"""What verifying certificates needs is there before the SMTP client drops its rights."""

import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fakes.certificates import issue

PROGRAM = """\
import sys
from pillarbox.delivery.smtp import certificates
chain = [open(path, "rb").read() for path in sys.argv[1:]]
before = set(sys.modules)
certificates.verify(chain, chain[-1], ["mx.example"])
certificates.public_key(chain[0]), certificates.alternative_names(chain[0]), certificates.common_names(chain[0])
print(*set(sys.modules) - before)
"""


def test_nothing_is_loaded_late(tmp_path: Path) -> None:
    """A program that its user may not read any more would take every issuer for untrusted."""
    pairs = [
        issue(tmp_path, "authority", is_authority=True),
        issue(tmp_path, "server", signer="authority", names=["mx.example"]),
    ]
    files = []
    for pair in reversed(pairs):
        file = pair.with_suffix(".der")
        file.write_bytes(x509.load_pem_x509_certificate(pair.read_bytes()).public_bytes(Encoding.DER))
        files.append(str(file))
    done = subprocess.run([sys.executable, "-c", PROGRAM, *files], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
