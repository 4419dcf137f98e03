"""Attributes the time of a step of onnxruntime to layers, by its own profile of the nodes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from resflops.latency.backends.scopes import Node, join_layers, name_layers
from resflops.latency.measurements import Attribution, LayerTime
from resflops.latency.session import Step
from resflops.latency.statistics import median

__all__ = ["attribute_nodes", "name_nodes"]

BETWEEN = "(between nodes)"
"""What a run takes besides its nodes."""

Opener = Callable[[dict[str, Any]], tuple[Any, Step]]


def attribute_nodes(
    open_profiled: Opener, plain: Step, exported: Sequence[Node], *, repetitions: int
) -> Attribution:
    """Time every node, and add the times up by layer.

    Args:
        open_profiled: opens the session again with settings of onnxruntime's SessionOptions, and returns it
            with its step.
        plain: the step without a profile, which takes turns with that with one.
        exported: the nodes of the file that the session is of.
        repetitions: how many steps the medians are of.
    """
    unprofiled: list[float] = []
    with TemporaryDirectory(prefix="resflops-profile-", ignore_cleanup_errors=True) as folder:
        optimized = Path(folder, "optimized.onnx")
        session, step = open_profiled(
            {
                "enable_profiling": True,
                "profile_file_prefix": str(Path(folder, "profile")),
                "optimized_model_filepath": str(optimized),
            }
        )
        # The first step may choose kernels and allocate, so it is left out.
        plain()
        step()
        for _ in range(repetitions):
            unprofiled.append(_time(plain))
            step()
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        executed = _read_nodes(optimized)
    runs = _read_runs(events)[1:]
    layers = join_layers(executed, exported)
    rows = [_add_up_by_layer(nodes, whole, layers) for nodes, whole in runs]
    names = dict.fromkeys(name for row in rows for name in row)
    fused = {name_layers(each): each for each in layers.values() if len(each) > 1}
    return Attribution(
        layers=tuple(
            LayerTime(
                name=name,
                seconds=round(median([row.get(name, 0.0) for row in rows]), 9),
                fused=fused.get(name, ()),
            )
            for name in names
        ),
        seconds=round(median([whole for _, whole in runs]), 9),
        plain_seconds=round(median(unprofiled), 9),
        repetitions=repetitions,
    )


def name_nodes(path: Path) -> Path | bytes:
    """Name the nodes of a file that have no name, by the first value that each makes.

    onnxruntime's profile numbers such nodes after it has fused others, so that nobody can tell them any more.

    Returns:
        The file itself, if all of its nodes have names; else what would be in a file whose nodes have.
    """
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    unnamed = [node for node in model.graph.node if not node.name]
    for node in unnamed:
        node.name = next(filter(None, node.output), "")
    return model.SerializeToString() if unnamed else path


def _time(step: Step) -> float:
    start = perf_counter()
    step()
    return perf_counter() - start


def _read_nodes(path: Path) -> list[Node]:
    """Read the nodes that are executed."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    return [
        Node(
            name=each.name,
            op=each.op_type,
            inputs=tuple(name for name in each.input if name),
            outputs=tuple(each.output),
        )
        for each in graph.node
    ]


def _read_runs(events: Sequence[dict[str, Any]]) -> list[tuple[list[tuple[str, str, float]], float]]:
    """Read, run by run, the name, op and seconds of each node, and the seconds of the whole."""
    runs: list[tuple[list[tuple[str, str, float]], float]] = []
    nodes: list[tuple[str, str, float]] = []
    starts: list[float] = []
    for event in events:
        # Microseconds; the event of a run follows those of its nodes.
        seconds = event.get("dur", 0) / 1e6
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            op = event.get("args", {}).get("op_name", "")
            # Those in the graphs of a node, such as a loop, end before it, and are a part of its time.
            while starts and starts[-1] >= event["ts"]:
                starts.pop()
                nodes.pop()
            starts.append(event["ts"])
            nodes.append((event["name"].removesuffix("_kernel_time"), op, seconds))
        elif event.get("name") == "model_run":
            runs.append((nodes, seconds))
            nodes, starts = [], []
    return runs


def _add_up_by_layer(
    nodes: Sequence[tuple[str, str, float]], whole: float, layers: dict[str, tuple[str, ...]]
) -> dict[str, float]:
    """Add the nodes of a run up by layer; what belongs to none goes by the op, such as a change of layout."""
    seconds: dict[str, float] = {}
    for name, op, taken in nodes:
        found = layers.get(name)
        row = name_layers(found) if found else f"({op})"
        seconds[row] = seconds.get(row, 0.0) + taken
    return seconds | {BETWEEN: max(whole - sum(seconds.values()), 0.0)}
