"""Models that are spread over several processes count what this rank does, and are as before afterwards."""

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.errors import TraceError

pytestmark = [
    pytest.mark.skipif(not dist.is_available(), reason="this torch has no torch.distributed"),
    # Of torch's own: an allocator option that it reads under two names, and a group without a device.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(params=[1, 4], ids=["a world of one", "a world of four"])
def world(request):
    """A process group: a real one of this process alone, or torch's fake one, which sends nothing."""
    if request.param == 1:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    else:
        from torch.testing._internal.distributed.fake_pg import FakeStore

        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=request.param)
    yield request.param
    dist.destroy_process_group()


class Mlp(nn.Module):
    """Two linear layers of 12 to 20 to 12, between norms, on rows of 12."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(12)
        self.up, self.down = nn.Linear(12, 20), nn.Linear(20, 12)

    def forward(self, x):
        return x + self.down(F.silu(self.up(self.norm(x))))


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Mlp(), Mlp()])
        self.head = nn.Linear(12, 5, bias=False)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Gated(nn.Module):
    """Looks at a value, so that it has to run for real."""

    def __init__(self):
        super().__init__()
        self.tower = Tower()

    def forward(self, x):
        y = self.tower(x)
        return y if y.sum() > 0 else -y


ROWS = torch.rand(2, 8, 12)
BLOCK = 16 * 2 * 12 * 20
"""16 rows, and in each block two products of 12 and 20."""
HEAD = 16 * 12 * 5
MLP_PARAMS = 2 * 12 + (12 * 20 + 20) + (20 * 12 + 12)


def make_mesh(*sizes, names):
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh("cpu", sizes, mesh_dim_names=names)


def split_products(tower, mesh):
    """Split the first product of a block by columns, and the second by rows."""
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    for block in tower.blocks:
        parallelize_module(block, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
    return tower


def shard(tower, mesh, **options):
    fully_shard = pytest.importorskip("torch.distributed.fsdp").fully_shard
    for block in tower.blocks:
        fully_shard(block, mesh=mesh, **options)
    return fully_shard(tower, mesh=mesh, **options)


def count(model, *inputs):
    cost = resflops.count(model, *inputs, backward=True)
    assert cost.uncounted == cost.backward.uncounted == ()
    return cost


@pytest.mark.parametrize("make", [Tower, Gated], ids=["on shapes", "for real"])
def test_tensor_parallel_models_count_their_part_of_each_split_product(world, make):
    model = make()
    split_products(getattr(model, "tower", model), make_mesh(world, names=("tp",)))
    cost = count(model, ROWS)
    assert cost.macs == 2 * BLOCK // world + HEAD
    assert cost.backward.macs == 2 * cost.macs
    # The bias of a product that is split by rows, the norms and the head are on every rank.
    assert cost.params == 2 * (24 + 12 + (240 + 20 + 240) // world) + 60
    assert f"rank 0 of {world}" in " ".join(cost.trace.notes)


def test_sequence_parallel_models_split_the_rows_of_their_norms(world):
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        SequenceParallel,
        parallelize_module,
    )

    block = parallelize_module(
        Mlp(),
        make_mesh(world, names=("tp",)),
        {
            "norm": SequenceParallel(),
            "up": ColwiseParallel(input_layouts=Shard(1)),
            "down": RowwiseParallel(output_layouts=Shard(1)),
        },
    )
    cost = count(block, torch.rand(2, 8 // world, 12))
    assert cost.macs == BLOCK // world
    (norm,) = [op for op in cost.trace.ops if "layer_norm" in op.op]
    assert norm.input_shapes[0] == (2, 8 // world, 12)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_fully_sharded_models_count_whole_layers_and_the_parameters_of_this_rank(world, device):
    with torch.device(device):
        tower = Tower()
    cost = count(shard(tower, make_mesh(world, names=("dp",))), ROWS)
    assert cost.macs == 2 * BLOCK + HEAD
    assert cost.backward.macs == 2 * cost.macs
    # The five rows of the head are split over four ranks as 2, 2, 1 and 0.
    assert cost.params == 2 * MLP_PARAMS // world + (60 if world == 1 else 2 * 12)
    assert cost.trace.execution == "meta"


def test_fully_sharded_models_that_look_at_values_run_for_real(world):
    model = Gated()
    mesh = make_mesh(world, names=("dp",))
    shard(model.tower, mesh)
    cost = count(model, ROWS)
    assert (cost.macs, cost.trace.execution) == (2 * BLOCK + HEAD, "real")


def test_a_model_may_be_split_and_sharded_at_once(world):
    both = (2, world // 2) if world > 1 else (1, 1)
    mesh = make_mesh(*both, names=("dp", "tp"))
    tower = shard(split_products(Tower(), mesh["tp"]), mesh["dp"])
    assert count(tower, ROWS).macs == 2 * BLOCK // both[1] + HEAD


def test_mixed_precision_of_fully_sharded_models_shows_in_their_ops(world):
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    policy = fsdp.MixedPrecisionPolicy(param_dtype=torch.bfloat16, output_dtype=torch.float32)
    mesh = make_mesh(world, names=("dp",))
    cost = count(fsdp.fully_shard(nn.Linear(12, 6), mesh=mesh, mp_policy=policy), ROWS)
    assert [op.dtype for op in cost.trace.ops] == ["bfloat16", "bfloat16", "float32"]
    assert [op.op for op in cost.trace.ops][1] == "linear"


def test_counting_leaves_a_fully_sharded_model_as_it_was(world):
    tower, mesh = Tower(), make_mesh(world, names=("dp",))
    whole = {name: value.clone() for name, value in tower.state_dict().items()}
    model = shard(tower, mesh)
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    hooks = [(list(m._forward_hooks.values()), list(m._forward_pre_hooks.values())) for m in model.modules()]
    for real in (False, True, True):
        assert resflops.count(resflops.trace(model, ROWS, real=real)).macs == 2 * BLOCK + HEAD
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before
    assert hooks == [
        (list(m._forward_hooks.values()), list(m._forward_pre_hooks.values())) for m in model.modules()
    ]
    assert all(hasattr(parameter, "placements") for parameter in model.parameters())
    if world > 1:
        return
    # Torch 2.6 itself cannot run one on the CPU.
    if torch.__version__ >= "2.7":
        model(ROWS).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        # Some layers stay gathered after a call.
        assert count(model, ROWS).macs == 2 * BLOCK + HEAD
    assert all(torch.equal(p.full_tensor(), whole[name]) for name, p in model.state_dict().items())


def wrap_ddp(tower):
    return nn.parallel.DistributedDataParallel(tower)


def wrap_data_parallel(tower):
    return nn.DataParallel(tower)


def wrap_fsdp(tower):
    fsdp = pytest.importorskip("torch.distributed.fsdp").FullyShardedDataParallel
    return fsdp(tower, device_id=torch.device("cpu"))


def wrap_fsdp_with_own_parameters(tower):
    fsdp = pytest.importorskip("torch.distributed.fsdp").FullyShardedDataParallel
    return fsdp(tower, device_id=torch.device("cpu"), use_orig_params=True)


@pytest.mark.parametrize("wrap", [wrap_ddp, wrap_data_parallel, wrap_fsdp, wrap_fsdp_with_own_parameters])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
def test_a_wrapped_model_counts_what_it_does_without_its_wrapper(world, wrap, training):
    model = wrap(nn.Sequential(Tower(), nn.BatchNorm1d(8))).train(training)
    cost = count(model, ROWS)
    assert cost.macs == 2 * BLOCK + HEAD
    assert cost.backward.macs == 2 * cost.macs
    assert model.training is training
    assert "forward" not in vars(model)
    if world == 1:
        assert model(ROWS).shape == (2, 8, 5)


def test_collectives_of_the_model_itself_are_free(world):
    class Reducing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(12, 6)

        def forward(self, x):
            y = self.layer(x)
            dist.all_reduce(y)
            gathered = [torch.empty_like(y) for _ in range(dist.get_world_size())]
            dist.all_gather(gathered, y)
            dist.broadcast(y, 0)
            return torch.cat(gathered)

    cost = count(Reducing(), ROWS)
    assert cost.macs == 16 * 12 * 6


def test_inputs_may_be_distributed(world):
    from torch.distributed.tensor import Shard, distribute_module, distribute_tensor

    mesh = make_mesh(world, names=("dp",))
    rows = distribute_tensor(torch.rand(4 * world, 12), mesh, [Shard(0)])
    cost = count(distribute_module(nn.Linear(12, 6), mesh), rows)
    assert cost.macs == 4 * 12 * 6


def test_what_torch_refuses_of_distributed_tensors_is_told_with_the_layer(world):
    from torch.distributed.tensor import distribute_module

    model = nn.Sequential(nn.ReLU(), distribute_module(nn.Linear(12, 6), make_mesh(world, names=("dp",))))
    with pytest.raises(TraceError, match=r"1: linear on .*mixed torch.Tensor and DTensor"):
        resflops.count(model, ROWS)
