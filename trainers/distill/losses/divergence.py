"""Compare distributions given as logits."""

from torch import Tensor


def softened_divergence(student_XK: Tensor, teacher_XK: Tensor, temperature: float) -> Tensor:
    """Compute ``T^2 * KL(softmax(t / T) || softmax(s / T))``, summed over the last axis, shape X.

    Both inputs have one dtype, float32 or wider, and finite values. 0 to the last bit where they are equal, never
    below 0 by more than rounding; a teacher's probability that underflows to 0 contributes 0. The factor ``T^2`` keeps
    the size of the gradient when T grows. Gradient to both; callers detach the teacher.

    Raises:
        ValueError: ``temperature`` is not positive.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    student_XK = (student_XK / temperature).log_softmax(dim=-1)
    teacher_XK = (teacher_XK / temperature).log_softmax(dim=-1)
    return temperature**2 * (teacher_XK.exp() * (teacher_XK - student_XK)).sum(dim=-1)
