"""The jobs of the tasks that are drawn: learn until the rule is met, then test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cellwright.nn import Recurrent
from cellwright.nn.stream import Stream
from cellwright.tasks import Examples, PeriodicScore, free_run

from .batches import Drawn
from .job import Job, Pictures
from .loop import Loop
from .loss import squared_error
from .readout import Readout
from .rule import UntilPassed
from .settings import AddingSettings, PeriodicSettings
from .state import Epoch
from .task_plots import adding_picture, learning_picture, periodic_picture

T = TypeVar("T", AddingSettings, PeriodicSettings)
R = TypeVar("R")

TEST = 2560
"""Fresh sequences that what was learned is tested on, as in 1997."""
TEST_SEED = 1997
FREE_STEPS = 1000
"""Symbols that a network goes on for by itself."""
RULE_KEYS = ("passed", "passed_at", "seen", "rule", "test", "memoryless")


@dataclass(frozen=True)
class Answers:
    """What a trained network says about fresh sequences.

    Attributes:
        examples: The sequences.
        said: What it says, in the shape of the targets.
        units: What each unit puts out at each step of the first sequence, ``[T, H]``.
        output: What the cell calls that, such as ``h``.
    """

    examples: Examples
    said: Tensor
    units: Tensor
    output: str

    @classmethod
    def of(cls, model: Readout, examples: Examples) -> Answers:
        """Ask a model."""
        with torch.no_grad():
            first = examples.rows(0, 1)
            units = model.layer(first.x)[0][:, 0]
            said = model(examples.x, examples.lengths)
        assert isinstance(model.layer, Recurrent)
        graph = model.layer.graph
        output = next(v.name for v in graph.values if v.node == graph.output)
        return cls(examples, said, units, output.removesuffix("'"))


class TaskJob(Job[T, R]):
    """A network that learns a task; T are its settings, R is what it is found to do."""

    def rehearse(self) -> None:
        """Answer one sequence with first weights: what cannot run writes no file."""
        settings = self.settings
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(settings.seed)
            model = self.build({"settings": settings.to_json()})
            model(settings.task.draw(1).x)


class AddingJob(TaskJob[AddingSettings, Answers]):
    """Learn to add two marked numbers."""

    KIND = "adding"
    SETTINGS = AddingSettings
    METRICS_KEYS = RULE_KEYS
    PICTURES = ("curves.png", "answers.png")

    def __init__(self, settings: AddingSettings):
        super().__init__(settings)
        self._until = UntilPassed(settings.task.rule())

    @property
    def name(self) -> str:
        """The task and its variant."""
        return f"adding-{self.settings.variant}"

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Readout:
        """Make the network of a config, with weights not yet trained."""
        settings = AddingSettings.from_json(config["settings"])
        return _network(settings, every_step=False)

    def loop(self, model: nn.Module, **options: Any) -> Loop:
        """Train on fresh sequences until the rule of 1997 is met."""
        settings = self.settings
        source = Drawn(settings.task, settings.batch_size, settings.BATCHES)
        callbacks = [*options.pop("callbacks", ()), self._until]
        return Loop(model, source, settings, callbacks=callbacks, **options)

    def examine(self, model: nn.Module) -> Answers:
        """Ask the network about fresh sequences."""
        assert isinstance(model, Readout)
        draws = torch.Generator().manual_seed(TEST_SEED)
        return Answers.of(model, self.settings.task.draw(TEST, draws))

    def metrics(self, found: Answers, curve: Sequence[Epoch]) -> dict[str, Any]:  # noqa: ARG002
        """Return when it was learned, and the errors on the fresh sequences."""
        task, rule = self.settings.task, self._until.rule
        errors = (found.said - found.examples.target).double()
        return {
            **_learned(self._until),
            "test": {
                "sequences": TEST,
                "wrong": rule.wrong(errors),
                "mse": float((errors**2).mean()),
                "worst": float(errors.abs().max()),
            },
            "memoryless": {"mse": float(task.memoryless)},
        }

    def pictures(self, found: Answers, curve: Sequence[Epoch]) -> Pictures:
        """Return what draws the learning and the answers."""
        settings, task = self.settings, self.settings.task
        title = f"{settings.model_name}, seed {settings.seed}"
        return {
            "curves.png": lambda: learning_picture(
                {title: curve},
                settings.BATCHES * settings.batch_size,
                float(task.memoryless),
            ),
            "answers.png": lambda: adding_picture(
                found.examples,
                found.said,
                (found.output, found.units),
                task.rule().tolerance,
                title,
            ),
        }


@dataclass(frozen=True)
class Continued:
    """What a trained network says about sequences, and when it hears only itself.

    Attributes:
        answers: About fresh sequences.
        score: Of these answers.
        alone: What it says when it goes on by itself, ``[steps]``.
        right: For how many steps it is right.
    """

    answers: Answers
    score: PeriodicScore
    alone: Tensor
    right: int


class PeriodicJob(TaskJob[PeriodicSettings, Continued]):
    """Learn 1 0 0 0 1 0 0 0 ..."""

    KIND = "periodic"
    SETTINGS = PeriodicSettings
    METRICS_KEYS = (*RULE_KEYS, "alone")
    PICTURES = ("curves.png", "answers.png")

    def __init__(self, settings: PeriodicSettings):
        super().__init__(settings)
        self._until = UntilPassed(settings.task.rule(), settings.task.known)

    @property
    def name(self) -> str:
        """The task and its size."""
        return f"periodic-{self.settings.hidden_size}"

    @classmethod
    def build(cls, config: Mapping[str, Any]) -> Readout:
        """Make the network of a config, with weights not yet trained."""
        settings = PeriodicSettings.from_json(config["settings"])
        return _network(settings, every_step=True)

    def loop(self, model: nn.Module, **options: Any) -> Loop:
        """Train until 10,000 symbols in a row were right."""
        settings, known = self.settings, self.settings.task.known
        source = Drawn(settings.task, settings.batch_size, settings.BATCHES)

        def loss(said: Tensor, target: Tensor) -> Tensor:
            return squared_error(known(said), known(target))

        callbacks = [*options.pop("callbacks", ()), self._until]
        return Loop(model, source, settings, loss, callbacks=callbacks, **options)

    def examine(self, model: nn.Module) -> Continued:
        """Ask the network about fresh sequences, and let it go on by itself."""
        assert isinstance(model, Readout)
        task = self.settings.task
        draws = torch.Generator().manual_seed(TEST_SEED)
        answers = Answers.of(model, task.draw(TEST, draws))
        opening = task.symbols(0, 2 * task.period)
        alone = _alone(model, opening)
        truth = task.symbols(len(opening), len(opening) + FREE_STEPS)
        wrong = torch.nonzero((alone >= 0.5) != (truth >= 0.5)).flatten().tolist()
        right = wrong[0] if wrong else FREE_STEPS
        return Continued(
            answers, task.score(answers.said, answers.examples), alone, right
        )

    def metrics(self, found: Continued, curve: Sequence[Epoch]) -> dict[str, Any]:  # noqa: ARG002
        """Return when it was learned, and how right it is."""
        task = self.settings.task
        return {
            **_learned(self._until),
            "test": {"sequences": TEST, **found.score.to_json()},
            "memoryless": {
                "mse": float(task.memoryless),
                "accuracy": float(task.memoryless_accuracy),
            },
            "alone": {"steps": FREE_STEPS, "right": found.right},
        }

    def pictures(self, found: Continued, curve: Sequence[Epoch]) -> Pictures:
        """Return what draws the learning, the answers and the units."""
        settings, task = self.settings, self.settings.task
        title = f"{settings.model_name}, seed {settings.seed}"
        return {
            "curves.png": lambda: learning_picture(
                {title: curve},
                symbols_of_epoch(settings),
                float(task.memoryless),
                "symbols",
            ),
            "answers.png": lambda: periodic_picture(
                found.answers.examples,
                (found.answers.output, found.answers.units),
                found.alone,
                found.right,
                task,
                title,
            ),
        }


def _network(
    settings: AddingSettings | PeriodicSettings, *, every_step: bool
) -> Readout:
    task = settings.task
    return Readout.of(
        settings.cell,
        task.input_size,
        settings.hidden_size,
        task.output_size,
        every_step,
        **settings.layer_options,
    )


def symbols_of_epoch(settings: PeriodicSettings) -> int:
    """Return how many symbols an epoch is learned from."""
    task = settings.task
    known = task.known(torch.zeros(task.steps, 1, 1)).numel()
    return settings.BATCHES * settings.batch_size * known


def _alone(model: Readout, opening: Tensor) -> Tensor:
    """Show a network some symbols, then let it hear itself; return what it says."""
    stream = Stream(model.eval())

    def predict(x: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.stack([stream.step(symbol) for symbol in x]), state

    return free_run(predict, opening[:, None, None], FREE_STEPS).flatten()


def _learned(until: UntilPassed) -> dict[str, Any]:
    rule = until.rule
    mean = rule.mean if math.isfinite(rule.mean) else None
    return {
        "passed": rule.passed,
        "passed_at": rule.passed_at,
        "seen": rule.seen,
        "rule": {"tolerance": rule.tolerance, "mean": mean, "last": rule.last},
    }
