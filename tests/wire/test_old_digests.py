"""MD4, and HMAC-MD5 that goes on from its contexts."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.vocabulary.old_digests import hmac_md5, hmac_md5_contexts, md4

RFC_1320 = [
    (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
    (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
    (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
    (b"message digest", "d9130a8164549fe818874806e1c7014b"),
    (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
]


@pytest.mark.parametrize(("content", "digest"), RFC_1320)
def test_md4_of_the_rfc(content: bytes, digest: str) -> None:
    """RFC 1320 A.5"""
    assert digest == md4(content).hex()


@given(st.binary(max_size=150), st.binary(max_size=200))
def test_contexts_are_as_good_as_the_key(key: bytes, message: bytes) -> None:
    """For keys and messages of any length."""
    assert hmac_md5(hmac_md5_contexts(key), message) == hmac.digest(key, message, "md5")
