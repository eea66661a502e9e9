"""Inverse problems of leverage scores σ(x) of diag(A x − b)⁻¹A: x from their gradient g(x) = −Σσa/s, and x from the scores themselves.

::

    problem ── LeverageGradient, g(x) = c                     distribution ── LeverageDistribution, min ‖σ(x) − σ*‖
      ├── system      what two looks tell at an x               ├── distribution_system   three looks: loss, gradient, JᵀJ
      ├── descent     damped steps that keep all signs          ├── levenberg             down a potential, then Levenberg's steps
      ├── methods     newton  quasi_newton  newton_sampled  gradient_descent
      │                                                         └── distribution_methods  levenberg, and those of nonlinear problems
      ├── weighted    the paper's penalized loss, which moves x
      ├── method  choose     what methods are priced on, asked and find; the plans of both
      └── certificate  check  notes      what is proven of x; any x, judged; what is said besides
"""
