"""Where a stream of DEFLATE stands, and that another inflater can stand there too."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.deflate import RAW, WINDOW, inflater_at, missing_bits

FLUSHES = (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH)
STRATEGIES = (
    zlib.Z_DEFAULT_STRATEGY,
    zlib.Z_FILTERED,
    zlib.Z_HUFFMAN_ONLY,
    zlib.Z_RLE,
    zlib.Z_FIXED,
)
texts = st.binary(min_size=1, max_size=200) | st.binary(min_size=1, max_size=9).map(lambda text: text * 5000)


@given(
    st.integers(0, 9),
    st.sampled_from(STRATEGIES),
    st.lists(st.tuples(texts, st.sampled_from(FLUSHES)), min_size=1, max_size=8),
)
def test_after_each_flush_another_one_goes_on(
    level: int, strategy: int, said: list[tuple[bytes, int]]
) -> None:
    """However zlib is told to work, and however far it looks back."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, RAW, strategy=strategy)
    inflate, window = zlib.decompressobj(RAW), b""
    for text, flush in said:
        assert inflate.decompress(deflate.compress(text) + deflate.flush(flush)) == text
        window = (window + text)[-WINDOW:]
        missing = missing_bits(inflate, window[-1:])
        assert missing is not None
        inflate = inflater_at(window, missing)
        assert missing_bits(inflate, window[-1:]) == missing


def test_any_number_of_bits_may_be_missing() -> None:
    """A stream of partial flushes comes by all of them."""
    deflate, inflate, seen = (
        zlib.compressobj(9, zlib.DEFLATED, RAW),
        zlib.decompressobj(RAW),
        set[int | None](),
    )
    for number in range(200):
        text = b"%d" % number**3
        assert inflate.decompress(deflate.compress(text) + deflate.flush(zlib.Z_PARTIAL_FLUSH)) == text
        seen.add(missing_bits(inflate, text[-1:]))
    assert seen == set(range(8))


def test_the_beginning() -> None:
    """Nothing has been said."""
    assert missing_bits(zlib.decompressobj(RAW), b"") == 0


@pytest.mark.parametrize("level", [0, 1, 9])
def test_in_the_midst_of_a_block_nobody_can_go_on_but_where_it_makes_no_difference(level: int) -> None:
    """Wherever the stream is cut: what is said to be a standing can be gone on from."""
    text = bytes(range(256)) + b"a NOOP\r\n" * 9
    deflate = zlib.compressobj(level, zlib.DEFLATED, RAW)
    data = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
    nowhere = 0
    for cut in range(len(data)):
        inflate = zlib.decompressobj(RAW)
        begin = inflate.decompress(data[:cut])
        missing = missing_bits(inflate, begin[-1:])
        if missing is None:
            nowhere += 1
        else:
            assert begin + inflater_at(begin, missing).decompress(data[cut:]) == text
    assert nowhere > len(data) // 2


def test_the_end_is_no_standing() -> None:
    """Nothing follows a last block."""
    deflate, inflate = zlib.compressobj(9, zlib.DEFLATED, RAW), zlib.decompressobj(RAW)
    assert inflate.decompress(deflate.compress(b"x") + deflate.flush()) == b"x"
    assert missing_bits(inflate, b"x") is None
