"""Calls of alleles, as VCF-Zarr stores them, as one number a sample: how many of its alleles are not the reference.

``call_genotype`` (variants × samples × ploidy, int8) holds numbers of alleles: 0 the reference, 1 and above the others, −1 one that is
missing, −2 a place that a sample has no allele for (it has fewer of them).  The dosage is the count of alleles above 0; it is missing
where an allele is, and where a sample has none at all.  For two alleles it is the sum over the ploidy.

References
----------
The VCF Zarr specification 0.4, https://github.com/sgkit-dev/vcf-zarr-spec; E. Czech et al., "Analysis-ready VCF at Biobank scale using
Zarr", GigaScience 14, 2025 (bio2zarr).
"""

import numpy as np
from numpy.typing import NDArray

MISSING_CALL, NO_ALLELE = -1, -2
_PIECE = 65_536  # so many calls at once stay in the cache with what is made of them


def dosages(calls: NDArray[np.signedinteger], out: NDArray[np.int8] | None = None) -> NDArray[np.int8]:
    """Return the number of alleles that are not the reference, −1 where it is not known.

    Parameters
    ----------
    calls : ndarray of integers, shape (variants, samples, ploidy)
    out : ndarray of int8, shape (variants, samples), optional
        Memory in C order for the result.

    Returns
    -------
    ndarray of int8, shape (variants, samples)

    >>> dosages(np.array([[[0, 1], [1, 2], [-1, 1], [1, -2], [-2, -2]]], np.int8))
    array([[ 1,  2, -1,  1, -1]], dtype=int8)
    """
    variants, samples, ploidy = calls.shape
    flat = calls.reshape(variants * samples, ploidy)
    out = np.empty((variants, samples), np.int8) if out is None else out
    counted = out.reshape(-1)
    for low in range(0, len(flat), _PIECE):
        piece, target = flat[low : low + _PIECE], counted[low : low + _PIECE]
        if piece.min(initial=0) >= 0:
            _count(piece, target)
            continue
        _count(piece, target)
        target[(piece == MISSING_CALL).any(axis=1) | (piece < 0).all(axis=1)] = MISSING_CALL
    return out


def _count(piece: NDArray[np.signedinteger], target: NDArray[np.int8]) -> None:
    """Fill ``target`` with the number of alleles above 0 of each call."""
    np.greater(piece[:, 0], 0, out=target.view(np.bool_))
    for place in range(1, piece.shape[1]):
        target += piece[:, place] > 0
