"""Marginal regressions: each column of a wide store by itself, against many targets, with common covariates projected out.

::

    problem ── coefficient, standard error, t, p for each column and target; the columns of G are the rows of the run
      ├── system       columns, targets and covariates: what the pass looks at
      ├── choose       the plan: what groups of targets, reading and products cost
      ├── methods  method  projection    the one way there is
      └── certificate  check             what rounding did, on columns made again in extended precision; any coefficients, judged
"""
