"""Powers of the Gram matrix, and other functions of it: chains of solves with AᵀA.

::

    problem ── what is asked of A and a b with d rows; power: what even and odd powers share
      ├── gram_power  odd_gram_power  gram_exponential    the problems
      ├── choose      the plan; method: the case that methods are priced on
      ├── system      what is answered once R is known
      ├── methods     factored, factored_whitened         find R, by a QR or by a sketch; direct: the levels of a power by R,
      │               │                                   exponential: by its singular values
      │               alternating, alternating_cg         the paper's; staged: what both share, sequence: the stages in order,
      │                                                   stage: one solve with AᵀA, watched
      ├── answer      what a method finds, and how errors follow from the residuals of its levels
      ├── certificate  check                              what is known of x; any x, judged
      └── gram_factor  products  wide_range               R as a map, real products with AᵀA, numbers beyond float64
"""
