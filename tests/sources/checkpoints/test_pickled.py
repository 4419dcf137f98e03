"""A pickle is read without anything in it being run."""

import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path

import pytest

from resflops.sources.checkpoints.pickled import Made, NotRead, Reference, read_pickles


def read(value, protocol):
    return next(read_pickles(pickle.dumps(value, protocol)))


class Touches:
    """Makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
SHARED = [1, 2]
PLAIN = {
    "numbers": [0, -3, 1 << 70, 2.5, True, False, None],
    "texts": ["", "a\nb", "é", b"bytes"],
    "containers": {"a": (1, 2, 3, 4), "b": (), "c": {}, "d": [[], {"e": (1,)}]},
    "the same list twice": [SHARED, SHARED],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", PLAIN)
def test_numbers_texts_and_containers_are_what_they_are(name, protocol):
    read_back = read(PLAIN[name], protocol)
    if name == "texts" and protocol < 3:
        # Bytes are a call of a codec in the protocols of Python 2.
        read_back = [*read_back[:-1], b"bytes"]
    assert read_back == PLAIN[name]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_would_be_called_is_a_name(protocol, tmp_path):
    found = read(Touches(tmp_path / "touched"), protocol)
    assert found.name.endswith(":getattr") or found.name.endswith(":Path.touch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_items_of_an_object_that_is_a_dict_are_kept(protocol):
    ordered = read(OrderedDict(a=1, b=2), protocol)
    assert (ordered.name, ordered.items) == ("collections:OrderedDict", {"a": 1, "b": 2})
    default = read(defaultdict(list, a=1), protocol)
    assert (default.name, default.items) == ("collections:defaultdict", {"a": 1})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_and_the_state_of_an_object_are_kept(protocol, tmp_path):
    assert read(OrderedDict, protocol) == Reference("collections:OrderedDict")
    error = read(ValueError("no"), protocol)
    assert isinstance(error, Made)
    assert error.name.endswith("builtins:ValueError") or error.name == "exceptions:ValueError"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\x04",
        b"}.x"[:1],
        b"q\x00.",
        b"h\x05.",
        b"(1.",
        b"a.",
        b"s.",
        b"\xff",
        b"R.",
        b"}]]s.",
    ],
)
def test_what_is_no_pickle_is_told(data):
    with pytest.raises((NotRead, StopIteration)):
        next(read_pickles(data))


def test_many_opcodes_are_no_pickle_that_is_read():
    with pytest.raises(NotRead, match="too many parts"):
        next(read_pickles(b"N" * ((1 << 21) + 2) + b"."))
