"""The store without files, for tests: the same promises (tests/mailstore/test_contract.py)."""
