"""What is not looked through for doctests: the operator's code sets up logging and an event loop when it is imported."""

collect_ignore = ["operator_pods.py"]
