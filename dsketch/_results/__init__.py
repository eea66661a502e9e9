"""From a plan to x at its place, and from there back: the run, its solution, what is written, read again and predicted."""
