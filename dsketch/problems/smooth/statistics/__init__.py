"""Statistics of a generalised linear model at its maximum: mathematics that asks for passes, as a method does.

::

    inference ── the flow
      ├── information    a factor of Fisher's or the observed information at x, and the sums of the fit
      ├── null           the constant alone
      ├── robust         HC0 to HC3, and by groups
      ├── goodness       dispersion, log-likelihood, AIC, BIC, pseudo-R²
      └── summary        all of it as a value;  remarks: what its reader must know
"""

from dsketch.problems.smooth.statistics.inference import require_unpenalized, summarize_smooth
from dsketch.problems.smooth.statistics.robust import require_one_leverage
from dsketch.problems.smooth.statistics.summary import GLMSummary

__all__ = ["GLMSummary", "require_one_leverage", "require_unpenalized", "summarize_smooth"]
