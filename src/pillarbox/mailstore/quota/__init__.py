"""How much a user may store: quotas.py asks and counts, maildirsize.py remembers."""
