"""What is given as models, and the candidates that it stands for."""

from functools import partial

import pytest
from torch import nn

from resflops.errors import UnknownModelError, UsageError
from resflops.sweeps.candidates import Candidates
from tests.sweeps.models import MODELS, make_linear


def listed(*given, **options):
    return list(Candidates(list(given), say=lambda _: None, **options))


def test_specs_and_patterns_are_listed_once_each():
    found = listed("resnet18", "resnet1?", "Ours=resnet34")
    assert [(one.name, one.spec, one.named) for one in found] == [
        ("resnet18", "resnet18", True),
        ("Ours", "resnet34", True),
    ]
    assert [one.name for one in listed("resnet1?", "vgg1[69]")] == ["resnet18", "vgg16", "vgg19"]
    assert [one.named for one in listed("vgg1[69]")] == [False, False]


def test_one_text_is_one_model():
    assert [one.name for one in Candidates("resnet18", say=lambda _: None)] == ["resnet18"]


def test_their_number_is_known_only_without_a_search_space():
    for given, total in ((["resnet18", "vgg1[69]"], 3), (["resnet18", f"{MODELS}:spread"], None)):
        candidates = Candidates(given, say=lambda _: None)
        list(candidates)
        assert candidates.total == total


def test_a_model_that_is_not_there_is_a_candidate_with_the_reason():
    (one,) = listed("timm/nothing_of_this_name*")
    assert isinstance(one.error, UnknownModelError)


def test_a_search_space_is_a_generator_function_an_annotated_one_or_a_list():
    space = f"{MODELS}:spread,count=2"
    assert [(one.name, one.source, one.spec) for one in listed(space)] == [
        ("width 1", space, ""),
        ("width 2", space, ""),
    ]
    mixed = listed(f"{MODELS}:mixed")
    assert [one.name for one in mixed] == ["resnet18", "small", f"{MODELS}:mixed[2]", "module"]
    assert [one.spec for one in mixed] == ["resnet18", "resnet20", "", ""]
    assert [one.name for one in listed(f"{MODELS}:LISTED")] == ["two"]


def test_a_function_that_makes_a_model_is_no_search_space():
    (one,) = listed(f"{MODELS}:make_linear")
    assert (one.spec, one.make) == (f"{MODELS}:make_linear", None)


def test_a_search_space_is_gone_through_no_further_than_needed():
    gone = []

    def endless():
        while True:
            gone.append(None)
            yield partial(make_linear, 1)

    candidates = iter(Candidates(endless(), say=lambda _: None))
    assert [next(candidates).name for _ in range(3)] == ["model 0", "model 1", "model 2"]
    assert len(gone) == 3


def test_modules_and_functions_go_by_their_names():
    found = listed(make_linear, nn.Linear(2, 2), ("mine", nn.Identity()))
    assert [one.name for one in found] == ["make_linear", "Linear", "mine"]


def test_what_a_search_space_raises_is_blamed_on_it():
    candidates = iter(Candidates([f"{MODELS}:broken"], say=lambda _: None))
    assert next(candidates).name == "one"
    with pytest.raises(UsageError, match=r"search space .*:broken raised RuntimeError: the list ends here"):
        next(candidates)


def test_what_is_no_model_is_refused():
    with pytest.raises(UsageError, match="item 1 is of the type int; give a spec"):
        listed(make_linear, 3)
