"""Failure tests: real processes are killed, real files damaged, a real disk filled."""
