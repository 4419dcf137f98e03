"""A value goes into the input or into the spec, and nothing else of the request changes."""

import pytest

from resflops.cost.convention import find_convention
from resflops.errors import UsageError
from resflops.sources.counting import CountRequest
from resflops.sweeps.curves.placing import find_placing


def place(name, value, spec, **options):
    request = CountRequest(spec=spec, convention=find_convention("macs"), backward=True, **options)
    placed = find_placing(name, request).place(value)
    assert placed.backward
    return placed.spec, placed.input_shape, placed.batch


@pytest.mark.parametrize(
    ("name", "spec", "options", "placed"),
    [
        ("side", "resnet34", {}, ("resnet34", (1, 3, 7, 7), None)),
        ("side", "resnet34", {"batch": 4}, ("resnet34", (4, 3, 7, 7), None)),
        ("side", "resnet34", {"input_shape": (2, 3, 64, 32)}, ("resnet34", (2, 3, 7, 7), None)),
        ("batch", "resnet34", {}, ("resnet34", None, 7)),
        ("batch", "resnet34", {"input_shape": (3, 64, 64)}, ("resnet34", (3, 64, 64), 7)),
        ("num_classes", "resnet34", {}, ("resnet34,num_classes=7", None, None)),
        (
            "num_classes",
            "resnet34,num_classes=5,shortcut=A",
            {},
            ("resnet34,num_classes=7,shortcut=A", None, None),
        ),
        ("num_classes", "resnet34", {"batch": 2}, ("resnet34,num_classes=7", None, 2)),
    ],
)
def test_a_value_is_put_in_its_place(name, spec, options, placed):
    assert place(name, 7, spec, **options) == placed


def test_a_length_is_that_of_the_text():
    pytest.importorskip("transformers")
    assert place("seq", 7, "hf/bert") == ("hf/bert", (1, 7), None)
    assert place("seq", 7, "hf/bert", batch=3) == ("hf/bert", (3, 7), None)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "seq",
            (1, 3, 8, 8),
            "1x3x8x8, has no length of a sequence, so it has no seq; vary its side or its batch",
        ),
        ("seq", (4,), "4, has no length of a sequence, so it has no seq; vary its batch"),
        ("side", (4, 8), "4x8, has no height and width, so it has no side; vary its seq or its batch"),
        ("side", None, "its side cannot be set; give the shape, with the batch, as in --input 1x3x224x224"),
        ("seq", None, "its seq cannot be set; give the shape, with the batch, as in --input 1x128"),
    ],
)
def test_a_size_that_an_input_lacks_is_refused(tmp_path, monkeypatch, name, shape, message):
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Identity()\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        place(name, 7, "nets.py:make", input_shape=shape)
    assert message in str(raised.value)
