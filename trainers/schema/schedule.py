"""Define the length of a training and its optimisation."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trainers.schema.base import OtherValue, Section

Epoch = Annotated[int, Field(ge=1, le=10_000)]
Moment = Annotated[int, Field(ge=1, le=100_000_000)]  # an epoch, or a step where the schedule counts steps
Precision = Literal["fp32", "bf16", "fp16"]


class Optimizer(Section):
    """Hold special treatment of parameters; by default none.

    Without ``norm_weight_decay`` the weights and biases of norms, and tables of position embeddings, do not decay;
    without ``bias_weight_decay`` the biases of other layers do not. ``bias_lr_factor`` multiplies the learning rate of
    these biases.
    """

    weight_decay: float = Field(1e-4, ge=0.0, le=1.0)
    norm_weight_decay: bool = True
    bias_weight_decay: bool = True
    bias_lr_factor: float = Field(1.0, gt=0.0, le=100.0)


class Sgd(Optimizer):
    """Use SGD with momentum, mmdet's default."""

    kind: Literal["sgd"]
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "Sgd":
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class AdamW(Optimizer):
    """Use AdamW."""

    kind: Literal["adamw"]
    weight_decay: float = Field(0.05, ge=0.0, le=1.0)


class Warmup(Section):
    """Raise the learning rate over the first ``iterations``, or ``epochs`` if given, to ``lr`` at the last of them.

    ``linear`` rises from ``factor * lr``, ``constant`` stays there until the end, ``quadratic`` rises with the square
    of the step from nearly 0 and has no ``factor``.
    """

    iterations: int | None = Field(500, ge=0, le=1_000_000)
    epochs: int | None = Field(None, ge=1, le=10_000)
    factor: float = Field(0.001, gt=0.0, le=1.0)
    shape: Literal["linear", "constant", "quadratic"] = "linear"

    @model_validator(mode="before")
    @classmethod
    def _epochs_stand_alone(cls, given: Any) -> Any:
        """Remove the default of ``iterations`` if ``epochs`` are given."""
        if isinstance(given, dict) and given.get("epochs") is not None and "iterations" not in given:
            return {**given, "iterations": None}
        return given

    @model_validator(mode="after")
    def _has_one_length(self) -> "Warmup":
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError(f"give iterations or epochs, not both: got {self.iterations} and {self.epochs}")
        return self

    @model_validator(mode="after")
    def _quadratic_starts_from_nothing(self) -> "Warmup":
        if self.shape == "quadratic" and self.factor != Warmup.model_fields["factor"].default:
            raise ValueError(f"a quadratic warm-up starts from 0: leave out factor {self.factor:g}")
        return self

    def steps(self, steps_per_epoch: int) -> int:
        """Return after how many steps the warm-up is over."""
        return self.iterations if self.iterations is not None else (self.epochs or 0) * steps_per_epoch


