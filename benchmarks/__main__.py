"""``python -m benchmarks``: every measurement, one after the other."""

from benchmarks import engine, pocket

engine.main()
pocket.main()
