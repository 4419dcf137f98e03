"""Real models, really run, on the CPU. No time is asserted, only what holds of any."""

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import UsageError
from resflops.latency import Measurements
from resflops.latency.attribution import attribute_time
from resflops.latency.configuration import Configuration
from resflops.latency.devices import choose_device, open_device
from resflops.latency.models import MeasurableModule
from resflops.latency.prepare import adapt_inputs, copy_with_weights, prepare_model, randomize_inputs
from resflops.tracing import generators

BRIEF = {"device": "cpu", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        return self.head(self.norm(self.conv(image)).relu().mean((2, 3)))


@pytest.fixture
def small():
    return Small().eval()


def configured(**settings):
    return Configuration(model="small", device="cpu", **settings)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_benchmark_measures_and_counts(small):
    measured = resflops.benchmark(small, (2, 3, 8, 8), **BRIEF)
    (row,) = measured.rows
    assert row.configuration == Configuration(model="Small", device="cpu", batch=2)
    assert row.workload.macs == resflops.count(small, (2, 3, 8, 8)).macs
    assert [len(each.wall) for each in row.series.rounds] == [3, 3]
    assert all(sample > 0 for each in row.series.rounds for sample in each.wall)
    assert row.series.failure is None
    assert [peak.probe.kind for peak in measured.peaks] == [
        "matmul",
        "1×1 convolution",
        "3×3 convolution",
        "copy",
    ]
    assert measured.environment.gpu is None
    assert measured.environment.torch == torch.__version__
    assert measured.runs[0].finished


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": "bfloat16"},
        {"dtype": "bfloat16", "autocast": True},
        {"memory_format": "channels_last"},
        {"training": True},
        {"layers": True},
    ],
    ids=str,
)
def test_the_users_model_and_process_stay_as_they_were(small, settings):
    before, random = state(small), torch.get_rng_state()
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    (row,) = resflops.benchmark(small, torch.ones(2, 3, 8, 8), **BRIEF, **settings).rows
    assert row.series.failure is None
    assert not small.training
    assert all(torch.equal(before[name], tensor) for name, tensor in state(small).items())
    assert {tensor.dtype for tensor in small.parameters()} == {torch.float32}
    assert [tensor.grad for tensor in small.parameters()] == [None] * 6
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in small.modules())
    assert torch.equal(random, torch.get_rng_state())
    assert (threads, precision) == (torch.get_num_threads(), torch.get_float32_matmul_precision())


def test_a_model_on_meta_gets_weights():
    (row,) = resflops.benchmark(resflops.load("resnet20"), (1, 3, 32, 32), **BRIEF).rows
    assert row.series.failure is None
    assert row.series.time.samples == 6
    twin = copy_with_weights(resflops.load("resnet20"), "cpu")
    assert torch.isfinite(twin(torch.randn(1, 3, 32, 32))).all()


def test_a_model_that_fails_is_a_row_that_says_so(small):
    (row,) = resflops.benchmark(small, (2, 5, 8, 8), **BRIEF).rows
    assert row.series.failure.kind == "failed"
    assert "5 channels" in row.series.failure.message
    assert row.series.time is None


def test_a_step_under_each_setting_computes_what_it_should(small):
    image = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        expected = small(image)
    plain = prepare_model(small, (image,), {}, configured())
    assert torch.equal(plain.step(), expected)
    assert torch.equal(plain.call(), expected)
    cast = prepare_model(small, (image,), {}, configured(dtype="bfloat16", autocast=True))
    assert cast.step().dtype == torch.bfloat16
    assert not small.training


def test_a_training_step_leaves_gradients_on_what_it_was_given(small):
    step = prepare_model(small, (torch.randn(2, 3, 8, 8),), {}, configured(training=True)).step
    step()
    first = small.conv.weight.grad.clone()
    step()
    assert small.training
    # Not added up from step to step.
    assert torch.allclose(small.conv.weight.grad, first)


