import pytest

from pushtrain.metrics import canonical
from pushtrain.worker.adapters import names
from pushtrain.worker.printed import Printed


def read(text: str) -> list[tuple[str, float]]:
    printed = Printed()
    for start in range(0, len(text), 7):  # in pieces that end anywhere
        printed.feed(text[start : start + 7])
    return [(metric, round(value, 6)) for metric, value, _ in printed.measurements()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Test accuracy: 0.9712", [("accuracy", 0.9712)]),
        ("accuracy=97.1%", [("accuracy", 0.971)]),
        ("acc 0.93", [("accuracy", 0.93)]),
        ("Accuracy: 97.08", [("accuracy", 0.9708)]),
        ("accuracy on 54 unseen wines: 0.148", [("accuracy", 0.148)]),
        ("The accuracy of the model is 0.91", [("accuracy", 0.91)]),
        ("test loss 0.5, test accuracy 0.8", [("loss", 0.5), ("accuracy", 0.8)]),
        ("F1-score: 0.5  ROC AUC = 0.75", [("f1", 0.5), ("auc", 0.75)]),
        ("R^2: -0.25", [("r2", -0.25)]),
        ("Mean Squared Error: 12.5", [("mse", 12.5)]),
        ("RMSE = 3.5e2", [("rmse", 350.0)]),
        ("    accuracy                           0.82       171", [("accuracy", 0.82)]),
        ("Train accuracy: 0.99, test accuracy: 0.93", [("accuracy", 0.93)]),
        ("Train: loss 0.1 acc 0.99 | Test: loss 0.2 acc 0.95", [("loss", 0.2), ("accuracy", 0.95)]),
        ("\x1b[1mval_acc\x1b[0m: 0.5", [("accuracy", 0.5)]),
        ("Random Forest accuracy: 0.875", [("accuracy", 0.875)]),
    ],
)
def test_a_result_that_says_so_is_read(line, expected):
    assert read(line + "\n") == expected
    assert read("before\n" + line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Training accuracy: 0.99",
        "train_acc=0.99",
        "Epoch 3/5 - loss: 0.1 - accuracy: 0.98",
        "19/19 - 0s - 14ms/step - accuracy: 0.5140 - loss: 1.8098",
        "Epoch 4: val_accuracy improved from 0.90000 to 0.95000, saving model to a.keras",
        "accuracy is 250",
        "accuracy 5",
        "using 10 accuracy bins",
        "Test score: [0.123, 0.97]",
        "model.accuracy_v2.1.3",
        "",
    ],
)
def test_what_is_no_result_is_not_read(line):
    assert read(line + "\n") == []


def test_a_progress_bar_tells_of_validation_data_only():
    line = (
        "5/5 [===] - 1s 14ms/step - accuracy: 0.98 - loss: 0.1 - val_accuracy: 0.91 - val_loss: 0.3"
    )
    assert read(line + "\r") == [("accuracy", 0.91), ("loss", 0.3)]


def test_it_says_where_it_comes_from():
    printed = Printed()
    printed.feed("Test accuracy: 0.5")
    assert printed.measurements() == [("accuracy", 0.5, 'printed: "Test accuracy: 0.5"')]


def test_endless_output_is_bounded():
    printed = Printed()
    printed.feed("x" * 1_000_000)
    for _ in range(5_000):
        printed.feed("accuracy: 0.5\n")
    assert len(printed.measurements()) <= 2_000


def test_the_names_agree_with_the_whole_table():
    for name, expected in names.names().items():
        assert canonical(name) == expected
        assert names.canonical(name) == expected


def test_what_only_repeats_training_is_no_result():
    printed = Printed()
    printed.feed("accuracy: 97.1%\nloss: 0.5\nTest accuracy: 0.8\nTest accuracy: 0.33\n")
    found = printed.measurements(
        measured=[("acc", 0.9712), ("accuracy", 0.3299)],
        trained=[("accuracy", 0.8), ("loss", 0.61)],
    )
    assert [(metric, value) for metric, value, _ in found] == [("loss", 0.5), ("accuracy", 0.8)]
