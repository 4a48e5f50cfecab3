"""``python -m benchmarks``: every measurement, one after the other."""

from benchmarks import pocket

pocket.main()
