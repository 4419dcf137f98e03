"""Sparse values are those of the whole tensor, whatever is done to them."""

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resflops.tracing.observers import InputValues, SparseValues
from resflops.tracing.observers.sized_results import find_sized

SHAPES = [(12,), (1, 3, 4), (2, 3, 2)]


def sparse(shape, places, background=-8.0):
    """Make the values of a tensor whose elements at some places are 1, 2, 3 …"""
    return SparseValues.make(shape, background, torch.tensor(places), torch.arange(len(places)) + 1.0)


def dense(shape, places, background=-8.0):
    filled = torch.full((prod(shape),), background)
    for number, place in enumerate(places, 1):
        filled[place] = number
    return filled.reshape(shape)


PLACES = st.lists(st.integers(0, 11), min_size=1, unique=True)


@given(shape=st.sampled_from(SHAPES), places=PLACES)
def test_they_fill_the_tensor(shape, places):
    assert torch.equal(sparse(shape, places).fill(), dense(shape, places))


@given(
    shape=st.sampled_from(SHAPES),
    places=PLACES,
    call=st.sampled_from(
        [
            (torch.sigmoid, ()),
            (torch.Tensor.sigmoid, ()),
            (torch.Tensor.gt, (1.5,)),
            (torch.Tensor.__gt__, (-9,)),
            (torch.flatten, ()),
            (torch.flatten, (0, -1)),
            (torch.Tensor.flatten, ()),
            (torch.Tensor.reshape, (-1, 2)),
            (torch.Tensor.view, (2, 6)),
        ]
    ),
)
def test_a_function_gives_of_them_what_it_gives_of_the_tensor(shape, places, call):
    func, others = call
    whole = func(dense(shape, places), *others)
    few = sparse(shape, places).compute(func, (None, *others), {})
    assert torch.equal(few.fill(), whole)
    assert few.shape == tuple(whole.shape)


@given(places=PLACES, index=st.lists(st.integers(0, 11), max_size=20))
def test_elements_are_taken_from_a_flat_tensor(places, index):
    taken = sparse((12,), places).compute(
        torch.Tensor.__getitem__, (None, (torch.tensor(index, dtype=torch.long),)), {}
    )
    assert torch.equal(taken, dense((12,), places)[index])


@given(shape=st.sampled_from(SHAPES), places=PLACES, least=st.sampled_from([-9.0, 1.5, 99.0]))
def test_a_mask_is_true_where_the_whole_mask_is(shape, places, least):
    mask = sparse(shape, places).compute(torch.Tensor.gt, (None, least), {})
    expected = (dense(shape, places) > least).nonzero(as_tuple=True)
    assert [each.tolist() for each in mask.find_true()] == [each.tolist() for each in expected]


@pytest.mark.parametrize(
    ("func", "others"),
    [
        (torch.softmax, (-1,)),
        (torch.Tensor.mul, (torch.ones(3, 1),)),
        (torch.Tensor.gt, (torch.ones(3, 4),)),
        (torch.Tensor.__getitem__, (slice(0, 1),)),
        (torch.Tensor.__getitem__, (1,)),
        (torch.Tensor.permute, (2, 0, 1)),
    ],
)
def test_what_takes_the_whole_tensor_is_not_computed(func, others):
    assert sparse((2, 3, 2), [1, 5]).compute(func, (None, *others), {}) is None


def test_what_is_written_into_the_tensor_leaves_nothing_known_of_its_views():
    model_has = torch.empty(2, 3, device="meta")
    values = InputValues()
    values.remember(model_has, sparse((2, 3), [1, 4]))
    with values:
        flat = model_has.flatten()
        model_has[0] = 7.0
        with pytest.raises(RuntimeError, match="meta"):
            flat.tolist()
        assert model_has.tolist() == [[7.0, 7.0, 7.0], [-8.0, 2.0, -8.0]]


def test_where_a_sparse_mask_is_true_is_found_without_the_whole_mask():
    model_has = torch.empty(3, 4, device="meta")
    values = InputValues()
    values.remember(model_has, sparse((3, 4), [7, 1, 4]))
    with values:
        mask = model_has > 1.5
    found = values._run_sized(find_sized(torch.where, (mask,), {}))
    assert [each.tolist() for each in found] == [[0, 1], [1, 0]]
    assert isinstance(values._known[id(mask)], SparseValues)
