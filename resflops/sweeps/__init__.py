"""Sweeps: many models on many inputs, resumable and in parallel, and how cost grows with one size."""

from resflops.sweeps.counting_process import count_batch

__all__ = ["count_batch"]
