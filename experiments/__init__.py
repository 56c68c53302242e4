"""Running and comparing: command line, runner, result store, statistics, benchmarks."""
