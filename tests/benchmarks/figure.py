"""Say what a figure of the table is: a ratio, its bar, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module

import torch

from tests.benchmarks.pairs import Clock, median, upper_bound


@dataclass(frozen=True)
class Setting:
    """Hold how figures are measured: on which device, by how many pairs, with how many CPU threads."""

    device: torch.device
    pairs: int
    threads: int
    cpu_time: bool = False

    @property
    def clock(self) -> Clock:
        """Return what times are taken by."""
        return Clock(self.device, self.cpu_time)

    @property
    def cuda(self) -> bool:
        """Tell whether figures are taken on a GPU."""
        return self.device.type == "cuda"


@dataclass(frozen=True)
class Measured:
    """Hold the ratios of all pairs, and a sentence on what was run and how long it took."""

    ratios: list[float]
    note: str


@dataclass(frozen=True)
class Figure:
    """Describe one row of the table; ``at_least`` turns the bar into a lower one.

    ``address`` is the ``module:function`` of this package that measures it, imported when it does. ``on_device`` is false
    of what runs on CPUs wherever the rest does. ``most_pairs`` keeps what takes minutes to so many pairs.
    """

    name: str
    what: str
    bar: float | Callable[[Setting], float]
    address: str
    at_least: bool = False
    on_device: bool = True
    most_pairs: int | None = None

    def bar_on(self, setting: Setting) -> float:
        """Return the bar where ``setting`` says."""
        return self.bar(setting) if callable(self.bar) else self.bar

    def row(self, setting: Setting) -> "Row":
        """Measure the figure."""
        module, _, function = self.address.partition(":")
        measure: Callable[[Setting], Measured] = getattr(import_module(f"{__package__}.{module}"), function)
        pairs = min(setting.pairs, self.most_pairs or setting.pairs)
        return Row(self, setting, measure(replace(setting, pairs=pairs)))


@dataclass(frozen=True)
class Row:
    """Hold one measured figure."""

    figure: Figure
    setting: Setting
    measured: Measured

    @property
    def bound(self) -> float:
        """Return the 95 % bound of the median ratio, on the side that the bar is on."""
        ratios = self.measured.ratios
        return -upper_bound([-ratio for ratio in ratios]) if self.figure.at_least else upper_bound(ratios)

    @property
    def holds(self) -> bool:
        """Tell whether the bound keeps the bar."""
        bar = self.figure.bar_on(self.setting)
        return self.bound >= bar if self.figure.at_least else self.bound <= bar

    def markdown(self) -> str:
        """Return the row of the table."""
        bar = f"{'>=' if self.figure.at_least else '<='} {self.figure.bar_on(self.setting):g}"
        verdict = "yes" if self.holds else "**no**"
        ratio = f"{median(self.measured.ratios):.3f} | {self.bound:.3f}"
        return (
            f"| {self.figure.what} | {self.setting.device.type} | {ratio} | {bar} | {verdict} | {self.measured.note} |"
        )


HEADER = "| figure | device | median ratio | 95 % bound | bar | holds | measured on |\n|---|---|---|---|---|---|---|"
