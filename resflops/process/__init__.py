"""The process that resflops runs in: whose it is, and when Python collects garbage in it."""
