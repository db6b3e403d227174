"""verify(8): whether addresses exist, by probes; service.py answers, cache.py remembers."""
