"""Observers: what is learnt of a forward pass besides its ops, each in a module of its own.

A recorder takes as many of them as the trace asks for. ``observer.py`` has what an observer is told.
"""

from resflops.tracing.observers.input_values import InputValues
from resflops.tracing.observers.lifetimes import Lifetimes
from resflops.tracing.observers.observer import Observer
from resflops.tracing.observers.sparse_values import SparseValues
from resflops.tracing.observers.weight_zeros import WeightZeros, check_values

__all__ = ["InputValues", "Lifetimes", "Observer", "SparseValues", "WeightZeros", "check_values"]
