"""How a memory shows itself: in one line, as a table, in a notebook, as a data frame."""

import subprocess
import sys

import pytest
from msgspec.structs import replace

from resflops.peak_memory.records import KINDS, Block, Memory, Step
from resflops.records import InputRecord
from resflops.tables import Table

MEMORY = Memory(
    model="Net",
    inputs=(
        InputRecord(name="x", shape=(2, 3), dtype="float32"),
        InputRecord(name="y", shape=(), dtype="float32"),
    ),
    steps=(Step(op="relu", layer="act"), Step(op="relu", layer="end")),
    blocks=(
        Block(size=3000, kind="parameters", layer="act", name="weight", born=-1),
        Block(size=2000, kind="temporary", layer="act", name="relu", born=0, died=1),
        Block(size=1000, kind="temporary", layer="end", name="relu", born=1),
    ),
)


def test_it_is_one_line():
    line = "Memory(Net on 2×3, a scalar, inference: 5.00 KB (4.88 KiB) at the peak, 2.00 KB (1.95 KiB) above weights)"
    assert repr(MEMORY) == str(MEMORY) == line
    assert "Net, training:" in repr(replace(MEMORY, inputs=(), training=True))


def test_its_summary_is_a_table_with_as_many_layers_as_asked_for():
    summary = MEMORY.summary(top=1)
    assert isinstance(summary, Table)
    assert summary.rows[0]["peak_bytes"] == 5000
    assert [row["layer"] for row in summary.below[0].list_shown_rows()] == ["act"]
    assert "5.00 KB (4.88 KiB) at its peak" in str(MEMORY.summary())


def test_a_notebook_shows_it_as_a_table():
    assert MEMORY._repr_html_().startswith("<table>")


def test_a_data_frame_has_what_each_layer_holds():
    frame = MEMORY.to_pandas()
    assert list(frame.columns) == ["layer", "size", *KINDS]
    assert frame[["layer", "size", "parameters", "temporary"]].values.tolist() == [["act", 5000, 3000, 2000]]
    assert MEMORY.to_frame(1)["size"].tolist() == [3000, 1000]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("activations", "memory.split() has the parts of the peak by kind"),
        ("peak_bytes", "memory.peak is in all, and memory.above_weights"),
        ("layers", "memory.holders() has what each layer holds"),
        ("sumary", "; closest: summary"),
    ],
)
def test_a_name_that_it_lacks_is_answered_with_the_one_that_it_has(name, says):
    with pytest.raises(AttributeError, match="'Memory' object has no attribute") as caught:
        getattr(MEMORY, name)
    assert says in str(caught.value)


def test_a_stored_memory_is_read_and_shown_without_torch(tmp_path):
    MEMORY.save(tmp_path / "memory.json")
    script = (
        "import resflops, sys\n"
        f"memory = resflops.Memory.load({str(tmp_path / 'memory.json')!r})\n"
        "print(memory.peak, len(str(memory.summary())) > 100, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5000", "True", "False"]
