"""The source of models that a file holds by itself: ``program.pt2``, TorchScript, ONNX, ``model.py``."""

from pathlib import Path

from resflops.errors import ModelError, SpecError, describe_error
from resflops.sources.found_model import FoundModel, WithInputs
from resflops.sources.model_files import is_graph_file, make_unreadable_error, read_kind
from resflops.sources.registry import FACTORY, FILE, SOURCES, Source, register
from resflops.sources.spec import Spec

__all__: list[str] = []


def _find(name: str, spec: Spec) -> FoundModel:
    path = Path(name).expanduser()
    if path.suffix == ".py" and path.is_file():
        return SOURCES[FACTORY].find(f"{name}:", spec)
    if is_graph_file(name) and path.is_file():
        return _find_graph(path, spec)
    kind = read_kind(path)
    if kind not in {"program", "script"}:
        raise make_unreadable_error(name)
    if spec.options:
        raise SpecError(
            f"{spec.text!r}: a model in a file has no options; leave out {', '.join(spec.options)}"
        )
    program = kind == "program"
    return FoundModel(
        spec=spec.text,
        summary=f"the {'torch.export program' if program else 'TorchScript'} in {name}",
        family="yours",
        make=lambda: _load_program(path) if program else _load_script(path, spec),
    )


def _find_graph(path: Path, spec: Spec) -> FoundModel:
    from resflops.sources.onnx_files.finding import find_graph

    return find_graph(path, spec)


def _load_program(path: Path) -> WithInputs:
    from resflops.sources.programs import load_program, make_module

    module = make_module(load_program(path))
    return WithInputs(module, module.plan.inputs.make_inputs)


def _load_script(path: Path, spec: Spec) -> WithInputs:
    from resflops.sources.loading_values import load_values
    from resflops.sources.scripts import load_script, make_module
    from resflops.sources.scripts.inputs import read_script_inputs

    try:
        script = load_script(path)
        with load_values():
            module = make_module(script)
    except ModelError:
        raise
    except Exception as error:
        raise _make_loading_error(spec, error) from error
    return WithInputs(module, read_script_inputs(spec.text, path, script).make_inputs)


def _make_loading_error(spec: Spec, error: Exception) -> ModelError:
    # Torch 2.6 to 2.15 save the weights in another layout than they can load.
    optimized = "keyword attribute 'value' is undefined" in str(error)
    remedy = "; what torch.jit.optimize_for_inference gives cannot be saved: save what it was given"
    return ModelError(
        f"{spec.text!r} could not be loaded: {describe_error(error)}{remedy if optimized else ''}"
    )


register(
    Source(
        prefix=FILE,
        summary="program.pt2, script.pt, graph.onnx, model.py: a file that holds one model",
        find=_find,
        names=list,
    )
)
