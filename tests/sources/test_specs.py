"""The text of a spec."""

import pytest

from resflops.errors import DuplicateError, SpecError, UnknownModelError
from resflops.sources import SOURCES, Source, expand, find, names, parse_spec, register
from resflops.sources.spec import read_value


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("resnet34", "resnet34", {}),
        ("resnet34,shortcut=A", "resnet34", {"shortcut": "A"}),
        (" resnet34 , shortcut = A ", "resnet34", {"shortcut": "A"}),
        ("a.b:make,depths=[2,2,6]", "a.b:make", {"depths": "[2,2,6]"}),
        ("a:make,d={'x': (1, 2)},n=3", "a:make", {"d": "{'x': (1, 2)}", "n": "3"}),
        ("timm/resnet[15]*,num_classes=10", "timm/resnet[15]*", {"num_classes": "10"}),
    ],
)
def test_a_spec_is_a_name_and_options(text, name, options):
    spec = parse_spec(text)
    assert (spec.name, spec.options) == (name, options)


@pytest.mark.parametrize(
    "text",
    ["", ",", "=3", "num_classes=10", "resnet34,", "resnet34,,a=1", "resnet34,a", "resnet34,a=", "resnet34,=1",
     "resnet34,a=1,a=2", "nets:make,depths=[2,2", "nets:make,depths=2]"],
)  # fmt: skip
def test_a_malformed_spec_is_an_error_that_shows_it(text):
    with pytest.raises(SpecError) as error:
        parse_spec(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("-3", -3), ("1e-3", 0.001), ("0.5", 0.5), ("true", True), ("False", False), ("none", None),
        ("null", None), ("gelu", "gelu"), ("'2'", "2"), ("[1, 2]", [1, 2]), ("(1,)", (1,)), ("2x", "2x"),
        ("1" * 5000, "1" * 5000), ("[" * 3000, "[" * 3000), ("__import__('os')", "__import__('os')"),
    ],
)  # fmt: skip
def test_an_options_text_is_read_as_python_reads_a_literal(text, value):
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


def test_a_pattern_stands_for_names_in_the_order_of_the_source():
    assert expand("resnet1?2") == ["resnet152"]
    assert expand("*") == names()
    assert expand("vgg1*") == [name for name in names() if name.startswith("vgg1")]


def test_a_pattern_hands_its_options_to_every_model():
    assert expand("resnet[13][84],num_classes=10") == ["resnet18,num_classes=10", "resnet34,num_classes=10"]


def test_a_spec_without_a_pattern_stands_for_itself_known_or_not():
    assert expand("resnet34,shortcut=A") == ["resnet34,shortcut=A"]
    assert expand("resnet43") == ["resnet43"]


def test_a_pattern_without_a_match_is_an_error_with_near_names():
    with pytest.raises(UnknownModelError, match=r"resnet43.*resnet34"):
        expand("resnet43*")


def test_an_unknown_name_is_an_error_with_near_names():
    with pytest.raises(UnknownModelError, match=r"resnet43.*resnet34"):
        find("resnet43")


@pytest.mark.parametrize("text", ["torchvison/resnet50", "torchvison/*"])
def test_an_unknown_source_is_an_error_with_near_names(text):
    with pytest.raises(UnknownModelError, match="closest: torchvision"):
        expand(find(text).spec if "*" not in text else text)


def test_the_names_of_an_unknown_source_are_an_error():
    with pytest.raises(UnknownModelError, match="no source 'keras'"):
        names("keras")


def test_a_second_source_of_a_prefix_is_an_error():
    with pytest.raises(DuplicateError, match="torchvision"):
        register(Source(prefix="torchvision", summary="", find=lambda name, spec: None, names=list))


def test_every_source_is_registered():
    assert set(SOURCES) == {"", ":", "./", "hf", "timm", "torchvision"}
