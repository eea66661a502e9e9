"""The files of tests that take longest, the longest first: from about a minute to ten seconds each, on a quiet machine.

Two processes share the files; whoever is free takes the next.  The long ones begin early, and the short ones fill what is left at the end.
"""

LONGEST = (
    "tests/service/test_wounds.py",
    "tests/failures/test_memory.py",
    "tests/docs/test_benchmarks.py",
    "tests/failures/test_worker_death.py",
    "tests/failures/test_no_cluster.py",
    "tests/testing/test_peers.py",
    "tests/deploy/test_commands.py",
    "tests/service/test_page.py",
    "tests/deploy/slurm/test_slurm.py",
    "tests/deploy/test_proxy.py",
    "tests/engine/test_clusters.py",
    "tests/problems/linear/test_methods.py",
    "tests/problems/linear/test_claims.py",
    "tests/engine/test_engine.py",
    "tests/engine/test_others.py",
    "tests/docs/test_kernel_evidence.py",
    "tests/failures/test_problem_death.py",
    "tests/matrix/test_storage_s3.py",
    "tests/failures/test_bad_chunks.py",
    "tests/docs/test_types.py",
    "tests/docs/test_site.py",
    "tests/service/test_fuzz.py",
    "tests/service/test_kills.py",
    "tests/cli/test_processes.py",
    "tests/failures/test_driver_death.py",
    "tests/service/test_client.py",
)
