"""The traces that ship with resflops are those that would be taken now, whatever torch made them."""

import lzma
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import resflops
from resflops.models import NETWORKS
from resflops.sources import find, shipped_traces
from resflops.sources.live_traces import trace_with_notes
from resflops.sources.shipped_traces import ARCHIVE, pack_traces, read_shipped_trace, summarize_archive
from resflops.sources.stored_traces import find_stored_trace

FILE = Path(shipped_traces.__file__).with_name(ARCHIVE)


@pytest.fixture
def archive_of(monkeypatch, tmp_path):
    """Put another archive in the place of the one that ships."""

    def put(content: bytes) -> None:
        file = tmp_path / ARCHIVE
        file.write_bytes(content)
        monkeypatch.setattr(shipped_traces, "_find_archive", lambda: file)
        shipped_traces._open_archive.cache_clear()

    yield put
    shipped_traces._open_archive.cache_clear()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_shipped_trace_is_the_live_one(name):
    live = replace(trace_with_notes(find(name), input_shape=None, lifetimes=True), model=name)
    shipped = read_shipped_trace(name)
    assert replace(shipped, torch_version=live.torch_version) == live, (
        "python tests/benchmarks/ship_traces.py makes the archive again"
    )


def test_all_built_in_networks_ship_and_nothing_else():
    content = FILE.read_bytes()
    head = msgspec.json.decode(content[4 : 4 + int.from_bytes(content[:4], "big")])
    assert set(head["places"]) == set(NETWORKS)
    assert summarize_archive().traces == len(NETWORKS) == 54


@pytest.mark.parametrize(
    ("spec", "shape", "dtype", "ships"),
    [
        ("resnet20", None, None, True),
        ("resnet20", (3, 32, 32), None, True),
        ("resnet20", (1, 3, 32, 32), "float32", True),
        ("resnet20,shortcut=A,num_classes=10", None, None, True),
        ("resnet20,shortcut=B", None, None, False),
        ("resnet20", (2, 3, 32, 32), None, False),
        ("resnet20", (3, 64, 64), None, False),
        ("resnet20", None, "float16", False),
        ("resnet21", None, None, False),
        ("resnet20,depth=3", None, None, False),
        ("resnet20,", None, None, False),
        ("nets:resnet20", None, None, False),
        ("", None, None, False),
    ],
)
def test_a_trace_ships_for_the_usual_network_and_input_alone(spec, shape, dtype, ships):
    stored = find_stored_trace(spec, input_shape=shape, dtype=dtype)
    assert (stored is not None) == ships
    if stored:
        assert stored.trace.model == stored.found.spec == spec
        torch_version = summarize_archive().torch_version.partition("+")[0]
        assert stored.where == f"from the trace that ships with resflops, made by torch {torch_version}"


CHANGES = """
from contextlib import contextmanager

import resflops, torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import BaseTorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from resflops.sources.installed_code import has_usual_state

@contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)

for change in (
    float64,
    lambda: torch.autocast("cpu"),
    lambda: FlopCounterMode(display=False),
    BaseTorchFunctionMode,
    lambda: register_module_forward_pre_hook(lambda *_: None),
):
    before = has_usual_state()
    with change():
        print(before, has_usual_state())
with float64():
    print({op.dtype for op in resflops.count("resnet20").trace.ops if op.op == "conv2d"})
print(resflops.count("resnet20").macs)

@resflops.rule(torch.nn.Conv2d)
def convolution(record):
    return resflops.Work(macs=1)

print(resflops.count("resnet20").macs)
"""


def test_what_is_set_in_a_process_makes_every_count_a_new_one():
    done = subprocess.run([sys.executable, "-c", CHANGES], capture_output=True, text=True, check=True)
    *usual, types, before, ruled = done.stdout.splitlines()
    assert usual == ["True False"] * 5
    assert types == "{'float64'}"
    assert before == "40551040"
    # Nineteen convolutions and the product of the last layer, of 64 × 10.
    assert ruled == str(19 + 640)


def spoil(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    head = 4 + int.from_bytes(content[:4], "big")
    other = lzma.compress(b"\0" * len(lzma.decompress(content[head:])))
    return {
        "empty": b"",
        "cut in the list": content[:100],
        "cut in the traces": content[: head + 50],
        "a wrong length": b"\xff" * 4 + content[4:],
        "a byte changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "other traces": content[:head] + other,
        "another schema": content.replace(b'"schema_version":1', b'"schema_version":2'),
    }


SPOILT = spoil(FILE.read_bytes())


@pytest.mark.parametrize("way", SPOILT)
def test_a_damaged_archive_is_as_if_there_were_none(archive_of, way):
    archive_of(SPOILT[way])
    # The largest one, for which all of the archive is read.
    assert read_shipped_trace("resnet1202") is None
    assert resflops.count("resnet20").macs == 40_551_040


def test_packed_traces_come_back_one_by_one_in_any_order(archive_of):
    names = ["resnet20", "vgg11", "resnet32"]
    traces = {name: read_shipped_trace(name) for name in names}
    archive_of(pack_traces(traces))
    assert {name: read_shipped_trace(name) for name in reversed(names)} == traces
    assert read_shipped_trace("resnet34") is None


def test_a_missing_archive_is_as_if_there_were_none(archive_of, tmp_path):
    archive_of(b"")
    (tmp_path / ARCHIVE).unlink()
    assert read_shipped_trace("resnet20") is None
    assert summarize_archive().problem == "it is missing or damaged; reinstall resflops"


def test_several_threads_read_at_once():
    shipped_traces._open_archive.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        traces = list(pool.map(read_shipped_trace, NETWORKS))
    assert [trace.model for trace in traces] == list(NETWORKS)
