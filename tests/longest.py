"""The files of tests that take longest, the longest first: some twenty seconds and more each, on a quiet machine.

Two processes share the files; whoever is free takes the next.  The long ones begin early, and the short ones fill what is left at the end.
"""

LONGEST = (
    "tests/docs/test_benchmarks.py",
    "tests/failures/test_memory.py",
    "tests/service/test_wounds.py",
    "tests/testing/test_peers.py",
    "tests/service/test_page.py",
    "tests/failures/test_driver_death.py",
    "tests/deploy/test_commands.py",
    "tests/docs/test_kernel_evidence.py",
    "tests/problems/linear/test_claims.py",
    "tests/failures/test_problem_death.py",
    "tests/deploy/slurm/test_slurm.py",
    "tests/failures/test_worker_death.py",
    "tests/failures/test_no_cluster.py",
    "tests/deploy/test_proxy.py",
    "tests/service/test_fuzz.py",
    "tests/matrix/test_storage_s3.py",
    "tests/docs/test_lint.py",
    "tests/engine/test_clusters.py",
    "tests/cli/test_processes.py",
    "tests/matrix/test_retrying.py",
    "tests/docs/test_evidence.py",
)
