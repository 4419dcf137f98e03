"""``resflops memory``: what it is asked, what it answers, and one message for each mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import resflops
from resflops.cli import main
from resflops.cli.commands import COMMANDS
from resflops.peak_memory.records import KINDS
from resflops.sources.stored_traces import find_stored_trace

NETS = """
import torch
from torch import nn

class Refusing(nn.Module):
    def forward(self, x):
        raise RuntimeError("this net refuses")

def refusing():
    return Refusing(), torch.zeros(2, 3)

class Growing(nn.Module):
    '''Needs 400 bytes for each sample at its peak: an input of 100, and outputs of 200 and 100.'''
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1000, dtype=torch.uint8), requires_grad=False)
    def forward(self, x):
        return torch.cat([x, x], 1)[:, :100] + x

def stopped():
    # As Ctrl-C does while a model is built.
    raise KeyboardInterrupt

def growing():
    return Growing(), torch.zeros(4, 100, dtype=torch.uint8)
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS, encoding="utf-8")


def run(capsys, *arguments, status=0):
    assert main(["memory", *arguments, "--no-progress"]) == status
    return capsys.readouterr().out


def read(capsys, *arguments, status=0):
    return json.loads(run(capsys, *arguments, "--format", "json", status=status))


def list_files():
    return sorted(path.name for path in Path.cwd().iterdir() if path.name not in {"nets.py", "__pycache__"})


def test_it_says_what_the_function_says(capsys):
    memory = resflops.memory("resnet20", (8, 3, 32, 32), training=True, optimizer="adamw")
    document = read(capsys, "resnet20", "--batch", "8", "--training", "--optimizer", "adamw")
    (row,) = document["memory"]
    assert (row["peak_bytes"], row["above_weights_bytes"]) == (memory.peak, memory.above_weights)
    assert {kind: row[f"{kind}_bytes"] for kind in KINDS} == memory.split()
    assert (row["model"], row["input"], row["batch"]) == ("resnet20", "8x3x32x32", 8)
    step = memory.steps[memory.peak_step]
    assert (row["peak_op"], row["peak_layer"], row["peak_step"]) == (step.op, step.layer, memory.peak_step)
    assert [(each["layer"], each["held_bytes"]) for each in document["layers"]] == [
        (holder.layer, holder.size) for holder in memory.holders()
    ]
    assert (document["training"], document["optimizer"]) == (True, "adamw")


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--precision", "bf16"], {"dtype": "bfloat16"}),
        (["--dtype", "FP16"], {"dtype": "float16"}),
        (["--training", "--dtype", "bf16", "--autocast"], {"training": True, "dtype": "bf16", "autocast": True}),
        (["--training", "--loss", "sum"], {"training": True, "loss": "sum"}),
        (["--training", "--checkpointing"], {"training": True, "checkpointing": True}),
        (["--training", "--checkpointing", "layer1.0"], {"training": True, "checkpointing": "layer1.0"}),
        (
            ["--training", "--checkpointing", "layer1.*", "layer3.?"],
            {"training": True, "checkpointing": ["layer1.*", "layer3.?"]},
        ),
        (
            ["--training", "--checkpointing", "layer1,layer3.0"],
            {"training": True, "checkpointing": ["layer1", "layer3.0"]},
        ),
        (["--device", "cuda"], {"device": "cuda"}),
        (["--input", "64", "--batch", "2"], {"shape": (2, 3, 64, 64)}),
    ],
)  # fmt: skip
def test_every_option_is_that_of_the_function(capsys, words, options):
    shape = options.pop("shape", (1, 3, 32, 32))
    memory = resflops.memory("resnet20", shape, **options)
    (row,) = read(capsys, "resnet20", *words)["memory"]
    assert {kind: row[f"{kind}_bytes"] for kind in KINDS} == memory.split()


def test_models_may_stand_after_the_layers_to_checkpoint(capsys):
    rows = read(capsys, "--training", "--checkpointing", "layer1.*", "layer2", "resnet20", "resnet32")[
        "memory"
    ]
    assert [row["model"] for row in rows] == ["resnet20", "resnet32"]
    rows = read(capsys, "--training", "--checkpointing", "resnet20", "resnet3[2]")["memory"]
    assert [row["model"] for row in rows] == ["resnet20", "resnet32"]


def test_several_models_and_batches_have_a_row_each(capsys):
    document = read(capsys, "resnet20", "Ours=resnet32", "--batch", "1,4")
    assert [(row["model"], row["spec"], row["batch"]) for row in document["memory"]] == [
        ("resnet20", "resnet20", 1), ("resnet20", "resnet20", 4),
        ("Ours", "resnet32", 1), ("Ours", "resnet32", 4),
    ]  # fmt: skip
    assert "layers" not in document


