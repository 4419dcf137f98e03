"""ONNX files: a graph is read into a trace, without torch and without a run."""

from resflops.sources.onnx_files.loading import load_graph
from resflops.sources.onnx_files.reading import GraphReading, match_nodes, read_graph, read_trace
from resflops.sources.onnx_files.sizes import Given

__all__ = ["Given", "GraphReading", "load_graph", "match_nodes", "read_graph", "read_trace"]
