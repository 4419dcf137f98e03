"""Curves: what a model costs along one variable, and the exact law that the figures follow."""
