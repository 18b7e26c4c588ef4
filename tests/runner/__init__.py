"""The parts of tests/run: processes and their output, what a change touches, budgets, servers that all share."""
