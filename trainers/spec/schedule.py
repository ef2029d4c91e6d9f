"""Say how long and how a student is optimised."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainers.spec.base import Section

Epoch = Annotated[int, Field(ge=1, le=10_000)]


class Sgd(Section):
    """Use SGD with momentum, mmdet's default."""

    kind: Literal["sgd"]
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    weight_decay: float = Field(1e-4, ge=0.0, le=1.0)
    nesterov: bool = False


class AdamW(Section):
    """Use AdamW."""

    kind: Literal["adamw"]
    weight_decay: float = Field(0.05, ge=0.0, le=1.0)


class Warmup(Section):
    """Raise the learning rate linearly from ``factor * lr`` to ``lr`` over the first ``iterations``."""

    iterations: int = Field(500, ge=0, le=1_000_000)
    factor: float = Field(0.001, gt=0.0, le=1.0)


class StepPolicy(Section):
    """Multiply the learning rate by ``gamma`` at each milestone (epochs)."""

    kind: Literal["step"]
    milestones: tuple[Epoch, ...] = (8, 11)
    gamma: float = Field(0.1, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _milestones_increase(self) -> "StepPolicy":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, got {list(self.milestones)}")
        return self


class CosinePolicy(Section):
    """Let the learning rate fall along half a cosine to ``final_factor * lr`` at the end."""

    kind: Literal["cosine"]
    final_factor: float = Field(0.0, ge=0.0, le=1.0)


class ConstantPolicy(Section):
    """Keep the learning rate after the warm-up."""

    kind: Literal["constant"]


class Schedule(Section):
    """Hold the training schedule; ``batch_size`` is global (all workers together), ``lr`` belongs to that batch size.

    ``iterations`` ends training earlier than ``epochs`` would (0 evaluates only). The student is evaluated every
    ``val_interval`` epochs and at the end.
    """

    epochs: Epoch = 12
    iterations: int | None = Field(None, ge=0, le=100_000_000)
    batch_size: int = Field(16, ge=1, le=65_536)
    lr: float = Field(0.01, gt=0.0, le=10.0)
    optimizer: Annotated[Sgd | AdamW, Field(discriminator="kind")] = Sgd(kind="sgd")
    warmup: Warmup = Warmup()
    policy: Annotated[StepPolicy | CosinePolicy | ConstantPolicy, Field(discriminator="kind")] = StepPolicy(kind="step")
    clip_grad: float | None = Field(None, gt=0.0)
    val_interval: int = Field(1, ge=1, le=10_000)

    @model_validator(mode="after")
    def _milestones_lie_inside(self) -> "Schedule":
        late = [m for m in getattr(self.policy, "milestones", ()) if m >= self.epochs]
        if late:
            raise ValueError(f"milestones {late} lie at or after the last epoch ({self.epochs}): they would never act")
        return self
