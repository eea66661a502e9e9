"""Attention: each row of Q looks at all rows of K and takes a weighted mean of those of V; never n × m, and gradients of it.

::

    problem ── attention, a row for each of Q's, written by the workers
      ├── choose      the plan;  case: what methods are priced on
      ├── system      Q, K, V and what is asked of them; how long their rows are
      ├── methods     sweep;  for powers features  sketched;  for a convolution basis conv
      ├── method      what a method finds
      ├── inputs  sample      what is given, and its first rows
      ├── rounding  polynomial_rounding  conv_rounding  certificate  check      what rounding may have done to the rows; any rows, judged
      └── gradient      at Q, K or V, from the gradient at the rows; gradient_system, _methods, _sweep, _rounding, _certificate likewise
"""