def test_inputs_are_brought_to_the_setting_and_are_copies():
    image, tokens = torch.randn(2, 3, 8, 8), torch.zeros(2, 4, dtype=torch.long)
    configuration = configured(dtype="float64", memory_format="channels_last")
    ((brought, same), named) = adapt_inputs(((image, tokens), {"x": image}), configuration)
    assert brought.dtype == named["x"].dtype == torch.float64
    assert brought.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(brought.float(), image)
    assert same.dtype == torch.long
    assert same.data_ptr() != tokens.data_ptr()


def test_zeros_become_the_same_random_numbers_and_values_stay():
    zeros, ones, tokens = torch.zeros(3, 3), torch.ones(3), torch.zeros(3, dtype=torch.long)
    first, second = randomize_inputs((zeros, ones, tokens)), randomize_inputs((zeros, ones, tokens))
    assert first[0].any()
    assert torch.equal(first[0], second[0])
    assert first[1] is ones
    assert first[2] is tokens
    assert not zeros.any()


def test_layers_are_named_as_in_the_cost_and_add_up(small):
    image = torch.randn(2, 3, 8, 8)
    found = attribute_time(small, lambda: small(image), torch.device("cpu"), repetitions=3)
    named = {row.name for row in resflops.count(small, (2, 3, 8, 8)).layers}
    assert named <= {layer.name for layer in found.layers} <= {"", "conv", "norm", "head"}
    assert all(layer.seconds >= 0 for layer in found.layers)
    assert found.seconds > 0
    assert found.plain_seconds > 0


def test_no_hook_stays_when_a_forward_raises(small):
    with pytest.raises(RuntimeError, match="channels"):
        attribute_time(small, lambda: small(torch.ones(1, 5, 8, 8)), torch.device("cpu"), repetitions=1)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in small.modules())


def test_measurements_are_saved_and_read_without_torch(small, tmp_path):
    import subprocess
    import sys

    resflops.benchmark(small, (1, 3, 8, 8), **BRIEF, layers=True).save(tmp_path / "m.json")
    script = (
        "import sys\n"
        "from resflops.latency import Measurements\n"
        "from resflops.report.environment import read_versions\n"
        "from resflops.report.pages.latency import build_document\n"
        "from resflops.report.paper_pair import compare_paper_pair\n"
        f"measured = Measurements.load({str(tmp_path / 'm.json')!r})\n"
        "page = build_document(measured, compare_paper_pair(measured), name='m', path='m.md', made_with=read_versions())\n"
        "print(measured.rows[0].series.time.samples, 'torch' in sys.modules, len(page.text) > 100)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6", "False", "True"]
    assert Measurements.load(tmp_path / "m.json").rows[0].attribution is not None


def test_building_gives_the_random_numbers_of_a_gpu_back(monkeypatch):
    """Before, only the generator of the CPU was, though weights are drawn on the GPU."""
    of_gpu = torch.Generator().manual_seed(3)
    monkeypatch.setattr(generators, "_list_cuda_generators", lambda: (of_gpu,))

    class Drawing(nn.Linear):
        def reset_parameters(self):
            with torch.no_grad():
                self.weight.copy_(torch.rand(self.weight.shape, generator=of_gpu))

    module = Drawing(4, 4, device="meta")
    before = of_gpu.get_state()
    built, _ = MeasurableModule(module, (), {}).build_module(configured())
    assert torch.equal(of_gpu.get_state(), before)
    assert torch.equal(built.weight, torch.rand((4, 4), generator=of_gpu))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "mps", ""])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(UsageError, match="available: cpu, cuda"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_the_message_names_the_cpu():
    with pytest.raises(UsageError, match="measure on the processor with --device cpu"):
        choose_device("cuda")
    assert choose_device(None) == "cpu"


def test_the_environment_says_what_decides_a_time():
    _, environment = open_device("cpu")
    facts = dict(environment.list_facts())
    assert facts["threads"] == str(torch.get_num_threads())
    assert facts["float32 matmul precision"] == torch.get_float32_matmul_precision()
    assert {"cpu", "cores", "torch", "python", "oneDNN", "CPU capability"} <= set(facts)
