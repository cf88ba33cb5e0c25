"""Speed and memory, measured: ``python -m benchmarks`` writes docs/performance.md."""
