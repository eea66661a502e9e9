"""Leverage: how much each row of A decides of its own fit; scores of all rows, and regressions on rows that are drawn by them.

::

    problem ── leverage scores, one a row;  sampled_least_squares: rows drawn by them; draws: which rows are drawn
      ├── choose      the plan
      ├── system      rows and a penalty: what is asked of their passes
      ├── methods     exact  sketched
      ├── method      what a method finds, and what methods of this wing share
      └── certificate  check      what is known of the scores; any scores, judged
"""