class StepPolicy(Section):
    """Multiply the learning rate by ``gamma`` at each milestone: epochs, or iterations where ``epochs`` is null."""

    kind: Literal["step"]
    milestones: tuple[Moment, ...] = (8, 11)
    gamma: float = Field(0.1, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _milestones_increase(self) -> "StepPolicy":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, got {list(self.milestones)}")
        return self


class CosinePolicy(Section):
    """Lower the learning rate along half a cosine to ``final_factor * lr`` at the end, or the closing epochs.

    The half cosine is as long as the schedule up to there; it acts from ``begin`` on (an epoch, or an iteration where
    ``epochs`` is null), so that a later begin ends above ``final_factor * lr``, as in mmdet's YOLOX.
    """

    kind: Literal["cosine"]
    final_factor: float = Field(0.0, ge=0.0, le=1.0)
    begin: int = Field(0, ge=0, le=100_000_000)


class FlatCosinePolicy(Section):
    """Keep the learning rate until ``begin``, then let it fall along half a cosine to ``final_factor * lr`` at the end.

    The closing epochs belong to the fall. ``begin`` is an epoch, or an iteration where ``epochs`` is null.
    """

    kind: Literal["flat-cosine"]
    final_factor: float = Field(0.0, ge=0.0, le=1.0)
    begin: int = Field(0, ge=0, le=100_000_000)


class ConstantPolicy(Section):
    """Keep the learning rate after the warm-up."""

    kind: Literal["constant"]


class Ema(Section):
    """Average the student's weights over the steps; evaluation and export use the average.

    Step t moves the average towards the student by ``momentum + (1 - momentum) * exp(-(1 + t) / gamma)``.
    """

    momentum: float = Field(1e-4, gt=0.0, lt=1.0)
    gamma: int = Field(2000, ge=1, le=100_000_000)


class Schedule(Section):
    """Hold the training schedule; ``batch_size`` is global (all workers together).

    ``iterations`` ends training earlier than ``epochs`` would (0 evaluates only); with ``epochs: null`` it is the
    length, and milestones and the cosine count steps. ``lr`` belongs to a batch of ``lr_batch``, or to ``batch_size``
    itself where that is null. The last ``closing_epochs`` go without mosaic and mixup and keep the learning rate that
    a cosine has reached. The student is evaluated every ``val_interval`` epochs and at the end.

    ``precision`` is the student's (autocast), ``teacher_precision`` the teacher's (``None``: the same). Weights, losses
    and evaluation are float32 in any case.
    """

    epochs: Epoch | None = 12
    iterations: int | None = Field(None, ge=0, le=100_000_000)
    batch_size: int = Field(16, ge=1, le=65_536)
    lr: float = Field(0.01, gt=0.0, le=10.0)
    lr_batch: int | None = Field(None, ge=1, le=65_536)
    optimizer: Annotated[Sgd | AdamW, Field(discriminator="kind")] = Sgd(kind="sgd")
    warmup: Warmup = Warmup()
    policy: Annotated[StepPolicy | CosinePolicy | FlatCosinePolicy | ConstantPolicy, Field(discriminator="kind")] = (
        StepPolicy(kind="step")
    )
    closing_epochs: int = Field(0, ge=0, le=10_000)
    ema: Ema | None = None
    clip_grad: float | None = Field(None, gt=0.0)
    val_interval: int = Field(1, ge=1, le=10_000)
    precision: Precision = "fp32"
    teacher_precision: Precision | None = None

    def identity(self, *, distils: bool) -> dict[str, Any]:
        """Return the settings that a result depends on.

        Precisions appear where they are not float32, as they came later.
        """
        found = self.model_dump(mode="json", exclude={"precision", "teacher_precision"})
        if self.precision != "fp32":
            found["precision"] = self.precision
        if distils and self.asks_in != self.precision:
            found["teacher_precision"] = self.asks_in
        return found

    @property
    def asks_in(self) -> Precision:
        """Return the precision that the teacher is asked in."""
        return self.teacher_precision or self.precision

    @property
    def effective_lr(self) -> float:
        """Return the learning rate of this batch size: ``lr`` scaled linearly from the batch that it belongs to."""
        if self.lr_batch is None or self.lr_batch == self.batch_size:
            return self.lr
        return self.lr * self.batch_size / self.lr_batch

    @property
    def unit(self) -> Literal["epoch", "iteration"]:
        """Return the unit of milestones and the cosine."""
        return "iteration" if self.epochs is None else "epoch"

    @property
    def length(self) -> int:
        """Return the length of the learning-rate policy in its unit."""
        return self.epochs if self.epochs is not None else self.iterations or 0

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return how many optimizer steps the schedule makes."""
        limits = [self.iterations, None if self.epochs is None else self.epochs * steps_per_epoch]
        return min(limit for limit in limits if limit is not None)

    def closing_step(self, steps_per_epoch: int) -> int:
        """Return the first step of the closing epochs, counted from 0; one that is never made where there are none."""
        if self.epochs is None:
            return self.total_steps(steps_per_epoch)
        return (self.epochs - self.closing_epochs) * steps_per_epoch

    @property
    def closing_epoch(self) -> int | None:
        """Return the epoch, counted from 0, from which images are mixed with no others; ``None`` where there is none."""
        return self.epochs - self.closing_epochs if self.closing_epochs and self.epochs is not None else None

    @model_validator(mode="after")
    def _has_a_length(self) -> "Schedule":
        if self.epochs is None and self.iterations is None:
            raise ValueError("epochs is null: give iterations, the number of steps")
        return self

    @model_validator(mode="after")
    def _milestones_lie_inside(self) -> "Schedule":
        if not isinstance(self.policy, StepPolicy) or not self.length:
            return self
        late = [m for m in self.policy.milestones if m >= self.length]
        if late:
            end = f"the last {self.unit} ({self.length})"
            message = f"milestones {late} lie at or after {end}: they would never act"
            if self.policy.milestones == StepPolicy.model_fields["milestones"].default:
                message = f"{message}; these are the default: write policy: {{kind: cosine}}"
                raise OtherValue(message, "policy.kind", "cosine")
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _default_milestones_are_epochs(self) -> "Schedule":
        default = StepPolicy.model_fields["milestones"].default
        if self.epochs is None and isinstance(self.policy, StepPolicy) and self.policy.milestones == default:
            raise ValueError("epochs is null, so milestones count iterations: give policy.milestones")
        return self

    @model_validator(mode="after")
    def _closing_lies_inside(self) -> "Schedule":
        if not self.closing_epochs:
            return self
        if self.epochs is None:
            raise ValueError("closing_epochs are the last of epochs, which is null: give epochs")
        if self.closing_epochs >= self.epochs:
            raise ValueError(f"closing_epochs ({self.closing_epochs}) must be fewer than epochs ({self.epochs})")
        return self

    @model_validator(mode="after")
    def _cosine_begins_before_its_end(self) -> "Schedule":
        end = self.length - (self.closing_epochs if isinstance(self.policy, CosinePolicy) else 0)
        if isinstance(self.policy, CosinePolicy | FlatCosinePolicy) and self.policy.begin >= end > 0:
            raise ValueError(f"the cosine begins at {self.unit} {self.policy.begin}, not before its end ({end})")
        return self
