"""Storages of a trace on shapes are those of a real run, and a real run's are what data pointers say."""

import json

import pytest
import torch
import torchvision
from torch import nn

import resflops
from resflops.records import StorageRecord, Trace
from resflops.tracing.modules import Modules
from resflops.tracing.observers import Observer
from resflops.tracing.recorder import Recorder


class Module(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.does = forward
        self.weight = nn.Parameter(torch.ones(4, 6))
        self.register_buffer("mean", torch.zeros(4, 6))

    def forward(self, *inputs):
        return self.does(self, *inputs)


class Pointers(Observer):
    """Remembers where the outputs of every op lie. It holds them, so that no address is used twice."""

    def __init__(self):
        self.held, self.found = [], []

    def on_record(self, index, record, inputs, outputs):
        self.held += outputs
        # The single ops of a function that is several have no memory.
        places = tuple(None if out.is_meta else out.untyped_storage().data_ptr() for out in outputs)
        self.found[index:] = [(record.storages, places)]


def is_one_to_one(pairs):
    pairs = set(pairs)
    return len({left for left, _ in pairs}) == len(pairs) == len({right for _, right in pairs})


def check_pointers(model, *inputs, **keywords):
    pointers = Pointers()
    with torch.no_grad(), Recorder(Modules(model), real=True, observers=[pointers]):
        model(*inputs, **keywords)
    known = [
        pair
        for storages, places in pointers.found
        for pair in zip(storages, places, strict=True)
        if pair[1] is not None
    ]
    # Empty tensors all lie at 0.
    assert is_one_to_one(pair for pair in known if pair[1])


def list_storages(trace):
    """The memory of every op's outputs, by the order in which it is met, or by what it was before."""
    numbers = {}
    return [
        (
            record.op,
            tuple(
                trace.given_storages[-1 - each] if each < 0 else numbers.setdefault(each, len(numbers))
                for each in record.storages
            ),
        )
        for record in trace.ops
        # Torch moves a constant to where it is only if it has values.
        if record.op != "lift_fresh"
    ]


def check_model(model, *inputs, **keywords):
    on_shapes = resflops.trace(model, *inputs, **keywords)
    assert on_shapes.execution == "meta"
    assert list_storages(on_shapes) == list_storages(resflops.trace(model, *inputs, real=True, **keywords))
    check_pointers(model, *inputs, **keywords)


# All of them, which takes minutes: tests/benchmarks/storages.py.
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("resnet34", 64),
        ("resnet50_v1_5", 64),
        ("plain18", 64),
        ("resnet20", 32),
        ("preact_resnet18", 64),
        ("wrn_16_4", 32),
        ("resnext29_8x64d", 32),
        ("keras_resnet50", 64),
        ("keras_resnet50_v2", 64),
        ("tf_resnet18_cifar", 32),
        ("vgg11", 64),
        ("vgg11_lrn", 64),
        ("vgg16_c_bn", 64),
    ],
)
def test_built_in_networks(name, size):
    # Any weights do.
    model = resflops.load(name).to_empty(device="cpu").eval()
    check_model(model, torch.rand(1, 3, size, size))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("vgg11", 64),
        ("densenet121", 64),
        ("mobilenet_v3_small", 64),
        ("shufflenet_v2_x0_5", 64),
        ("squeezenet1_0", 64),
        ("efficientnet_b0", 64),
        ("regnet_y_400mf", 64),
        ("convnext_tiny", 64),
        ("swin_t", 64),
        ("swin_v2_t", 64),
        ("vit_b_32", 224),
    ],
)
def test_families_of_torchvision(name, size):
    check_model(torchvision.models.get_model(name).eval(), torch.rand(2, 3, size, size))


SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize(
    ("config", "more"),
    [
        ("BertConfig", {}),
        ("RobertaConfig", {}),
        ("ElectraConfig", {"embedding_size": 16}),
        ("AlbertConfig", {"embedding_size": 16}),
        ("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}),
        ("GPTNeoXConfig", {}),
        ("LlamaConfig", {}),
        ("Qwen2Config", {}),
        ("GemmaConfig", {"head_dim": 8}),
        ("PhiConfig", {}),
        ("BloomConfig", {"n_layer": 2, "n_head": 4}),
        ("OPTConfig", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    ],
)
def test_configs_of_hugging_face(config, more):
    transformers = pytest.importorskip("transformers")
    made = getattr(transformers, config)(**{**SMALL, **more})
    check_model(transformers.AutoModel.from_config(made).eval(), input_ids=torch.randint(2, 64, (2, 12)))


@pytest.mark.parametrize(
    ("does", "shares"),
    [
        pytest.param(lambda x: x + 1, False, id="a new tensor"),
        pytest.param(lambda x: x.view(3, 8).t(), True, id="views"),
        pytest.param(lambda x: x.relu_(), True, id="in place"),
        pytest.param(lambda x: x[:, 1:].mul_(3), True, id="in place on a view"),
        pytest.param(lambda x: x.reshape(24), True, id="reshape that views"),
        pytest.param(lambda x: x.t().reshape(24), False, id="reshape that copies"),
        pytest.param(lambda x: x.t().contiguous(), False, id="contiguous that copies"),
        pytest.param(lambda x: x.contiguous(), True, id="contiguous that does nothing"),
        pytest.param(lambda x: (x.t() + 1).flatten(), False, id="sums keep the order of elements"),
        pytest.param(
            lambda x: x.t()[:, :1].flatten(), True, id="a column of a transposed matrix, which is a row"
        ),
        pytest.param(lambda x: x[:1].t().flatten(), True, id="a row, which needs no copy"),
        pytest.param(lambda x: x.expand(2, 4, 6).reshape(48), False, id="repeated elements"),
        pytest.param(lambda x: x.float(), True, id="a conversion that does nothing"),
        pytest.param(lambda x: x.double(), False, id="a conversion"),
        pytest.param(lambda x: x.chunk(2, 1), True, id="all pieces"),
        pytest.param(lambda x: x.unbind(), True, id="all rows"),
        pytest.param(lambda x: x.max(1), False, id="several results"),
        pytest.param(lambda x: x[1:, 0], True, id="a slice"),
        pytest.param(lambda x: x[torch.tensor([1], device=x.device)], False, id="rows by their indices"),
        pytest.param(lambda x: x.__setitem__(0, 1.0), True, id="an assignment"),
        pytest.param(lambda x: torch.mul(x, 2, out=x), True, id="an output that is given"),
        pytest.param(lambda x: nn.functional.dropout(x, training=False), True, id="dropout in eval mode"),
        pytest.param(lambda x: nn.functional.dropout(x, training=True), False, id="dropout"),
    ],
)
@pytest.mark.parametrize("way", ["described", "dispatched", "real"])
def test_the_outputs_of_an_op_lie_in_its_inputs_memory_or_in_new(way, does, shares):
    model = Module(lambda _, x: does(x * 2))
    recorder = Recorder(Modules(model), real=way == "real", described=way != "dispatched")
    x = torch.ones(4, 6, device="cpu" if way == "real" else "meta")
    with torch.no_grad(), recorder:
        model(x)
    product, last = recorder.ops[0].storages, recorder.ops[-1].storages
    assert (set(last) == set(product)) is shares
    assert shares or len(set(last)) == len(last)


@pytest.mark.parametrize("real", [False, True])
def test_a_view_of_a_second_result_lies_in_that_results_memory(real):
    trace = resflops.trace(Module(lambda _, x: x.max(1)[1].view(2, 2)), torch.ones(4, 6), real=real)
    assert [record.storages for record in trace.ops] == [(0, 1), (1,)]


def test_given_storages_are_named():
    def does(m, x, *, mask):
        return x.view(-1), mask.t(), m.weight.view(-1), m.mean.view(-1), m.inner.weight.t(), CONSTANT.view(-1)

    model = Module(does)
    model.forward = lambda x, mask: does(model, x, mask=mask)
    model.inner = nn.Linear(6, 4)
    trace = resflops.trace(model, torch.ones(4, 6), mask=torch.ones(2, 2))
    assert trace.given_storages == (
        StorageRecord(kind="input", name="0"),
        StorageRecord(kind="input", name="mask"),
        StorageRecord(kind="parameter", name="weight"),
        StorageRecord(kind="buffer", name="mean"),
        StorageRecord(kind="parameter", name="inner.weight"),
        StorageRecord(kind="constant"),
    )
    assert [record.storages for record in trace.ops] == [(-1,), (-2,), (-3,), (-4,), (-5,), (-6,)]


CONSTANT = torch.zeros(3)


def test_storages_come_back_from_a_file_and_older_files_have_none(tmp_path):
    trace = resflops.trace(Module(lambda m, x: m.weight.t() * x.relu().t()), (4, 6))
    trace.save(tmp_path / "trace.json")
    assert Trace.load(tmp_path / "trace.json") == trace
    text = (tmp_path / "trace.json").read_text()
    data = json.loads(text)
    del data["given_storages"]
    for record in data["ops"]:
        del record["storages"]
    (tmp_path / "older.json").write_text(json.dumps(data))
    older = Trace.load(tmp_path / "older.json")
    assert [record.storages for record in older.ops] == [()] * len(trace.ops)
    earlier, later = (resflops.count(each, backward=True).backward.gradients for each in (older, trace))
    assert earlier == later
