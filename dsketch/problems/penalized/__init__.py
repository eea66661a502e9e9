"""Penalized and bounded least squares, min ½‖A x − b‖² + λ‖x‖₁ + ½ μ‖x‖² within bounds: lasso, elastic net, paths, boxes.

::

    problem ── what all share;  elastic_net, bounded: the problems;  bounds: as users give them
      ├── choose       the plan
      ├── system       rows: which pass gives their Gram matrix, triangle, pull
      ├── methods      gram  triangle
      │   └── refinement   the look that certifies and corrects
      │       ├── guess        elastic nets on d × d by their signs, all points at once
      │       ├── active_set   the d × d problem, solved exactly, from anywhere
      │       ├── quadratic    its curvature, by a Gram matrix or a triangle
      │       └── cost         what is added, and its kinks
      ├── method       what a method finds
      └── certificate  check   what is known of x; any x, judged
          └── gap      duality gap, distance from the minimizers, by a measured pull

    elastic_net_path ── many elastic nets at once
      ├── grid              their penalties
      ├── cross_validation  which of them held-out rows choose
      └── path_methods  path_certificate
"""
