"""The DNS as we ask it: records.py says what a Resolver promises, stub_resolver.py is the one that asks servers."""
