"""Several problems on heads of one A, answered together: the passes of the slowest, not their sum.

::

    problem ── Heads
      ├── choose       the plan: that of the first head, the others by its method
      ├── methods      those of the families that heads can be of
      ├── lockstep     flows side by side, whose looks at one A are one reading of it
      └── certificate  check      what is known of all heads; any x, judged
"""
