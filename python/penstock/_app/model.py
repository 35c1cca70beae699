"""Model: the functions that make, train, judge and use a model."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from _penstock import FailedPreconditionError, InvalidArgumentError, UnimplementedError
from penstock._app import steps
from penstock._app.artifact import ModelArtifact
from penstock._app.dataset import Dataset
from penstock._app.frames import check_targets
from penstock._app.hyperparameters import HyperparameterSpace, make_untrained
from penstock._app.recording import recorded
from penstock._app.steps import UNKNOWN, Function, Role, Step, check_types, step_of
from penstock._app.trainable import Trainable
from penstock._app.training import (
    as_trained,
    check_part_count,
    check_rows_stand_alone,
    checked_metric,
    data_count,
    fit_default,
    joined,
    sklearn_order,
)
from penstock._checks import quoted
from penstock._html import facts_table
from penstock._predicting import Around, call_back

if TYPE_CHECKING:
    from penstock._contents import Contents
    from penstock._output import Output
    from penstock._version import ModelVersion

GOALS = ("maximize", "minimize")
_log = logging.getLogger("penstock")


class Model(Trainable):
    """What is trained on a dataset, and the functions for it.

    With an estimator that has ``fit`` and ``predict`` every function has a default, so that
    ``Model("digits", LogisticRegression, dataset=digits)`` alone trains, predicts and registers.
    A decorated function stays the function it was.

    Parameters
    ----------
    name
        Of the model, as it is registered.
    init
        Makes an untrained model of hyperparameters: a class, or a function of keywords or of one
        dictionary.
    dataset
        What it is trained on.
    hyperparameters
        Their types and defaults, where the signature of ``init`` does not tell: a dataclass, or a
        dictionary of names with types or default values.
    hyperparameter_config
        The same as a dictionary of names with types; UnionML's name for it.
    goal
        Whether a better model has a higher ("maximize") or lower ("minimize") metric.
    output
        What a service answers in place of labels; not beside a predictor.
    contents
        Which files go into its packages where Python workers are needed; see ``Contents``.

    Attributes
    ----------
    artifact
        The trained model; None before.
    run
        Id of the run that trained it in this process; None before.

    Examples
    --------
    >>> customers = penstock.Dataset("customers", source=lambda: frame, targets=["churned"])
    >>> model = penstock.Model("churn", LogisticRegression, dataset=customers)
    >>> fitted, metrics = model.train(hyperparameters={"C": 0.5})
    >>> sorted(metrics)
    ['test', 'train']
    """

    _default_name = "model"

    def __init__(
        self,
        name: str = "model",
        init: Callable[..., Any] | None = None,
        *,
        dataset: Dataset,
        hyperparameters: Mapping[str, Any] | type | None = None,
        hyperparameter_config: Mapping[str, Any] | None = None,
        goal: str = "maximize",
        output: Output | None = None,
        contents: Contents | None = None,
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise InvalidArgumentError(
                f"dataset is {dataset!r}; a penstock.Dataset was expected, which says where the "
                f"rows of the model come from"
            )
        if goal not in GOALS:
            raise InvalidArgumentError(f"goal is '{goal}'; {quoted(GOALS)} are what there is")
        if hyperparameters is not None and hyperparameter_config is not None:
            raise InvalidArgumentError(
                "hyperparameters and hyperparameter_config are two names of one thing; give one"
            )
        super().__init__(name, dataset)
        if init is not None:
            self._lost.pop("init", None)
        self.goal = goal
        self._output = output
        self._contents = contents
        self._init = init
        self._config = hyperparameters if hyperparameters is not None else hyperparameter_config
        self._space = HyperparameterSpace(init, self._config)
        self._callbacks: list[Step] = []
        self._training_features: list[Any] = []

    def __repr__(self) -> str:
        """Return the model with what the user gave to it."""
        own = list(self._steps)
        told = f", own {quoted(own)}" if own else ""
        state = "trained" if self.artifact else "not trained"
        return f"Model('{self.name}', dataset '{self.dataset.name}', {state}{told})"

    def _repr_html_(self) -> str:
        """Return the model as a notebook shows it."""
        metrics = (self.artifact.metrics or {}) if self.artifact else {}
        facts = {
            "dataset": self.dataset.name,
            "init": getattr(self._init, "__name__", ""),
            "state": "trained" if self.artifact else "not trained",
        } | {f"metric, {split}": str(metric) for split, metric in metrics.items()}
        return facts_table(f"model {self.name}", facts | self._own_steps())

    # The decorators.

    def init(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(hyperparameters) -> model``: makes the untrained model."""
        return self._decorate(steps.INIT, function, options)

    def trainer(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(model, features, targets, *, ...) -> model``.

        Keyword-only arguments are given as ``trainer_kwargs``.
        """
        return self._decorate(steps.TRAINER, function, options)

    def evaluator(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(model, features, targets) -> metric``, called once for each split.

        A metric is a number, or a dictionary of numbers by name.
        """
        return self._decorate(steps.EVALUATOR, function, options)

    def predictor(
        self,
        function: Any = None,
        /,
        *,
        callbacks: Sequence[Function] | None = None,
        **options: Any,
    ) -> Any:
        """Decorate ``(model, features) -> predictions``.

        Parameters
        ----------
        callbacks
            Functions ``(model, features, predictions)`` that are called after each prediction. What
            they raise is logged, and the prediction is answered.
        """
        self._callbacks = [step_of(steps.CALLBACK, each) for each in callbacks or []]
        return self._decorate(steps.PREDICTOR, function, options)

    def saver(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(model_object, hyperparameters, file, ...)``: writes a model to a file."""
        return self._decorate(steps.SAVER, function, options)

    def loader(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate ``(file, ...) -> model_object``: reads what the saver wrote."""
        return self._decorate(steps.MODEL_LOADER, function, options)

    def _set(self, role: Role, function: Function, options: Mapping[str, Any]) -> None:
        if role is steps.PREDICTOR and self._output is not None:
            raise InvalidArgumentError(
                f"the model '{self.name}' has output= and is given a predictor, which both say "
                f"what is answered; leave one of them out"
            )
        super()._set(role, function, options)
        if role is steps.INIT:
            self._space = HyperparameterSpace(function, self._config)

    def _check_types(self) -> None:
        """Hold the types that functions declare against each other, as far as they are there."""
        maker = self._steps.get("init")
        made: Any = maker.returns if maker else self._init if isinstance(self._init, type) else None
        trainer = self._steps.get("trainer")
        if trainer and made not in (None, UNKNOWN):
            given = maker or Step(steps.INIT, self._init or object)
            check_types(given, made, trainer, 0)
        giver = trainer if trainer and trainer.returns is not UNKNOWN else None
        for role in ("evaluator", "predictor"):
            if giver and role in self._steps:
                check_types(giver, giver.returns, self._steps[role], 0)

    @property
    def hyperparameter_type(self) -> type:
        """Return a dataclass of the hyperparameters, with their types and defaults."""
        return self._space.as_dataclass()

    @property
    def text_names(self) -> frozenset[str]:
        """Return the hyperparameters that are declared as text."""
        return frozenset(each.name for each in self._space.known.values() if each.type is str)

    @property
    def model_type(self) -> Any:
        """Return the declared type of the model, or None."""
        maker = self._steps.get("init")
        if maker is not None:
            return None if maker.returns is UNKNOWN else maker.returns
        return self._init if isinstance(self._init, type) else None

    @property
    def prediction_type(self) -> Any:
        """Return the declared type of predictions, or None."""
        predictor = self._steps.get("predictor")
        return None if predictor is None or predictor.returns is UNKNOWN else predictor.returns

    @property
    def predict_callbacks(self) -> list[Function]:
        """Return the functions that are called after each prediction."""
        return [callback.function for callback in self._callbacks]

    @property
    def trainer_params(self) -> dict[str, Any]:
        """Return the keyword arguments of the trainer."""
        trainer = self._steps.get("trainer")
        return {} if trainer is None else dict(trainer.options_of(data_count(trainer)))

    # Training.

    def train(
        self,
        hyperparameters: Any = None,
        loader_kwargs: Mapping[str, Any] | None = None,
        splitter_kwargs: Mapping[str, Any] | None = None,
        parser_kwargs: Mapping[str, Any] | None = None,
        trainer_kwargs: Mapping[str, Any] | None = None,
        **reader_kwargs: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Read, split, train and evaluate, in this process; the outcome is ``artifact`` too.

        The training is a run in the registry, whose id is ``run`` afterwards: hyperparameters,
        metrics, digests of data and code, how it ended.

        Parameters
        ----------
        hyperparameters
            A dictionary, or an instance of a dataclass.
        loader_kwargs, splitter_kwargs, parser_kwargs, trainer_kwargs
            Arguments of these steps, by name.
        **reader_kwargs
            Arguments of the reader.

        Returns
        -------
        tuple
            What the trainer returned, and by split what the evaluator returned.

        Raises
        ------
        InvalidArgumentError
            Something does not fit; the message says what, and how to mend it. What functions of
            yours raise comes back as it is.
        """
        self._settle()
        self.dataset._settle()
        values = self._space.resolve(hyperparameters)
        options = self._trainer_options(trainer_kwargs or {})
        arguments = {
            "reader": reader_kwargs,
            "loader": loader_kwargs or {},
            "splitter": splitter_kwargs or {},
            "parser": parser_kwargs or {},
            "trainer": options,
        }
        with recorded(self.name, values, self._functions(), arguments) as recording:
            started = time.monotonic()
            raw = self.dataset.read(**reader_kwargs)
            recording.read(raw, time.monotonic() - started)
            parsed = self.dataset.get_parsed(raw, loader_kwargs, splitter_kwargs, parser_kwargs)
            given = [parts[self.dataset.feature_key] for parts in parsed.values()]
            parsed = self.dataset.transformed(parsed)
            check_targets(
                parsed, self.dataset.feature_key, fits_itself="trainer" not in self._steps
            )
            started = time.monotonic()
            fitted = self._fit(self._untrained(values), parsed["train"], options)
            recording.tell(f"trained in {time.monotonic() - started:.1f} s")
            metrics = {name: self._evaluate(fitted, name, parts) for name, parts in parsed.items()}
            recording.metrics = metrics
        self.artifact = ModelArtifact(fitted, values, metrics)
        self.run = recording.id
        self._training_features = given
        return fitted, metrics

    def _functions(self) -> list[Function]:
        """Return the functions of the user's that a training calls."""
        made = [self._init] if self._init is not None else []
        own = [step.function for step in self._steps.values()]
        return [*self.dataset.functions, *made, *own]

    def _trainer_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        trainer = self._steps.get("trainer")
        if trainer is None:
            if given:
                raise InvalidArgumentError(
                    f"trainer_kwargs has '{next(iter(given))}'; the model '{self.name}' has no "
                    f"trainer of its own to take it"
                )
            return {}
        data = len(trainer.parameters) if trainer.takes_any_data else data_count(trainer)
        trainer.check_keywords(given, "trainer_kwargs", data)
        trainer.check_required(given, "trainer_kwargs", data)
        return dict(given)

    def _untrained(self, values: dict[str, Any]) -> Any:
        maker = self._steps["init"].function if "init" in self._steps else self._init
        if maker is None:
            raise FailedPreconditionError(
                f"the model '{self.name}' has nothing that makes an untrained model: pass init=, "
                f"or decorate a function with @model.init"
            )
        return make_untrained(maker, values)

    def _fit(self, model: Any, parts: Sequence[Any], options: Mapping[str, Any]) -> Any:
        trainer = self._steps.get("trainer")
        if trainer is None:
            return fit_default(self.name, model, parts, self.dataset.feature_key)
        check_part_count(trainer, parts)
        fitted = trainer.function(model, *parts, **options)
        if fitted is None:
            raise InvalidArgumentError(
                f"{trainer.title} returned nothing; return the trained model at its end"
            )
        return fitted

    def _evaluate(self, fitted: Any, split: str, parts: Sequence[Any]) -> Any:
        evaluator = self._steps.get("evaluator")
        if evaluator is not None:
            check_part_count(evaluator, parts)
            metric = evaluator.function(fitted, *parts)
            return checked_metric(metric, evaluator.title, split)
        if not hasattr(fitted, "score"):
            raise FailedPreconditionError(
                f"a {type(fitted).__name__} has no score to judge it by; decorate a function with "
                f"@model.evaluator"
            )
        score = fitted.score(*sklearn_order(parts, self.dataset.feature_key))
        return checked_metric(float(score), "the default evaluator", split)

    # Prediction.

    def predict(self, features: Any = None, **reader_kwargs: Any) -> Any:
        """Return predictions for features, or for what the dataset's reader returns.

        Parameters
        ----------
        features
            What ``Dataset.get_features`` takes; None: the rows that the reader returns.
        **reader_kwargs
            Arguments of the reader.

        Raises
        ------
        FailedPreconditionError
            The model is not trained.
        """
        artifact = self._trained()
        if features is not None:
            if reader_kwargs:
                raise InvalidArgumentError(
                    f"features and '{next(iter(reader_kwargs))}', an argument of the reader, were "
                    f"given; give one of them"
                )
            return self._predict(artifact, self.dataset.get_features(features))
        raw = self.dataset.read(**reader_kwargs)
        return self._predict(artifact, self.dataset.features_for_prediction(raw))

    def _predict(self, artifact: ModelArtifact, features: Any) -> Any:
        fitted = artifact.model_object
        features = as_trained(fitted, features)
        predictor = self._steps.get("predictor")
        if predictor is None and not hasattr(fitted, "predict"):
            raise FailedPreconditionError(
                f"a {type(fitted).__name__} has no predict; decorate a function with "
                f"@model.predictor"
            )
        predictions = (
            fitted.predict(features) if predictor is None else predictor.function(fitted, features)
        )
        call_back(self.predict_callbacks, fitted, features, predictions)
        return predictions

    # Versions and services.

    def register(
        self,
        *,
        name: str | None = None,
        home: Any = None,
        contents: Contents | None = None,
    ) -> ModelVersion:
        """Register the trained model as the next version, with parity on the rows of all splits.

        Parameters
        ----------
        name
            None: the model's.
        home
            As for ``penstock.register``.
        contents
            None: the model's.

        Raises
        ------
        FailedPreconditionError
            The model was not trained in this process, so there are no rows to check it on.
        InvalidArgumentError
            The feature_transformer makes other features of a row alone than among others.
        UnimplementedError
            A feature_loader of yours stands before the model.
        """
        from penstock._register import register_around

        artifact = self._trained()
        if not self._training_features:
            raise FailedPreconditionError(
                f"the model '{self.name}' was not trained in this process, so there are no rows to "
                f"check it on: call train, or penstock.register(model.artifact.model_object, X, "
                f"name='{self.name}')"
            )
        self.check_is_servable()
        rows = joined(self._training_features)
        transformer = self.dataset.transformer
        if transformer is not None:
            check_rows_stand_alone(transformer, rows)
        # A run stands in the registry that it was recorded in.
        run = self.run if home is None else None
        predictor = self._steps.get("predictor")
        around = Around(
            predictor.function if predictor else None, transformer, self.predict_callbacks
        )
        return register_around(
            artifact.model_object,
            rows,
            around,
            name=name or self.name,
            home=home,
            run=run,
            output=self._output,
            contents=contents or self._contents,
        )

    def check_is_servable(self) -> None:
        """Refuse what services do not run yet, before hours of training.

        Raises
        ------
        UnimplementedError
            A feature_loader of yours.
        """
        if self.dataset.has_own_feature_loader:
            raise UnimplementedError(
                f"the model '{self.name}' takes what its feature_loader takes; services take typed "
                f"columns, those that the parser gives, and run a feature_transformer: move the "
                f"function there, or serve the app in Python with model.serve(app)"
            )

    def serve(self, app: Any, remote: bool = False, **unused: Any) -> None:
        """Add ``/``, ``/predict`` and ``/health`` to a FastAPI app.

        The app answers in Python, through your functions; ``register().serve()`` is the native
        service.

        Parameters
        ----------
        app
            A FastAPI app. ``PENSTOCK_MODEL_PATH`` names the file of a trained model, unless the
            model is trained already.
        """
        del remote, unused
        from penstock._app.fastapi import mount

        mount(self, app)
