"""Measurements that take longer than a test: ``python -m benchmarks``. Results go to ``benchmarks/results``."""
