"""main.cf and master.cf for both products: entries of several texts, and every service that delivers."""

import re
from typing import Final

SERVICES: Final = """\
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsproxy  unix  -       -       n       -       0       tlsproxy
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
showq     unix  n       -       n       -       -       showq
postlog   unix-dgram n  -       n       -       1       postlogd
"""
"""Everything but smtpd."""

MASTER_CF: Final = f"""\
smtp      inet  n       -       n       -       -       smtpd
{SERVICES}"""


def merged(*texts: str) -> str:
    """One entry for each name: postlogd(8) would choke on its own warnings of entries that override others."""
    entries = [entry for text in texts for entry in re.split(r"(?m)^(?=\S)", text) if entry]
    return "".join({entry.partition("=")[0].strip(): entry for entry in entries}.values())