def test_the_table_names_the_peak_its_op_and_its_layer(capsys):
    text = run(capsys, "resnet34", "--training", "--batch", "32", "--optimizer", "adamw")
    assert "Memory at the peak: a training step, with adamw, float32, kernels of the CPU" in text
    assert "resnet34 needs " in text
    assert "GiB) at its peak" in text
    assert "Layers that hold the most at the peak" in text


def test_a_choice_of_columns_and_a_sort_are_those_of_every_table(capsys):
    text = run(
        capsys, "resnet20", "resnet32", "--columns", "model,peak", "--sort", "-peak", "--format", "csv"
    )
    lines = text.splitlines()
    assert lines[0] == "model,peak_bytes"
    assert [line.partition(",")[0] for line in lines[1:]] == ["resnet32", "resnet20"]


def test_the_largest_batch_that_fits_is_the_largest(capsys):
    limit = 2**24
    document = read(capsys, "resnet20", "--fits", "16MiB", "--training")
    (row,) = document["memory"]
    batch = row["batch"]
    assert document["limit_bytes"] == limit
    peaks = [
        resflops.memory("resnet20", (size, 3, 32, 32), training=True).peak for size in (batch, batch + 1)
    ]
    assert peaks == [row["peak_bytes"], row["next_batch_bytes"]]
    assert peaks[0] <= limit < peaks[1]


@pytest.mark.parametrize(
    ("size", "batch"),
    [("1400", 1), ("1799", 1), ("1800", 2), ("11K", 25), ("11KiB", 25), ("11KB", 25), ("11.1KB", 25)],
)
def test_a_size_is_read_to_the_byte(capsys, size, batch):
    (row,) = read(capsys, "nets.py:growing", "--fits", size)["memory"]
    assert (row["batch"], row["peak_bytes"]) == (batch, 1000 + 400 * batch)


def test_on_a_gpu_the_rounded_blocks_must_fit(capsys):
    limit = 2**24
    (row,) = read(capsys, "resnet20", "--fits", "16MiB", "--device", "cuda")["memory"]
    assert row["peak_bytes"] < row["allocated_bytes"] <= limit < row["next_batch_bytes"]


def test_where_not_even_one_sample_fits_the_answer_is_zero_and_a_failed_check(capsys):
    (row,) = read(capsys, "nets.py:growing", "--fits", "1300", status=1)["memory"]
    assert (row["batch"], row["peak_bytes"], row["next_batch_bytes"]) == (0, 1400, 1400)
    text = run(capsys, "nets.py:growing", "--fits", "1300", status=1)
    said = " ".join(text.split())
    assert "not even a batch of 1 fits into 1.30 KB (1.27 KiB), since it needs 100 B more than that" in said


def test_a_model_that_fails_is_a_row_and_the_others_are_run(capsys):
    assert main(["memory", "resnet20", "nets.py:refusing", "--no-progress"]) == 1
    out, err = capsys.readouterr()
    assert "could not be run" in out
    assert "this net refuses" in out
    assert err == "resflops: could not run nets.py:refusing\n"
    assert main(["memory", "resnet20", "nets.py:refusing", "--no-progress", "--columns", "model,peak"]) == 1
    assert "this net refuses" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "options"),
    [([], {}), (["--training", "--optimizer", "adam"], {"training": True, "optimizer": "adam"})],
)
def test_from_a_trace_it_is_worked_out_by_rules(capsys, words, options):
    trace = find_stored_trace("resnet20", input_shape=None, dtype=None).trace
    (row,) = read(capsys, "resnet20", "--from-trace", *words)["memory"]
    assert row["method"] == "trace"
    assert {kind: row[f"{kind}_bytes"] for kind in KINDS} == resflops.memory(trace, **options).split()
    # What a batch of another size needs beside the weights is known without another trace.
    (larger,) = read(capsys, "resnet20", "--from-trace", "--batch", "8", *words)["memory"]
    assert larger["input"] == "8x3x32x32"
    assert larger["parameters_bytes"] == row["parameters_bytes"]
    assert larger["above_weights_bytes"] > row["above_weights_bytes"]
    assert "Estimated by rules from a trace" in run(capsys, "resnet20", "--from-trace", *words)


