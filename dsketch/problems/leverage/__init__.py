"""Leverage: how much each row of A decides of its own fit; scores of all rows, and regressions on rows that are drawn by them.

::

    problem ── leverage scores, one a row
      ├── choose      the plan
      ├── system      rows and a penalty: what is asked of their passes
      ├── methods     exact  sketched
      ├── method      what a method finds, and what methods of this wing share;  directions: what a sketched one draws
      └── certificate  check      what is known of the scores; any scores, or any x of a regression, judged
    sampled ── least squares and ridge on rows that are drawn
      ├── sampled_system      how many rows, and what x is on them
      ├── sampled_methods     sampled_exact  sampled_sketched
      ├── sampled_method      scores → rows → x → what was lost
      └── sampled_certificate  how far x is above the least residual
"""
