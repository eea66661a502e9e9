"""What is known of all heads together."""

from collections.abc import Sequence

import numpy as np

from dsketch.problems.outcome import Certificate


def join_certificates(certificates: Sequence[Certificate]) -> Certificate:
    """Return the certificate of all: numbers side by side, the worst condition."""
    worst = max(certificates, key=lambda certificate: certificate.condition)
    return Certificate(
        backward_error=np.concatenate([certificate.backward_error for certificate in certificates]),
        residual_norm=np.concatenate([certificate.residual_norm for certificate in certificates]),
        forward_error=np.concatenate([certificate.forward_error for certificate in certificates]),
        condition=worst.condition,
        rank=sum(certificate.rank for certificate in certificates),
        rank_reason=f"{len(certificates)} heads; of the worst conditioned: {worst.rank_reason}",
    )
