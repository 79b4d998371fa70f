"""The methods that a spec can name, with their hyperparameters.

A new method is one file in cl/methods and, here, its hyperparameters and one line of `METHODS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from cl.registry.settings import KINDS, Count, Kind, Settings, Strength

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e30)]


class MethodSettings(Settings):
    """A method's hyperparameters; this one has none."""

    @property
    def work(self) -> float:
        """Examples that a step computes gradients of, per new one: good enough to share out the time left."""
        return 1.0

    def check(self, outputs: int) -> None:
        """Raise ValueError where tasks that bring so many outputs in all cannot be learned with these."""


class EWCSettings(MethodSettings):
    """Online elastic weight consolidation (Schwarz et al. 2018)."""

    lambda_: Annotated[Strength, Field(alias="lambda")] = 300.0
    """Strength: the penalty is lambda/2 * sum_i F_i (theta_i - theta*_i)^2."""
    gamma: Share = 1.0
    """Decay of the accumulated Fisher: F <- gamma F + F_k."""
    lambda_decay: Share = 1.0
    """Factor on lambda after each task: task k is learned under lambda * lambda_decay^k."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """Labels weighted by the softmax, one label sampled from it, or the true label."""
    fisher_samples: Count | Literal["all"] = 200
    """Training examples of the finished task over which the Fisher is averaged."""


class SeparateEWCSettings(MethodSettings):
    """Elastic weight consolidation with one penalty per task (Kirkpatrick et al. 2017)."""

    lambda_: Annotated[Strength, Field(alias="lambda")] = 300.0
    """Strength: the penalty is lambda/2 * sum_k sum_i F_k,i (theta_i - theta*_k,i)^2."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """Labels weighted by the softmax, one label sampled from it, or the true label."""
    fisher_samples: Count | Literal["all"] = 200
    """Training examples of the finished task over which the Fisher is averaged."""


class SISettings(MethodSettings):
    """Synaptic Intelligence (Zenke et al. 2017)."""

    c: Strength = 0.1
    """Strength: the penalty is c * sum_i Omega_i (theta_i - theta*_i)^2."""
    xi: Positive = 0.1
    """Damping of Omega where a weight hardly moved."""


class LwFSettings(MethodSettings):
    """Learning without Forgetting (Li & Hoiem 2016)."""

    alpha: Strength = 1.0
    """Strength of the distillation."""
    temperature: Positive = 2.0
    """The logits of both models are divided by it."""
    weight: Literal["fixed", "balanced"] = "fixed"
    """1 for the new task and alpha for each old head, or 1/N and alpha (1 - 1/N) T^2 for their mean."""


class ReplaySettings(MethodSettings):
    """Experience replay from a memory of earlier tasks."""

    ratio: Annotated[float, Field(ge=0, le=0.999)] = 0.5
    """Share of the combined mini-batch that comes from memory; 0 is naive, 0.5 as many as are new."""
    buffer_size: Count = 500
    """Examples the memory holds."""
    memory: Literal["reservoir", "per-class"] = "reservoir"
    """A uniform sample of everything seen, or the same number of examples of every class of the stream."""
    loss_weight: Literal["batch", "balanced"] = "batch"
    """One mean over the combined batch, or 1/N for new and 1 - 1/N for old examples at the N-th task."""

    @property
    def work(self) -> float:
        """A step's whole batch over its new examples."""
        return 1 / (1 - self.ratio)

    def check(self, outputs: int) -> None:
        """A memory per class has a place for each class."""
        if self.memory == "per-class" and self.buffer_size < outputs:
            raise ValueError(
                f"buffer_size {self.buffer_size} is less than one example of each of {outputs} classes; "
                f"give at least {outputs}, or memory 'reservoir'"
            )


class DERSettings(MethodSettings):
    """Dark Experience Replay (Buzzega et al. 2020)."""

    alpha: Strength = 0.5
    """Strength of the match with the stored logits."""
    buffer_size: Count = 500
    """Examples the memory holds."""

    @property
    def work(self) -> float:
        """New and as many remembered examples."""
        return 2.0


class DERppSettings(MethodSettings):
    """DER++ (Buzzega et al. 2020)."""

    alpha: Strength = 0.5
    """Strength of the match with the stored logits."""
    beta: Strength = 0.5
    """Strength of the cross-entropy on remembered examples."""
    buffer_size: Count = 500
    """Examples the memory holds."""

    @property
    def work(self) -> float:
        """New and twice as many remembered examples."""
        return 3.0


