"""The node tests of the package onnx: shapes against the stored outputs, and what is counted of each."""

import warnings
from collections import Counter
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import onnx.backend.test.case.node
import pytest
from onnx import defs, numpy_helper

from resflops.ops import OPS
from resflops.sources.onnx_files import Given, read_trace
from resflops.sources.onnx_files.control_flow import find_flow
from resflops.sources.onnx_files.operators import OPERATORS
from tests.sources.onnx_files.graphs import node

TEXT = "it works on texts, which are no numbers"
UNBOUND = {
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"), TEXT),
    "ImageDecoder": "what it takes to decode depends on the format and on what is in the file",
    "MaxRoiPool": "the sizes of the boxes decide how many elements are compared",
    "MelWeightMatrix": "its inputs are constants in every file, so that a runtime computes it before the first pass",
    "SequenceMap": "how many tensors the sequence has is not followed",
    "TfIdfVectorizer": "how many pairs are looked up depends on the vocabulary and on the values",
}
"""Operators that no op stands for, with the reason."""

WALKED = {"Constant", "Identity"}
"""Those that the walk itself gives their values."""

SETTINGS = frozenset(("max", "min", "ratio", "roi", "scales"))
"""The names of inputs of numbers that say how a node works; whole numbers and truth values all do."""

WITHOUT_RULE = {"test_einsum_batch_diagonal": "Einsum", "test_roialign_mode_max": "RoiAlign"}
"""Cases of operators that are bound, of which no op stands for this use."""


SLOW = frozenset(("averagepool", "lppool", "maxpool"))
"""Modules of cases that take 20 of 30 seconds to import, for images of 32 by 32 by 32; ``test_pooling`` has some
of its own."""


@pytest.fixture(scope="module")
def cases():
    """Those of one node of ONNX's own, without what it expands to: the model, its inputs and outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in iter_modules(onnx.backend.test.case.node.__path__):
            if module.name not in SLOW:
                import_module(f"onnx.backend.test.case.node.{module.name}")
    # A public function returns this list, after it has imported all modules.
    found = onnx.backend.test.case.node._NodeTestCases
    own = [case for case in found if len(case.model.graph.node) == 1]
    return [case for case in own if case.model.graph.node[0].op_type in OPERATORS]


def read(case):
    """Read a case, the inputs that say how the node works being constants as they are in a file."""
    file = type(case.model)()
    file.CopyFrom(case.model)
    values = case.data_sets[0][0]
    for info, value in list(zip(file.graph.input, values, strict=False))[1:]:
        small = isinstance(value, (np.ndarray, np.generic)) and value.ndim < 2
        if small and (value.dtype.kind in "iub" or info.name in SETTINGS):
            file.graph.input.remove(info)
            file.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
    return read_trace(file, case.name, Given()).ops


def has_no_size(case):
    """Whether an input has a dimension of zero, which in files stands for a size that is left open."""
    return any(isinstance(value, np.ndarray) and 0 in value.shape for value in case.data_sets[0][0])


def test_each_case_has_its_shapes_and_is_counted_or_named(cases):
    known, uncounted, wrong = Counter(), {}, {}
    for case in cases:
        if has_no_size(case):
            continue
        ops, (made,) = read(case), case.model.graph.node
        for record in ops:
            if record.op not in OPS or not OPS[record.op].counted:
                uncounted[case.name] = record.op
            elif OPS[record.op].work is not None:
                assert OPS[record.op].work(record) is not None
        stored = [value.shape if isinstance(value, np.ndarray) else None for value in case.data_sets[0][1]]
        if ops and ops[-1].op in OPS and None not in stored and () not in ops[-1].output_shapes:
            known[made.op_type] += 1
            if list(ops[-1].output_shapes) != stored:
                wrong[case.name] = ops[-1].output_shapes
    assert wrong == {}
    assert uncounted == WITHOUT_RULE
    # So that the shapes of most are compared at all: the others are scalars, sequences, or their values decide.
    assert len(known) > 140


def test_every_operator_is_bound_or_named():
    names = {schema.name for schema in defs.get_all_schemas_with_history() if schema.domain == ""}
    flows = {name for name in names if find_flow(node(name, [], []))}
    assert names - set(OPERATORS) - flows - WALKED == set(UNBOUND)
    assert all(UNBOUND.values())
