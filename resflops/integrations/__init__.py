"""Where resflops works inside other tools: notebooks, and pytest."""
