"""Speed and closeness, measured: ``python -m benchmarks.ccd`` and its neighbours, from the root of a checkout."""
