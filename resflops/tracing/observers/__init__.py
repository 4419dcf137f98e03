"""Observers: what is learnt of a forward pass besides its ops, each in a module of its own.

A recorder is composed with as many of them as the trace asks for, and without any it is the
same recorder at the same speed. What an observer may hear of is in ``observer.py``.
"""

from resflops.tracing.observers.input_values import InputValues
from resflops.tracing.observers.observer import Observer
from resflops.tracing.observers.weight_zeros import WeightZeros, check_values

__all__ = ["InputValues", "Observer", "WeightZeros", "check_values"]
