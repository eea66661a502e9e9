"""What a finished run can show to others: its receipt, and the audit of one."""

import os
from typing import Any

from dsketch._results.audit import audit as audit_run
from dsketch._results.findings import Audit
from dsketch._results.receipt import Receipt, read_receipt


def receipt(journal: str | os.PathLike[str]) -> Receipt:
    """Return the receipt of a finished run: what was asked, what came out, and the digest that holds for every record.

    Parameters
    ----------
    journal : path or URL
        Of the run, or of a receipt that was kept elsewhere (``….json``).

    Raises
    ------
    JournalError
        If there is none, the run is not finished, or the receipt was changed.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from dsketch import lstsq
    >>> run = tempfile.mkdtemp()
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> solution = lstsq(A, A @ [1.0, 2.0], journal=run)
    >>> receipt(run).passes == len(solution.passes), receipt(run).answer["status"]
    (True, 'SOLVED')
    """
    return read_receipt(journal)


def audit(
    receipt: Receipt | str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    data: Any = None,
    panels: int | None = None,
    share: float | None = None,
    signer: str | os.PathLike[str] | bytes | None = None,
    seed: int | None = None,
    x: Any = None,
) -> Audit:
    """Say what is false of a finished run, by its receipt; reads no row unless panels are asked for.

    Parameters
    ----------
    receipt : Receipt, path or URL
        Of the receipt (``….json``), or of the journal that holds it.
    journal : path or URL, optional
        Where the journal is; None: beside the receipt, or where the receipt says.
    data : path, URL, mapping of str to path, or Problem, optional
        Where the data are: A, or ``{"A": …, "b": …}``, or the whole problem where it read from memory; None: where the journal says.
    panels : int, optional
        How many panels to draw and make again from the data; None: 50 if data are given, else none.
    share : float, optional
        The most that they may read, as a part of what the solve read: 0.05 draws as many as 5 % hold, of ``panels`` at most if that is
        given.  None: whatever they read.
    signer : path, bytes or str, optional
        The public key that must have signed: PEM, or 64 hexadecimal digits.
    seed : int, optional
        Of the draw, to have it again.  None: unforeseeable, as it must be where somebody could cheat.
    x : array_like, path or URL, optional
        An x with a number for each row of A, to be compared with the receipt; None: where the run was told to write it.

    Returns
    -------
    Audit
        ``faults`` names each record or panel that is false; ``catches(f)`` is the probability that the draw shows a share f of false
        panels.

    Raises
    ------
    JournalError
        If there is no receipt or no journal.
    SpecError, DataError
        If panels are to be made again and the data cannot be opened.

    Notes
    -----
    Checked without data: digests, links, signature; the steps of the driver, run again on the recorded sums to the bits of x; each sum
    against what its panels said, with random signs.  The signs are known to who computes, so that check finds errors, not a forger who
    takes care; drawn panels find him.  Bits are those of one kind of processor and one build of NumPy and SciPy: elsewhere the last
    ones may differ, and a true panel may seem false.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from dsketch import LeastSquares, solve
    >>> run = tempfile.mkdtemp()
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> problem = LeastSquares(A, A @ [1.0, 2.0])
    >>> solution = solve(problem, journal=run)
    >>> found = audit(run, data=problem)
    >>> found.is_clean, found.is_replayed, found.drawn == found.panels
    (True, True, True)
    """
    return audit_run(receipt, journal=journal, data=data, panels=panels, share=share, signer=signer, seed=seed, x=x)
