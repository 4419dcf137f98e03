"""Damaged files and command lines end in a message: a fixed budget of what tests/benchmarks/fuzz.py tries."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).parent / "benchmarks" / "fuzz.py")
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)

BUDGET = 25


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    fuzz.write_sound_files(folder)
    return folder


@pytest.mark.parametrize("kind", fuzz.TARGETS)
def test_what_is_damaged_ends_in_a_message(folder, kind):
    # No limit of five seconds: a test may be slow where others run beside it.
    faults = {seed: fuzz.try_input(kind, seed, folder, limit=60) for seed in range(BUDGET)}
    assert {seed: fault for seed, fault in faults.items() if fault} == {}
