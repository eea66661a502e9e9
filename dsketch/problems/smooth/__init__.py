"""Smooth problems, min Σ wᵢ φ(aᵢᵀx; yᵢ) + ½ Σ pⱼ xⱼ²: generalised linear models by Newton steps of one pass each.

::

    problem ── what all share;  glm: the problem
      ├── choose      the plan
      ├── system      the model: rows, a row function and a penalty; what is asked of its passes
      ├── methods     newton  newton_qr  newton_sketch    a factor of the Hessian, or of its sketch
      │               conjugate_gradient  gradient_descent
      │   └── descent    the steps that all take; metric: the factor at hand, and what it proves;
      │       │            face: what it drops, and whether rows know of it; separation: why there is no minimizer
      │       └── majorized  longer ways, of losses that are all but flat afar
      ├── method      what a method finds, and what methods of this wing share
      ├── centring    x for A as it is stored, where columns were shifted
      └── certificate  check                              what is known of x; any x, judged
"""
