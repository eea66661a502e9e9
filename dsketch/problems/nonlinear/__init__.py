"""Nonlinear least squares whose f looks at rows through a softmax: ½‖f(x) − b‖², a look a step.

::

    problem ── what all share: starts, the best answer, its examination
      ├── softmax_regression  softmax_resnet  two_layer     the problems
      ├── choose  starts  sides   the plan; where to begin; data with one b
      ├── system      what a look tells of the loss near an x, and an examination by a QR of the Jacobian
      │   ├── row_system    f has a row for each of A's      softmax_system  resnet_system
      │   └── unit_system   f has m numbers, J stays with the driver
      ├── methods     gauss_newton  newton  newton_sampled  gradient_descent
      ├── method      what methods are priced on, asked and find
      └── certificate  check  notes                          what is known of x; any x, judged; what is said besides
"""
