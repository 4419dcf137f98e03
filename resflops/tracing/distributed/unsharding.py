"""Wrappers that gather a model's parameters before each layer, and what stands for them in a trace.

FSDP and its like do no arithmetic of their own in a forward pass: they gather a layer's whole parameters, let
the layer run, and drop them again. So a trace gives the layers whole parameters and leaves the wrappers out.
Nothing is gathered, no other rank has to take part, and the state that the wrappers make at their first call
is not made. Most of this is not public in torch; each name was read in 2.6, 2.14 and 2.15.
"""

import inspect
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from resflops.records import Shape
from resflops.tracing.distributed.tensors import find_local, make_distributed
from resflops.tracing.meta import META
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

__all__ = ["unshard"]

_WRAPPERS = {
    ("torch.nn.parallel.data_parallel", "DataParallel"): "module",
    ("torch.nn.parallel.distributed", "DistributedDataParallel"): "module",
    ("torch.distributed.fsdp.fully_sharded_data_parallel", "FullyShardedDataParallel"): (
        "_fsdp_wrapped_module"
    ),
}
"""Where a wrapper keeps the module whose forward it calls."""
_FULLY_SHARD = "torch.distributed.fsdp._fully_shard"


def unshard(modules: Modules, recorder: Recorder) -> None:
    """Give every layer its whole parameters, and leave the wrappers that would gather them out.

    It writes into the dicts of the modules, which ``preserve_state`` gives back.
    """
    for module in modules.list_modules():
        wrapped = _WRAPPERS.get((type(module).__module__, type(module).__name__))
        if wrapped is not None:
            handle = getattr(module, "_handle", None)
            if handle is not None:
                _unshard_flat(handle, recorder)
            vars(module)["forward"] = getattr(module, wrapped)
        elif callable(getattr(module, "_get_fsdp_state", None)):
            _unshard_fully(module, recorder)


def _unshard_fully(module: Any, recorder: Recorder) -> None:
    """Do what ``fully_shard`` would do at the calls of a module, as far as it concerns the module's ops."""
    state = module._get_fsdp_state()
    policy = state._mp_policy
    vars(module).update(_list_free_methods(module))
    before, after = "_forward_pre_hooks", "_forward_hooks"
    for name in (before, after):
        hooks = vars(module)[name]
        vars(module)[name] = type(hooks)((key, hook) for key, hook in hooks.items() if not _is_own(hook))
    if policy.cast_forward_inputs and policy.param_dtype:
        vars(module)["_forward_pre_hooks_with_kwargs"] = OrderedDict(module._forward_pre_hooks_with_kwargs)
        module.register_forward_pre_hook(
            lambda _, args, kwargs: _cast((args, kwargs), policy.param_dtype), prepend=True, with_kwargs=True
        )
    if policy.output_dtype:
        module.register_forward_hook(lambda *call: _cast(call[-1], policy.output_dtype))
    # One group up to torch 2.9; later as many as there are meshes.
    groups = getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
    for group in filter(None, groups):
        for parameter in group.fsdp_params:
            _unshard_parameter(parameter, policy.param_dtype, recorder)


def _is_own(function: Any) -> bool:
    """Whether a hook is one of fully_shard's own."""
    return str(getattr(function, "__module__", "")).startswith(_FULLY_SHARD)


def _list_free_methods(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """List the methods that ``register_fsdp_forward_method`` has wrapped, as they were before."""
    for name, value in vars(module).items():
        code = getattr(getattr(value, "__func__", None), "__code__", None)
        if code is not None and _FULLY_SHARD.replace(".", "/") in code.co_filename.replace("\\", "/"):
            yield (
                name,
                inspect.unwrap(value.__func__, stop=lambda function: not hasattr(function, "__wrapped__")),
            )


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return tree_map_only(Tensor, lambda t: t.to(dtype) if torch.is_floating_point(t) else t, value)


def _unshard_parameter(parameter: Any, dtype: torch.dtype | None, recorder: Recorder) -> None:
    """Put the whole of one parameter in the places of its shard."""
    if parameter.sharded_state.name == "UNSHARDED":
        return
    sharded, info = parameter.sharded_param, parameter._module_info
    local = find_local(sharded)
    whole = _make_whole(local, tuple(parameter._orig_size), dtype or local.dtype, recorder)
    inner = whole
    # A parameter that was distributed before, over the ranks of a tensor-parallel group, still is.
    spec = getattr(parameter, "_unsharded_dtensor_spec", None) or getattr(parameter, "_tp_spec", None)
    if spec is not None:
        whole = make_distributed(whole, spec, requires_grad=False)
    recorder.producers.enter_double(sharded, inner)
    made = nn.Parameter(whole, requires_grad=sharded.requires_grad)
    recorder.producers.enter_double(sharded, made)
    recorder.producers.enter_double(sharded, find_local(made))
    places = [(info.module, info.param_name)]
    places += zip(info.shared_modules, info.shared_param_names, strict=True)
    for module, name in places:
        module._parameters[name] = made


def _unshard_flat(handle: Any, recorder: Recorder) -> None:
    """Put the parameters that FSDP's first version has joined into one back into their modules."""
    flat = handle.flat_param
    local = flat.detach()
    wholes = []
    for info, shape in zip(flat._param_infos, flat._shapes, strict=True):
        whole = _make_whole(local, tuple(shape), local.dtype, recorder)
        # The module's own parameter, where FSDP was asked to keep them.
        recorder.producers.enter_double(info.module._parameters.get(info.param_name, flat), whole)
        wholes.append((info.module, info.param_name, whole))
    by_place = {(id(module), name): whole for module, name, whole in wholes}
    for info in flat._shared_param_infos:
        whole = by_place[id(info.prim_module), info.prim_param_name]
        wholes.append((info.module, info.param_name, whole))
    for module, name, whole in wholes:
        # FSDP keeps them as plain attributes, unless it was asked to keep the parameters.
        own = module._parameters if name in module._parameters else vars(module)
        own[name] = whole


def _make_whole(local: Tensor, shape: Shape, dtype: torch.dtype, recorder: Recorder) -> Tensor:
    """Make a tensor of the whole parameter's shape: on meta or, in a real run, of the values that are here.

    The parts that other ranks hold are filled with this rank's part.
    """
    if not recorder.real:
        return torch.empty(shape, dtype=dtype, device=META)
    values = local.detach().flatten()
    whole = torch.zeros(shape, dtype=dtype, device=local.device).flatten()
    if values.numel():
        for start in range(0, whole.numel(), values.numel()):
            part = whole[start : start + values.numel()]
            part.copy_(values[: part.numel()])
    return whole.view(shape)
