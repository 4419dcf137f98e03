"""Sweeps: many models on many inputs, resumable and in parallel, and how cost grows with one size."""
