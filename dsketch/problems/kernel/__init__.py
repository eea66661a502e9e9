"""The exponential kernel, never formed: swept tile by tile, or restricted to centres.

::

    problem ── (K + λ I) x = b;  restricted: the same with centres, a linear system in their features
      ├── choose      the plan;  case: rows sampled and a tile timed, on which methods are priced
      ├── system      the scaled system that methods work on
      ├── methods     conjugate_gradient      forecast (from sampled rows) → candidates (preconditioners that could be made)
      │               │                       → preconditioners (one is made) → iteration → refinement (once more, from the residual)
      │               low_rank                pivoted_cholesky to rounding, then least squares of minimum norm
      │               feature_space           features stand for the kernel
      ├── answer      what a method finds;  method: what methods of this wing share
      └── certificate  check                  what is known of x; any x, judged
"""
