"""The verdict on an X and Y of a layer: by a QR of the whole Jacobian where that is no larger than 1,024 numbers of each, else by sums."""

from dataclasses import dataclass, replace

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.attention.layer_examination import LayerExamination, examine_by_products
from dsketch.problems.attention.layer_method import LayerMethod, LayerTask
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.nonlinear.certificate import ESCAPES, NonlinearCertificate, certify, leave
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.problems.nonlinear.system import Examination
from dsketch.settings import Settings


@dataclass(frozen=True)
class Judgement:
    """What is known of an X and Y.

    Attributes
    ----------
    examination : Examination or LayerExamination
    certificate : NonlinearCertificate
    lost : int
        Directions of X and Y that the data leave open, and are no symmetry.
    is_symmetry : bool
        Whether there are others of the same layer, of which x is the shortest.
    """

    examination: Examination | LayerExamination
    certificate: NonlinearCertificate
    lost: int
    is_symmetry: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """How many directions are left open, a warning at a saddle, and what takes a matrix that is too large."""
        notes = []
        if self.lost:
            notes.append(
                f"J lacks rank at x ({self.certificate.rank_reason}): {self.lost} direction(s) of X and Y are not determined"
            )
        if self.certificate.is_saddle:
            least = self.certificate.least_eigenvalue
            notes.append(f"x is a saddle: along the least eigenvalue {least:.1e} the loss falls; try other starts")
        if isinstance(self.examination, LayerExamination):
            numbers = self.examination.extent.slope.size + self.examination.extent.slope_values.size
            notes.append(
                "no bound on the distance of x from a minimizer is known, nor the rank of J: both take a matrix with a row for each of "
                f"the {numbers:,} numbers of X and Y; loss and backward error are told without it"
            )
        return tuple(notes)


def judge_layer(layer: VisibleLayer, X: Floats, Y: Floats) -> Flow[Judgement]:
    """Examine X, a vector, and Y.

    Raises
    ------
    DataError
        If logits overflow.
    """
    if layer.system.has_matrix:
        found = yield from layer.examine(X, Y)
        lost = len(found.x) - found.factor.rank
        is_symmetry = lost == layer.spare if lost else not layer.is_whole
        return Judgement(found, certify(found), 0 if is_symmetry else lost, is_symmetry)
    summed = yield from examine_by_products(layer, X, Y)
    rows, (of_x, of_y) = layer.system.B.shape, layer.numbers
    lost = 0 if layer.system.alpha else max(of_x + of_y - layer.spare - rows[0] * rows[1], 0)
    return Judgement(summed, summed.certificate, lost, not lost and (layer.spare > 0 or not layer.is_whole))


def settle(
    layer: VisibleLayer, method: LayerMethod, settings: Settings, answer: NonlinearAnswer
) -> Flow[tuple[NonlinearAnswer, Judgement]]:
    """Judge an answer; leave a saddle along the direction in which the loss falls most, where a matrix has it, and go on from there."""
    found = yield from judge_layer(layer, layer.turn_back(answer.x_vector), answer.local.kept.Y)
    for _ in range(ESCAPES):
        if not (found.certificate.is_saddle and isinstance(found.examination, Examination)):
            break
        start = layer.turn(leave(found.examination)[: len(answer.x_vector)])
        tried = yield from method.solve(LayerTask(layer, start), settings)
        if not tried.local.value < answer.local.value:
            break
        said = "left a saddle of the loss along the direction in which it falls"
        answer = replace(tried, steps=answer.steps + tried.steps, notes=(*answer.notes, said, *tried.notes))
        found = yield from judge_layer(layer, layer.turn_back(answer.x_vector), answer.local.kept.Y)
    return answer, found
