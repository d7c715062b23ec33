"""The aliases of framework names."""

import pytest

from pushtrain.code import canonical


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("tensorflow.keras.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.python.keras.layers.core.Dense", "keras.layers.Dense"),
        ("tf_keras.Sequential", "keras.Sequential"),
        ("keras.models.Sequential.fit", "keras.Sequential.fit"),
        ("keras.layers.convolutional.Convolution2D", "keras.layers.Conv2D"),
        ("keras.layers.recurrent.LSTM", "keras.layers.LSTM"),
        ("keras.layers.merge.concatenate", "keras.layers.concatenate"),
        ("keras.layers.experimental.preprocessing.Rescaling", "keras.layers.Rescaling"),
        ("keras.optimizers.legacy.Adam", "keras.optimizers.Adam"),
        ("keras.optimizers.schedules.ExponentialDecay", "keras.optimizers.ExponentialDecay"),
        ("keras.utils.np_utils.to_categorical", "keras.utils.to_categorical"),
        ("keras.applications.vgg16.VGG16", "keras.applications.VGG16"),
        (
            "keras_preprocessing.image.ImageDataGenerator",
            "keras.preprocessing.image.ImageDataGenerator",
        ),
        ("sklearn.cross_validation.train_test_split", "sklearn.model_selection.train_test_split"),
        (
            "sklearn.ensemble.forest.RandomForestClassifier",
            "sklearn.ensemble.RandomForestClassifier",
        ),
        (
            "sklearn.feature_extraction.text.TfidfVectorizer",
            "sklearn.feature_extraction.text.TfidfVectorizer",
        ),
        ("sklearn.externals.joblib.dump", "joblib.dump"),
        ("numpy.array", "numpy.array"),
        ("kerasx.layers.Dense", "kerasx.layers.Dense"),
        ("", ""),
    ],
)
def test_canonical(name: str, short: str) -> None:
    assert canonical(name) == short
    assert canonical(short) == short
