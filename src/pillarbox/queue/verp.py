"""VERP: an envelope sender of its own for each recipient, so that a bounce tells whose it is.

DESCRIPTION
    `list@example.org` that sends to `user@example.com` becomes `list+user=example.com@example.org`.

STANDARDS
    VERP_README; D. J. Bernstein, Variable Envelope Return Paths
"""


def verp_sender(sender: bytes, delimiters: bytes, recipient: bytes) -> bytes:
    """The sender for a recipient, all in internal form; `delimiters` are two characters, such as `+=`."""
    local, at, domain = sender.rpartition(b"@")
    if not at:
        local, domain = sender, b""
    if not domain:
        at = b""
    user, _, host = recipient.rpartition(b"@")
    if not user:
        user, host = recipient, b""
    marked = local + delimiters[:1] + user
    if host:
        marked += delimiters[1:2] + host
    return marked + at + domain
