"""Which target holds, and which measurement counts for it."""

from __future__ import annotations

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import (
    Detection,
    Direction,
    Epoch,
    Measurement,
    Objective,
    Parsed,
    Role,
    Task,
)
from pushtrain.errors import ObjectiveError
from pushtrain.objective import choose, epoch_value, settle
from pushtrain.settings import ObjectiveSettings

ACCURACY = Objective("accuracy", 0.8)
LOSS = Objective("loss", 0.2, Direction.MINIMIZE)
NOTHING_SET = ObjectiveSettings()


def detection(task: Task = Task.CLASSIFICATION) -> Detection:
    return Detection("train.py", "keras", "mlp", None, task, True, (), (), (), Parsed.AST, "only")


def measured(value: float, role: Role = Role.HELD_OUT, metric: str = "accuracy") -> Measurement:
    return Measurement(metric, value, role, f"{metric} {value}")


def epochs(*metrics: dict[str, float]) -> list[Epoch]:
    return [Epoch(number, values, 0.1) for number, values in enumerate(metrics, start=1)]


class TestSettle:
    def test_a_classifier_must_reach_80_percent_by_default(self) -> None:
        assert settle(detection(), NOTHING_SET) == Objective("accuracy", 0.8)

    def test_flags_win_over_the_file_and_the_file_over_the_default(self) -> None:
        file = ObjectiveSettings(metric="f1", target=0.7)
        assert settle(detection(), file) == Objective("f1", 0.7)
        assert settle(detection(), file, target=0.9) == Objective("f1", 0.9)
        assert settle(detection(), file, metric="F1-score") == Objective("f1", 0.7)

    def test_a_target_in_the_file_does_not_count_for_another_metric(self) -> None:
        file = ObjectiveSettings(metric="loss", target=0.1, direction=Direction.MINIMIZE)
        assert settle(detection(), file, metric="acc") == Objective("accuracy", 0.8)

    def test_a_target_alone_means_the_accuracy_of_a_classifier(self) -> None:
        assert settle(detection(), NOTHING_SET, target=0.95) == Objective("accuracy", 0.95)

    @pytest.mark.parametrize("task", [Task.REGRESSION, Task.OTHER])
    def test_anything_but_a_classifier_needs_a_stated_metric(self, task: Task) -> None:
        with pytest.raises(
            ObjectiveError, match=r"--metric .* --target .*pushtrain\.toml"
        ) as caught:
            settle(detection(task), NOTHING_SET)
        assert caught.value.exit_code == 2

    def test_the_example_in_the_error_is_valid_as_it_stands(self) -> None:
        with pytest.raises(ObjectiveError) as caught:
            settle(detection(Task.REGRESSION), NOTHING_SET)
        line = caught.value.hint.split("[objective] ")[1].replace(", ", "\n")
        stated = ObjectiveSettings.model_validate(tomllib.loads(line))
        assert settle(detection(Task.REGRESSION), stated).direction is Direction.MINIMIZE

    def test_a_metric_without_a_target_is_refused(self) -> None:
        with pytest.raises(ObjectiveError, match="no target is stated for auc"):
            settle(detection(), NOTHING_SET, metric="roc_auc_score")

    @pytest.mark.parametrize("name", ["loss", "val_loss", "MSE", "log_loss", "my_loss", "wer"])
    def test_losses_and_errors_are_minimised(self, name: str) -> None:
        objective = settle(detection(), NOTHING_SET, metric=name, target=0.5)
        assert objective.direction is Direction.MINIMIZE

    def test_a_stated_direction_wins_over_the_name(self) -> None:
        objective = settle(
            detection(), NOTHING_SET, metric="loss", target=1, direction=Direction.MAXIMIZE
        )
        assert objective.direction is Direction.MAXIMIZE

    def test_percent_are_refused_with_the_share_that_was_meant(self) -> None:
        with pytest.raises(ObjectiveError, match=r"did you mean 0\.97\?"):
            settle(detection(), NOTHING_SET, target=97)

    @pytest.mark.parametrize(
        ("metric", "target"),
        [
            ("accuracy", math.nan),
            ("loss", math.inf),
            ("accuracy", -0.1),
            ("accuracy", 250),
            ("r2", 1.5),
            ("mse", -1),
            ("perplexity", 0.5),
            ("---", 1),
        ],
    )
    def test_a_target_that_nothing_can_reach_is_refused(self, metric: str, target: float) -> None:
        with pytest.raises(ObjectiveError) as caught:
            settle(detection(), NOTHING_SET, metric=metric, target=target)
        assert caught.value.hint

    @given(st.floats(0, 1))
    def test_every_share_is_accepted(self, target: float) -> None:
        assert settle(detection(), NOTHING_SET, target=target).target == target


