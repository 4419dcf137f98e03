"""The sizes of a graph's inputs."""

import pytest

from resflops.errors import InputError, SpecError
from resflops.sources.onnx_files.sizes import Given, GraphInput, OpenSizes

TEXT = [
    GraphInput("ids", ("batch", "length")), GraphInput("mask", ("batch", "past + length")),
    GraphInput("past", ("batch", 2, "past", 8)),
]  # fmt: skip
IMAGE = [GraphInput("x", ("N", 3, 224, 224))]
FIXED = [GraphInput("x", (1, 3, 224, 224))]


def resolve(declared, **given):
    return OpenSizes("m.onnx", declared, Given(**given)).list_shapes()


def test_open_sizes_are_set_by_name():
    sizes = {"batch": 2, "length": 7, "past": 5}
    assert resolve(TEXT, sizes=sizes) == {"ids": (2, 7), "mask": (2, 12), "past": (2, 2, 5, 8)}


def test_open_sizes_follow_from_the_shapes_of_inputs():
    assert resolve(TEXT, inputs=[(2, 7)], sizes={"past": 5})["mask"] == (2, 12)
    assert resolve(TEXT, shapes={"past": (2, 2, 5, 8), "ids": (2, 7)})["mask"] == (2, 12)
    assert resolve(TEXT, inputs=[(2, 7), (2, 12), (2, 2, 5, 8)])["past"] == (2, 2, 5, 8)
    assert resolve(TEXT, inputs=[(2, 7)], batch=4, sizes={"past": 1})["past"] == (4, 2, 1, 8)


def test_a_batch_that_alone_is_open_is_one_and_said_to_be():
    sizes = OpenSizes("m.onnx", IMAGE, Given())
    assert sizes.list_shapes() == {"x": (1, 3, 224, 224)}
    assert sizes.notes == ("its batch, which the file leaves open, was taken as 1 (N)",)
    for given in (Given(batch=8), Given(inputs=[(8, 3, 224, 224)]), Given(sizes={"N": 8})):
        sizes = OpenSizes("m.onnx", IMAGE, given)
        assert (sizes.list_shapes(), sizes.notes) == ({"x": (8, 3, 224, 224)}, ())


@pytest.mark.parametrize(
    ("inputs", "given", "says"),
    [
        (TEXT, {}, "m.onnx leaves sizes open: batch, length, past, in inputs ids (batch×length), mask "
                   "(batch×past + length), past (batch×2×past×8); set them, as in m.onnx,batch=1,length=1,past=1"),
        (TEXT, {"batch": 2}, "m.onnx leaves sizes open: length, past"),
        ([GraphInput("x", ("x.0", "x.1"))], {}, "as in m.onnx,x.0=1,x.1=1, or by --input"),
        (FIXED, {"batch": 8}, "size 0 of its input x is 8, but the file fixes it to be 1 (1×3×224×224)"),
        (FIXED, {"inputs": [(1, 3, 225, 224)]}, "size 2 of its input x is 225, but the file fixes it to be 224"),
        (FIXED, {"inputs": [(1, 3, 224)]}, "its input x has 4 sizes (1×3×224×224), not 3 (1×3×224)"),
        (FIXED, {"inputs": [(1, 3, 224, 224), (1,)]}, "m.onnx takes 1 input (x), and 2 shapes were given"),
        (TEXT, {"inputs": [(2, 7), (2, 9)], "sizes": {"past": 5}}, "past + length makes it to be 12"),
        (TEXT, {"shapes": {"id": (1, 1)}}, "m.onnx has no input 'id'; closest: ids; its inputs are ids, mask, past"),
        (IMAGE, {"sizes": {"N": 0}}, "m.onnx: N=0: a size must be a whole number of at least 1"),
        (IMAGE, {"sizes": {"N": "many"}}, "m.onnx: N=many: a size must be a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(inputs, given, says):
    with pytest.raises(InputError) as raised:
        resolve(inputs, **given)
    assert says in str(raised.value)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(
        SpecError, match=r"no open size 'lenght'; closest: length; it has batch, length, past"
    ):
        resolve(TEXT, sizes={"lenght": 1})
    with pytest.raises(SpecError, match=r"no open size 'batch'; all its sizes are fixed"):
        resolve(FIXED, sizes={"batch": 1})


@pytest.mark.parametrize("term", ["2*n", "n*2", "n + n", "n - 1 + 1 + n", "4*n//2"])
def test_terms_of_names_are_evaluated(term):
    assert resolve([GraphInput("a", ("n",)), GraphInput("b", (term,))], inputs=[(3,)])["b"] == (6,)


@pytest.mark.parametrize("term", ["__import__('os').getcwd()", "n**9**9", "(" * 500, "n//0", "unk__5", "a b"])
def test_other_texts_are_names_or_open(term):
    inputs = [GraphInput("a", (term,))]
    with pytest.raises((InputError, SpecError)):
        resolve([*inputs, GraphInput("b", ("other",))])


def test_a_graph_without_inputs_needs_none():
    assert resolve([]) == {}
    with pytest.raises(InputError, match="takes 0 inputs"):
        resolve([], inputs=[(1,)])
