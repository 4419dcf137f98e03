"""Sizes of memory, as people write and read them."""

import pytest

from resflops.errors import UsageError
from resflops.peak_memory.sizes import format_size, read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24G", 24 * 2**30),
        ("24g", 24 * 2**30),
        ("24GiB", 24 * 2**30),
        ("24gib", 24 * 2**30),
        ("24Gi", 24 * 2**30),
        ("24GB", 24 * 10**9),
        ("24 GB", 24 * 10**9),
        ("24gb", 24 * 10**9),
        ("512M", 2**29),
        ("1.5K", 1536),
        ("0.1GB", 10**8),
        ("0.3GiB", 322_122_547),
        ("1,000,000", 10**6),
        ("1_024 B", 1024),
        ("2T", 2**41),
        (4096, 4096),
    ],
)
def test_a_size_is_read_to_the_byte(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "a limit must be a size such as 24G, 24GiB, 24GB or 512M, got ''"),
        ("much", "such as 24G, 24GiB, 24GB or 512M, got 'much'"),
        ("-1G", "got '-1G'"),
        (-1, "got -1"),
        (True, "got True"),
        (None, "got None"),
        (1.5, "got 1.5"),
        ("٢G", "got '٢G'"),
        ("9" * 40, "such as 24G"),
        ("24Gb/s", "such as 24G"),
        ("24Q", "a limit has an unknown unit 'Q' in '24Q'; the units are KB, MB, GB and TB, of 1000"),
        ("0", "a limit must be at least 1 byte, got '0'"),
        (0, "at least 1 byte"),
        ("0.4", "at least 1 byte"),
        ("9999999P", "a limit is more memory than any machine has: '9999999P'"),
    ],
)
def test_what_is_not_a_size_gets_one_message(value, words):
    with pytest.raises(UsageError) as caught:
        read_size(value)
    assert words in str(caught.value)


def test_a_message_says_what_the_size_is_of():
    with pytest.raises(UsageError, match=r"^--fits must be a size such as 24G"):
        read_size("big", what="--fits")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 KB (0.98 KiB)"),
        (1023, "1.02 KB (1.00 KiB)"),
        (9_996, "10.0 KB (9.76 KiB)"),
        (99_951, "100 KB (97.6 KiB)"),
        (999_499, "999 KB (976 KiB)"),
        (999_500, "1.00 MB (976 KiB)"),
        (2**20, "1.05 MB (1.00 MiB)"),
        (24 * 2**30, "25.8 GB (24.0 GiB)"),
        (-512, "−512 B"),
        (10**18, "1000 PB (888 PiB)"),
    ],
)
def test_a_size_is_written_in_both_units(size, text):
    assert format_size(size) == text


def test_a_difference_bears_its_sign():
    assert format_size(1_500_000, signed=True) == "+1.50 MB (1.43 MiB)"
    assert format_size(0, signed=True) == "0 B"
