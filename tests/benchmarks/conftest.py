"""Benchmarks are scripts, which import each other by name: there is no test in them to collect."""

collect_ignore_glob = ["*.py"]
