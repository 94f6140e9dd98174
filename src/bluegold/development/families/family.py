"""What every family of models offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from bluegold.core.errors import DefinitionError
from bluegold.registry.predictors import Predictor
from bluegold.registry.rule import DecisionRule, Task

__all__ = ["Family", "Fitted", "Training"]


class Training:
    """What a model learns from.

    Args:
        matrix: (n, d) float64; categories as codes with -1 for unknown, NaN where a number is missing.
        labels: (n,) booleans with both outcomes, positions of classes, or numbers.
        kinds: "number" or "category" per column.
        watch: another matrix and its labels, to stop in time; never learned from.
        rule: the decision rule of the task, with the classes where there are several.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        labels: np.ndarray,
        kinds: tuple[str, ...],
        watch: tuple[np.ndarray, np.ndarray] | None = None,
        rule: DecisionRule | None = None,
    ) -> None:
        self.matrix, self.labels, self.kinds, self.watch = matrix, labels, kinds, watch
        self.rule = rule or DecisionRule()
        self.task = self.rule.task

    def take(self, rows: np.ndarray) -> Training:
        """The same with fewer rows."""
        return Training(self.matrix[rows], self.labels[rows], self.kinds, self.watch, self.rule)


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model, the parameters that make it again without watching, and what is worth knowing of its format."""

    predictor: Predictor
    params: dict[str, Any]
    facts: dict[str, Any] = {}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One family: its parameters and how it is trained.

    Args:
        name: as in ``system.model(name)`` and in the registry.
        aliases: other spellings of parameters.
        defaults: every parameter that may be given, with its default.
        fit: trains one model; the same arguments give the same model.
        tasks: what it can learn.
        settled: makes plain data of the given parameters, for a family that takes more than numbers; it is given the
            way that numbers are settled.
    """

    name: str
    aliases: Mapping[str, str]
    defaults: Mapping[str, Any]
    fit: Callable[[Training, dict[str, Any], int], Fitted]
    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    settled: Callable[[Mapping[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]], dict[str, Any]] | None = None

    def settle(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: the given ones over the defaults.

        Raises:
            DefinitionError: a parameter is unknown to the family or of another type.
        """
        return self._numbers(given) if self.settled is None else self.settled(given, self._numbers)

    def _numbers(self, given: Mapping[str, Any]) -> dict[str, Any]:
        named = {self.aliases.get(key, key): value for key, value in given.items()}
        for key, value in named.items():
            if key not in self.defaults:
                raise DefinitionError(
                    f"model family '{self.name}' has no parameter '{key}'",
                    way_out=f"use one of {', '.join(sorted(self.defaults))}",
                    subject=self.name,
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise DefinitionError(
                    f"parameter '{key}' of model family '{self.name}' is {value!r}, not a number",
                    way_out=f"for example {key}={self.defaults[key]}",
                    subject=self.name,
                )
        return {**self.defaults, **named}
