"""Peak memory: what a model needs at its peak, which layers hold it, and whether it fits, before it runs.

Two ways lead to a :class:`Memory`. ``resflops.tracing.memory`` runs a model with autograd on tensors that
have a shape and no memory, and watches when memory would be taken and released. ``from_traces`` works it
out from a stored trace, by what each op is declared to save for its gradient. Nothing here imports torch.
"""
