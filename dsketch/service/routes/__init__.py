"""The routes: jobs, events, the service itself; each calls the desk and nothing else."""
