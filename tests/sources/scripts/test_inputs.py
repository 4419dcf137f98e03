"""A TorchScript file is counted on what it was traced with, or on what it is given, or asks for it."""

import json
import zipfile

import pytest
import torch
from torch import nn

import resflops
from resflops.cli import main
from resflops.errors import InputError, ModelError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def count(capsys, *arguments):
    assert main(["table", *arguments, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    return row["input"], row["macs"]


def refuse(capsys, *arguments):
    assert main(["table", *arguments]) == 2
    return capsys.readouterr().err


def convolve():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()


class Weighs(nn.Module):
    """Takes two tensors of the same batch, and one of none."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x, weights, offset):
        return self.layer(x) * weights + offset


class Embeds(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, tokens):
        return self.head(self.table(tokens))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "1x3x8x8"),
        (("--batch", "4"), "4x3x8x8"),
        (("--input", "3x16x8"), "1x3x16x8"),
        (("--input", "2x3x16x8"), "2x3x16x8"),
        (("--input", "2x3x16x8", "--batch", "5"), "5x3x16x8"),
    ],
)
def test_what_a_file_was_traced_with_is_its_usual_input(capsys, options, expected):
    torch.jit.trace(convolve(), torch.zeros(1, 3, 8, 8)).save("traced.pt")
    batch, _, height, width = map(int, expected.split("x"))
    macs = batch * (height - 2) * (width - 2) * 4 * 27
    assert count(capsys, "traced.pt", *options) == (expected, macs)


def test_the_batch_is_replaced_in_every_input_that_has_it(capsys):
    inputs = torch.zeros(3, 4), torch.zeros(3, 1), torch.zeros(2)
    torch.jit.trace(Weighs(), inputs).save("traced.pt")
    assert count(capsys, "traced.pt") == ("3x4, 3x1, 2", 3 * 8)
    assert count(capsys, "traced.pt", "--batch", "7") == ("7x4, 7x1, 2", 7 * 8)
    assert resflops.count("traced.pt", (5, 4)).macs == 5 * 8


def test_types_and_containers_are_those_that_it_was_traced_with(capsys):
    torch.jit.trace(Embeds(), torch.zeros(2, 5, dtype=torch.long)).save("tokens.pt")
    assert count(capsys, "tokens.pt", "--batch", "3") == ("3x5", 3 * 5 * 8)


def test_another_number_of_sizes_is_refused(capsys):
    torch.jit.trace(convolve(), torch.zeros(1, 3, 8, 8)).save("traced.pt")
    assert "traced.pt was traced with an input of 4 sizes, 1x3x8x8, got 16x16; give as many" in refuse(
        capsys, "traced.pt", "--input", "16x16"
    )


@pytest.mark.parametrize(
    ("build", "example"),
    [
        (convolve, "1x3x224x224"),
        (lambda: nn.Sequential(nn.Conv1d(7, 4, 3)), "1x7x1000"),
        (lambda: nn.Sequential(nn.Conv3d(2, 4, 3)), "1x2x16x112x112"),
        (lambda: nn.Sequential(nn.ReLU(), nn.Linear(6, 4)), "1x6"),
        (Embeds, "1x128"),
        (lambda: nn.Sequential(nn.LayerNorm(4)), "1x3x224x224"),
    ],
)
def test_a_scripted_file_asks_for_its_input_with_an_example(capsys, build, example):
    torch.jit.script(build()).save("scripted.pt")
    says = (
        f"scripted.pt does not say the shape of its input; give it, with the batch, as in --input {example}"
    )
    assert says in refuse(capsys, "scripted.pt")
    with pytest.raises(InputError, match="does not say the shape of its input"):
        resflops.count("scripted.pt")
    if example != "1x3x224x224" or build is convolve:
        assert count(capsys, "scripted.pt", "--input", example)[0] == example


def test_a_scripted_file_of_several_inputs_is_counted_from_python(capsys):
    torch.jit.script(Weighs()).save("scripted.pt")
    assert "scripted.pt takes 3 tensors (x, weights, offset), and does not say their shapes" in refuse(
        capsys, "scripted.pt", "--input", "3x4"
    )
    assert resflops.count("scripted.pt", (3, 4), (3, 1), (2,)).macs == 3 * 8


def test_a_file_without_some_of_its_parts_is_refused(capsys):
    torch.jit.script(convolve()).save("whole.pt")
    with zipfile.ZipFile("whole.pt") as whole, zipfile.ZipFile("part.pt", "w") as part:
        for name in whole.namelist():
            if not name.endswith("/data/0"):
                part.writestr(name, whole.read(name))
    assert "'part.pt' could not be loaded: " in refuse(capsys, "part.pt", "--input", "1x3x8x8")


def test_what_torch_cannot_load_again_is_named(capsys):
    frozen = torch.jit.optimize_for_inference(torch.jit.script(convolve()))
    frozen.save("optimised.pt")
    try:
        torch.jit.load("optimised.pt")
    except RuntimeError:
        with pytest.raises(
            ModelError, match=r"what torch\.jit\.optimize_for_inference gives cannot be saved"
        ):
            resflops.load("optimised.pt")
    else:
        pytest.skip("here torch has nothing to optimise that it could not load")


def test_a_mobile_file_is_counted(capsys):
    torch.jit.script(convolve())._save_for_lite_interpreter("mobile.ptl")
    assert count(capsys, "mobile.ptl", "--input", "1x3x8x8") == ("1x3x8x8", 36 * 4 * 27)


def test_a_file_whose_code_writes_files_is_not_loaded(capsys, folder):
    from tests.tracing.torchscript.networks import Saves

    torch.jit.script(Saves(str(folder / "written"))).save("saves.pt")
    says = "'saves.pt' was not loaded: its code names save, which may write or map any file"
    assert says in refuse(capsys, "saves.pt", "--input", "2x4")
    assert not (folder / "written").exists()
