"""What a trace costs: its ops priced under a convention, layer by layer, forward and backward."""

from resflops.cost.cost import Cost, UncountedOp, check_prices_gradients, price

__all__ = ["Cost", "UncountedOp", "check_prices_gradients", "price"]