class TestChoose:
    def test_better_evidence_wins_whatever_its_value(self) -> None:
        for better, worse in zip(Role, list(Role)[1:], strict=False):
            given_values = [measured(0.5, better), measured(0.9, worse)]
            assert choose(given_values, [], ACCURACY) == given_values[0]

    def test_the_last_of_equal_evidence_wins(self) -> None:
        assert choose([measured(0.9), measured(0.7)], [], ACCURACY) == measured(0.7)

    @pytest.mark.parametrize(
        "name", ["acc", "val_accuracy", "accuracy_score", "SparseCategoricalAccuracy", "accuracy_1"]
    )
    def test_other_spellings_of_the_metric_match(self, name: str) -> None:
        assert choose([measured(0.9, metric=name)], [], ACCURACY) is not None

    def test_other_metrics_do_not(self) -> None:
        others = [measured(0.9, metric=name) for name in ("balanced_accuracy", "loss", "acc_gap")]
        assert choose(others, [], ACCURACY) is None

    def test_without_a_final_value_the_best_validation_epoch_stands_in(self) -> None:
        seen = epochs({"val_accuracy": 0.6}, {"val_acc": 0.9}, {"val_accuracy": 0.7})
        assert choose([], seen, ACCURACY) == Measurement(
            "accuracy", 0.9, Role.VALIDATION, "val_accuracy, best of 3 epochs"
        )

    def test_the_best_loss_is_the_smallest(self) -> None:
        chosen = choose([], epochs({"val_loss": 0.6}, {"val_loss": 0.3}), LOSS)
        assert chosen is not None
        assert chosen.value == 0.3

    def test_a_nan_epoch_is_passed_over_unless_there_is_no_other(self) -> None:
        one = choose([], epochs({"val_loss": math.nan}, {"val_loss": 0.3}), LOSS)
        assert one is not None
        assert one.value == 0.3
        all_nan = choose([], epochs({"val_loss": math.nan}), LOSS)
        assert all_nan is not None
        assert math.isnan(all_nan.value)

    def test_epochs_stand_between_folds_and_print(self) -> None:
        seen = epochs({"val_accuracy": 0.6})
        printed, folds = measured(0.9, Role.PRINTED), measured(0.5, Role.CROSS_VALIDATION)
        chosen = choose([printed], seen, ACCURACY)
        assert chosen is not None
        assert chosen.role is Role.VALIDATION
        assert choose([printed, folds], seen, ACCURACY) == folds

    def test_training_values_are_never_evidence(self) -> None:
        chosen = choose([], epochs({"accuracy": 0.99}), ACCURACY)
        assert chosen is not None
        assert chosen.role is Role.TRAINING
        assert not chosen.role.is_evidence

    def test_nothing_measured_gives_nothing(self) -> None:
        assert choose([], epochs({"loss": 1.0}), ACCURACY) is None


class TestEpochValue:
    def test_validation_comes_before_training(self) -> None:
        (epoch,) = epochs({"accuracy": 0.9, "val_accuracy": 0.7})
        assert epoch_value(epoch, ACCURACY) == 0.7

    def test_training_is_a_weak_signal(self) -> None:
        (epoch,) = epochs({"accuracy": 0.9, "loss": 0.1})
        assert epoch_value(epoch, ACCURACY) == 0.9

    def test_a_zero_on_validation_is_a_value(self) -> None:
        (epoch,) = epochs({"accuracy": 0.9, "val_accuracy": 0.0})
        assert epoch_value(epoch, ACCURACY) == 0.0

    def test_another_metric_gives_nothing(self) -> None:
        (epoch,) = epochs({"val_loss": 0.1})
        assert epoch_value(epoch, ACCURACY) is None
