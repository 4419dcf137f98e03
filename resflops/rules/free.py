"""Ops that do no arithmetic and have not moved to ``resflops.ops`` yet."""

from resflops.rules.registry import free

free("data movement: elements are copied, none is computed", "embedding")