def test_from_a_stored_trace_it_needs_no_torch():
    script = (
        "import sys\nfrom resflops.cli import main\n"
        "main(['memory', 'resnet34', 'vgg19', '--from-trace', '--training', '--fits', '8G', '--format', 'csv'])\n"
        "print([name for name in ('torch', 'numpy', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    header, *rows, modules = done.stdout.splitlines()
    assert modules == "[]"
    assert header.startswith("model,spec,input,batch,peak_bytes,above_weights_bytes,parameters_bytes,")
    assert [row.partition(",")[0] for row in rows] == ["resnet34", "vgg19"]


def test_an_interrupt_keeps_what_has_been_run(capsys):
    out = run(capsys, "resnet20", "nets.py:stopped", "resnet32", status=130)
    assert "Interrupted: 2 more models were not run." in out
    assert "resnet20" in out
    assert run(capsys, "nets.py:stopped", "resnet20", status=130) == ""


def test_files_are_written_beside_the_table(capsys):
    run(capsys, "resnet20", "--picture", "x.svg", "--html", "x.html", "--save", "x.json", "--out", "x.md")
    assert list_files() == ["x.html", "x.json", "x.md", "x.svg"]
    assert "<title>What memory resnet20 needs</title>" in Path("x.html").read_text(encoding="utf-8")
    assert resflops.Memory.load("x.json") == resflops.memory("resnet20", (1, 3, 32, 32))
    assert Path("x.svg").read_text(encoding="utf-8").startswith("<?xml")
    for ending, begin in ((".png", b"\x89PNG"), (".PDF", b"%PDF")):
        run(capsys, "resnet20", "--picture", f"x{ending}")
        assert Path(f"x{ending}").read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "no models are given; name the models to run, such as resnet34 vgg19"),
        ("resnet2", "no model named 'resnet2'; closest: resnet32"),
        ("resnet20 --batch 0", "--batch must be a whole number of at least 1, got '0'"),
        ("resnet20 --training --optimizer adamm", "unknown optimizer 'adamm'; closest: adam,"),
        ("resnet20 --training --optimizer", "argument --optimizer: expected one argument"),
        ("resnet20 --optimizer adamw", "optimizer is part of a training step; add --training"),
        ("resnet20 --checkpointing", "checkpointing is part of a training step; add --training"),
        ("resnet20 --loss sum", "loss is part of a training step; add --training"),
        ("resnet20 --training --checkpointing layr1.0", "no layer of CifarResNet is called 'layr1.0'; closest: layer1.0"),
        ("resnet20 --training --checkpointing 'layer9*'", "no layer of CifarResNet is called"),
        ("vgg11 --training --checkpointing", "no blocks that repeat were found in VGG; name layers, as in features"),
        ("resnet20 --dtype bf15", "unknown dtype 'bf15'; closest: bf16"),
        ("resnet20 --autocast", "autocast computes in bfloat16 or float16; add --dtype bfloat16"),
        ("resnet20 --attention flsh", "unknown attention 'flsh'; closest: flash"),
        ("resnet20 --device cuda:1", "unknown device 'cuda:1'; closest: cuda"),
        ("resnet20 --training --loss mse", "unknown loss 'mse'; available: cross-entropy, sum"),
        ("resnet20 --fits much", "--fits must be a size such as 24G, 24GiB, 24GB or 512M, got 'much'"),
        ("resnet20 --fits 24Q", "--fits has an unknown unit 'Q' in '24Q'"),
        ("resnet20 --fits 0", "--fits must be at least 1 byte, got '0'"),
        ("resnet20 --fits 1MB", "resnet20 does not fit into 1.00 MB (977 KiB): its weights alone take 1.08 MB"),
        ("resnet20 --fits 1G --batch 4", "--fits looks for the batch; leave out --batch"),
        ("nets.py:refusing", "Refusing on input 2×3 raised RuntimeError: this net refuses"),
        ("resnet20 --top 0", "--top must be a whole number of at least 1, got '0'"),
        ("resnet20 --traning", "no option --traning; closest: --training"),
        ("resnet20 --columns pek", "no column named 'pek'; closest: peak"),
        ("resnet20 --picture x.jpg", "--picture x.jpg: the file must end in .svg or .png or .pdf, as in x.svg"),
        ("resnet20 --picture no/x.svg", "there is no folder no"),
        ("resnet20 --html x.txt", "--html x.txt: the file must end in .html or .htm, as in x.html"),
        ("resnet20 --save x.txt", "--save x.txt: the file must end in .json, as in x.json"),
        ("resnet20 resnet32 --save x.json", "--save is for one model on one input, got 2; name one"),
        ("resnet20 --batch 1 2 --picture x.svg", "--picture is for one model on one input, got 2; name one"),
    ],
)  # fmt: skip
def test_every_mistake_gets_one_message_and_leaves_nothing(capsys, words, says):
    assert main(["memory", *words.replace("'", "").split(), "--no-progress"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("resflops: ")
    assert err.count("\n") == 1
    assert says in err
    assert list_files() == []


def test_what_other_tools_call_it_is_answered(capsys):
    for name in ("mem", "vram", "peak"):
        assert main([name, "resnet20"]) == 2
        assert (
            f"no command {name!r}; here it is called memory: resflops memory resnet20"
            in capsys.readouterr().err
        )


def test_the_help_lists_it_and_explains_it_without_torch():
    assert list(COMMANDS).index("memory") < list(COMMANDS).index("bench")
    script = (
        "import sys\nfrom resflops.cli import main\nmain(['memory', '--help'])\n"
        "print([name for name in ('torch', 'numpy', 'matplotlib', 'rich.console') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for option in ("--training", "--optimizer", "--checkpointing", "--fits", "--precision", "--picture"):
        assert option in done.stdout