class GEMSettings(MethodSettings):
    """Gradient Episodic Memory (Lopez-Paz & Ranzato 2017)."""

    memory_per_task: Count = 200
    """Examples kept of each task, chosen at random."""
    margin: Annotated[float, Field(ge=0, le=1e6)] = 0.5
    """Least value of the dual variables: how far the step also helps the old tasks."""

    @property
    def work(self) -> float:
        """New and remembered examples of a few tasks, at the usual batch size."""
        return 1 + self.memory_per_task / 32


class AGEMSettings(MethodSettings):
    """Averaged Gradient Episodic Memory (Chaudhry et al. 2019)."""

    memory_per_task: Count = 200
    """Examples kept of each task, chosen at random."""
    sample_size: Count = 256
    """Remembered examples that the reference gradient is taken over at each step."""

    @property
    def work(self) -> float:
        """New and sampled examples, at the usual batch size."""
        return 1 + self.sample_size / 64


class PackNetSettings(MethodSettings):
    """PackNet (Mallya & Lazebnik 2018)."""

    prune_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of a task's free weights that is freed again; null lets every task keep 1/T of all weights."""


@dataclass(frozen=True)
class MethodEntry:
    """A method: what it is, its hyperparameters, where its code is and what it suits."""

    summary: str
    settings: type[MethodSettings]
    implementation: str
    """``module:Class``, imported only when a trial is about to run."""
    kinds: tuple[Kind, ...] = KINDS
    needs: str = ""
    """Why the other kinds are refused, as the end of the sentence "... because it"."""
    models: tuple[str, ...] | None = None
    """The only models it can train, the preferred one first; None for any that keeps its size."""
    cumulative: bool = False
    """Whether task k trains a fresh model on tasks 0 to k, so that nothing can be forgotten."""
    fresh: bool = False
    """Whether every task starts from the initial weights."""


METHODS: Mapping[str, MethodEntry] = MappingProxyType(
    {
        "naive": MethodEntry("plain fine-tuning: the lower bound", MethodSettings, "cl.methods.naive:Naive"),
        "joint": MethodEntry(
            "a fresh model trained on all tasks so far: the reference for what can be learned",
            MethodSettings,
            "cl.methods.joint:Joint",
            cumulative=True,
            fresh=True,
        ),
        "scratch": MethodEntry(
            "a fresh model trained on each task alone: the reference for forward transfer",
            MethodSettings,
            "cl.methods.scratch:Scratch",
            fresh=True,
        ),
        "ewc": MethodEntry(
            "online elastic weight consolidation: a quadratic pull towards weights old tasks rely on",
            EWCSettings,
            "cl.methods.ewc:EWC",
        ),
        "ewc-separate": MethodEntry(
            "elastic weight consolidation with one anchor and Fisher per task",
            SeparateEWCSettings,
            "cl.methods.ewc_separate:SeparateEWC",
        ),
        "si": MethodEntry(
            "Synaptic Intelligence: a pull by what each weight's path contributed to learning",
            SISettings,
            "cl.methods.si:SI",
        ),
        "lwf": MethodEntry(
            "Learning without Forgetting: the old model's answers to new examples are kept",
            LwFSettings,
            "cl.methods.lwf:LwF",
        ),
        "replay": MethodEntry(
            "experience replay: stored examples of old tasks in every mini-batch",
            ReplaySettings,
            "cl.methods.replay:Replay",
        ),
        "der": MethodEntry(
            "Dark Experience Replay: stored examples are matched on the logits they had",
            DERSettings,
            "cl.methods.der:DER",
        ),
        "derpp": MethodEntry(
            "DER++: Dark Experience Replay that also learns the stored labels",
            DERppSettings,
            "cl.methods.derpp:DERpp",
        ),
        "gem": MethodEntry(
            "Gradient Episodic Memory: steps projected so that no old task's loss increases",
            GEMSettings,
            "cl.methods.gem:GEM",
        ),
        "agem": MethodEntry(
            "averaged GEM: steps projected so that the old tasks' mean loss does not increase",
            AGEMSettings,
            "cl.methods.agem:AGEM",
        ),
        "pnn": MethodEntry(
            "Progressive Neural Network: a new column per task beside frozen ones",
            MethodSettings,
            "cl.methods.pnn:PNN",
            kinds=("task-il",),
            needs="selects its column by the task id",
            models=("ProgressiveNeuralNet",),
        ),
        "packnet": MethodEntry(
            "PackNet: every task keeps its own share of the weights of one network",
            PackNetSettings,
            "cl.methods.packnet:PackNet",
            kinds=("task-il",),
            needs="selects its weights by the task id",
            models=("MultiHeadMLP", "ConvNet"),
        ),
    }
)
