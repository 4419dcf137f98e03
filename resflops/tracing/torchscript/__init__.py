"""TorchScript, whose compiled code no recorder sees: in a trace, Python goes through it node by node.

A scripted or traced module keeps its submodules, and the code of each as a graph that calls those of its
children. So every op runs in a frame of its own layer, as if the module were plain Python.
"""

from resflops.tracing.torchscript.calls import Programs, ScriptCalls, describe_unseen

__all__ = ["Programs", "ScriptCalls", "describe_unseen"]
