"""Least squares and ridge, min ‖A x − b‖² + Σ pᵢ xᵢ²: one method a file, the paper on top.

::

    problem ── what both share;  least_squares, ridge: the problems
      ├── choose      the plan
      ├── system      rows and a penalty: which pass gives its sketch, Gram matrix, triangle, gradient, curvature
      ├── methods     cholesky  gram  whitened  tsqr          direct; polish: the pass that certifies and corrects
      │               conjugate_gradient  gradient_descent    refinement: sketch, start, rounds
      │               sketch_and_solve                        an error bar instead of a certificate
      ├── method      what a method finds, and what methods of this wing share
      ├── certificate  check                                  what is known of x; any x, judged
      │   └── distance  stored_errors                         how far x is from the minimizer; for A as it is stored
      ├── centring    columns far from zero beside an intercept
      └── statistics/ regression tables from the factor of the minimizer
"""
