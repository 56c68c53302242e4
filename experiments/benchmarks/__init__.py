"""Benchmarks of speed: specifications that are timed only on demand."""
