"""Which layers are checkpointed: by path, by pattern, or the blocks that a model repeats."""

import pytest

from resflops.errors import UsageError
from resflops.peak_memory.checkpointing import select_checkpointed
from resflops.records import ModuleRecord


def make_modules(*paths, lists=()):
    return [
        ModuleRecord(path="", cls="Net"),
        *[
            ModuleRecord(
                path=path,
                cls="ModuleList" if path in lists else "Linear" if path.endswith("fc") else "Block",
                leaf=path.endswith("fc"),
            )
            for path in paths
        ],
    ]


NET = make_modules(
    "stem", "stem.fc", "blocks", "blocks.0", "blocks.0.fc", "blocks.1", "blocks.1.fc", lists=("blocks",)
)


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        (("stem",), ("stem",)),
        (("blocks.*",), ("blocks.0", "blocks.1")),
        (("blocks",), ("blocks.0", "blocks.1")),
        (("*fc",), ("stem.fc", "blocks.0.fc", "blocks.1.fc")),
        (("stem.fc", "stem"), ("stem",)),
        (("",), ("blocks.0", "blocks.1")),
        ((), ()),
    ],
)
def test_layers_are_selected_outermost_first_and_lists_by_their_parts(patterns, selected):
    assert select_checkpointed(NET, patterns) == selected


def test_the_word_blocks_stands_for_those_that_repeat_where_no_layer_has_that_name():
    net = make_modules("layers", "layers.0", "layers.0.fc", "layers.1", "layers.1.fc", lists=("layers",))
    assert select_checkpointed(net, ("blocks",)) == ("layers.0", "layers.1")


def test_an_unknown_layer_is_one_message_with_the_closest():
    with pytest.raises(UsageError, match=r"no layer of Net is called 'steem'; closest: stem"):
        select_checkpointed(NET, ("steem",))


def test_a_model_without_repeated_blocks_needs_names():
    with pytest.raises(UsageError, match="no blocks that repeat were found in Net; name layers, as in fc"):
        select_checkpointed(make_modules("fc", "more.fc"), ("",))
