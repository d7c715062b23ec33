"""What trains, and what kind of model, in small scripts."""

from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.entities import Task


def found(root: Path, text: str, **modules: str) -> tuple[str, str]:
    for name, content in modules.items():
        (root / f"{name}.py").write_text(content)
    script = root / "script.py"
    script.write_text(text)
    detection = detect(script)
    assert detection.trains is (detection.framework != "none")
    assert bool(detection.evidence) or not detection.trains
    return detection.framework, detection.family


SEQUENTIAL = "from keras.models import Sequential\nfrom keras.layers import *\nm = Sequential()\n"
FUNCTIONAL = "import keras\nfrom keras import layers, ops\ni = keras.Input((8, 8, 1))\n"
FIT = "m.compile(loss='mse')\nm.fit(x, y, epochs=3)\n"
KERAS = {
    "a list of layers": (
        "from tensorflow import keras\n"
        "m = keras.Sequential([keras.layers.Conv2D(8, 3), keras.layers.Dense(1)])\n" + FIT,
        "cnn",
    ),
    "model.add": (SEQUENTIAL + "m.add(Dense(8))\nm.add(Dense(1))\n" + FIT, "mlp"),
    "2016": (
        SEQUENTIAL + "m.add(Convolution2D(8, 3, 3))\nm.fit_generator(g, samples_per_epoch=9)",
        "cnn",
    ),
    "functional": (
        FUNCTIONAL + "o = layers.Dense(1)(layers.LSTM(8)(i))\nm = keras.Model(i, o)\n" + FIT,
        "rnn",
    ),
    "subclass": (
        "import keras\nclass Net(keras.Model):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.d = keras.layers.Dense(1)\n    def call(self, x):\n        return self.d(x)\n"
        "m = Net()\n" + FIT,
        "mlp",
    ),
    "transfer": (
        "from keras.applications.vgg16 import VGG16\nfrom keras.layers import Dense\n"
        "from keras.models import Model\nbase = VGG16(include_top=False)\n"
        "m = Model(base.input, Dense(2)(base.output))\n" + FIT,
        "cnn",
    ),
    "bidirectional": (SEQUENTIAL + "m.add(Bidirectional(LSTM(8)))\n" + FIT, "rnn"),
    "convolutions and memory": (SEQUENTIAL + "m.add(Conv1D(8, 3))\nm.add(GRU(8))\n" + FIT, "rnn"),
    "attention": (
        FUNCTIONAL + "a = layers.MultiHeadAttention(2, 8)(i, i)\n"
        "c = layers.Conv2D(8, 3)(a)\nm = keras.Model(i, c)\n" + FIT,
        "transformer",
    ),
    "attention written out": (
        "import tensorflow as tf\nfrom tensorflow import keras\n"
        "class Head(keras.layers.Layer):\n    def call(self, q, k, v):\n"
        "        score = tf.matmul(q, k, transpose_b=True)\n        scaled = score / 8.0\n"
        "        return tf.matmul(tf.nn.softmax(scaled), v)\n"
        "i = keras.Input((8,))\nm = keras.Model(i, Head()(i, i, i))\n" + FIT,
        "transformer",
    ),
    "autoencoder": (
        SEQUENTIAL + "m.add(Conv2D(8, 3))\nm.add(UpSampling2D())\nm.compile()\nm.fit(x, x)",
        "autoencoder",
    ),
    "denoising autoencoder": (
        "import numpy as np\n" + SEQUENTIAL + "m.add(Conv2D(8, 3))\nm.add(Conv2DTranspose(8, 3))\n"
        "x = np.load('x.npy')\nnoisy = x + np.random.normal(size=x.shape)\n"
        "m.fit(noisy, x, epochs=2)",
        "autoencoder",
    ),
    "a u-net is none": (
        SEQUENTIAL + "m.add(Conv2D(8, 3))\nm.add(Conv2DTranspose(8, 3))\nm.fit(images, masks)",
        "cnn",
    ),
    "variational": (
        "import tensorflow as tf\nfrom tensorflow.keras import layers, Model\n"
        "class Sampling(layers.Layer):\n    def call(self, inputs):\n        m, v = inputs\n"
        "        return m + tf.exp(0.5 * v) * tf.random.normal(tf.shape(m))\n"
        "i = layers.Input((8,))\n"
        "m = Model(i, Sampling()([layers.Dense(2)(i), layers.Dense(2)(i)]))\n" + FIT,
        "vae",
    ),
    "adversaries": (
        "import numpy as np\nfrom keras.models import Sequential\nfrom keras.layers import Dense\n"
        "d = Sequential([Dense(1)])\ng = Sequential([Dense(8)])\nboth = Sequential([g, d])\n"
        "for i in range(9):\n    z = np.random.normal(size=(8, 8))\n"
        "    d.train_on_batch(g.predict(z), y)\n    both.train_on_batch(z, y)\n",
        "gan",
    ),
    "environment": (
        "import gym\n" + SEQUENTIAL + "m.add(Dense(2))\nenv = gym.make('CartPole-v1')\n" + FIT,
        "rl",
    ),
    "partial": (
        "from functools import partial\nimport keras\n"
        "Conv = partial(keras.layers.Conv2D, activation='relu')\n"
        "m = keras.Sequential([Conv(8, 3)])\n" + FIT,
        "cnn",
    ),
    "a template method": (
        "import keras\nclass Base:\n    def train(self):\n        self.model = self.build()\n"
        "        self.model.fit(x, y, epochs=1)\nclass Net(Base):\n    def build(self):\n"
        "        return keras.Sequential([keras.layers.GRU(1)])\nNet().train()",
        "rnn",
    ),
    "own loop": (
        "import tensorflow as tf\nm = tf.keras.Sequential([tf.keras.layers.Dense(1)])\n"
        "o = tf.keras.optimizers.Adam()\nwith tf.GradientTape() as t:\n    l = m(x)\n"
        "o.apply_gradients(zip(t.gradient(l, m.trainable_variables), m.trainable_variables))",
        "mlp",
    ),
    "a session": (
        "import tensorflow as tf\nx = tf.placeholder(tf.float32)\n"
        "w = tf.Variable(tf.zeros([8, 2]))\n"
        "y = tf.nn.softmax(tf.matmul(x, w))\n"
        "s = tf.train.GradientDescentOptimizer(0.5).minimize(loss)",
        "mlp",
    ),
    "tuner": (
        "import keras, keras_tuner as kt\ndef build(hp):\n"
        "    return keras.Sequential([keras.layers.Conv2D(8, 3)])\n"
        "kt.RandomSearch(build, max_trials=3).search(x, y)",
        "cnn",
    ),
    "wrapped for a search": (
        "from keras.wrappers.scikit_learn import KerasClassifier\n"
        "from keras.models import Sequential\nfrom keras.layers import Dense\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "def build():\n    return Sequential([Dense(1)])\n"
        "GridSearchCV(estimator=KerasClassifier(build), param_grid={}).fit(x, y)",
        "mlp",
    ),
    "wrapped for a validation": (
        "from scikeras.wrappers import KerasClassifier\nimport keras\n"
        "from sklearn.model_selection import cross_val_score\n"
        "def build():\n    return keras.Sequential([keras.layers.Dense(1)])\n"
        "k = KerasClassifier(model=build)\ncross_val_score(k, x, y)",
        "mlp",
    ),
    "beside a forest": (
        "from sklearn.ensemble import RandomForestClassifier\nRandomForestClassifier().fit(x, y)\n"
        + SEQUENTIAL
        + "m.add(Dense(1))\n"
        + FIT,
        "mlp",
    ),
    "retraining": (
        "from keras.models import load_model\nm = load_model('m.h5')\nm.fit(x, y, epochs=2)",
        "other",
    ),
    "of something unknown": (
        "import keras\nfrom elsewhere import build\nm = build()\n"
        "y = keras.utils.to_categorical(y)\nm.fit(x, y, epochs=3, validation_split=0.1)",
        "other",
    ),
    "pipeline of recurrent layers in PyTorch's loop": (
        "import os\nos.environ['KERAS_BACKEND'] = 'torch'\nimport keras, torch\n"
        "m = keras.Sequential([keras.layers.GRU(8)])\n"
        "o = torch.optim.Adam(m.parameters())\nloss(m(x)).backward()\no.step()",
        "rnn",
    ),
    "embeddings": (
        "import tensorflow as tf\nfrom tensorflow import keras\n"
        "from tensorflow.keras import layers\n"
        "class Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
        "        self.u = layers.Embedding(9, 8)\n        self.v = layers.Embedding(9, 8)\n"
        "    def call(self, i):\n        return tf.tensordot(self.u(i), self.v(i), 2)\n"
        "m = Net()\n" + FIT,
        "embedding",
    ),
}


@pytest.mark.parametrize(("text", "family"), KERAS.values(), ids=KERAS.keys())
def test_keras(tmp_path: Path, text: str, family: str) -> None:
    assert found(tmp_path, text) == ("keras", family)


SPLIT = "from sklearn.model_selection import train_test_split\n"
SKLEARN = {
    "one": ("from sklearn.svm import SVC\nSVC().fit(x, y)", "classical"),
    "chained": (
        "from sklearn.linear_model import Lasso\np = Lasso().fit(x, y).predict(z)",
        "classical",
    ),
    "old path": (
        "from sklearn.ensemble.forest import RandomForestClassifier as F\nf = F()\nf.fit(x, y)",
        "classical",
    ),
    "boosting": (
        "from sklearn.ensemble import GradientBoostingRegressor as G\nG().fit(x, y)",
        "boosting",
    ),
    "clustering": (
        "from sklearn.cluster import KMeans\nk = KMeans(3)\nk.fit_predict(x)",
        "clustering",
    ),
    "a function": ("from sklearn.cluster import k_means\nk_means(x, 3)", "clustering"),
    "pipeline": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import *\n"
        "from sklearn.svm import SVC\np = make_pipeline(StandardScaler(), SVC())\np.fit(x, y)",
        "classical",
    ),
    "search over a pipeline": (
        "from sklearn.pipeline import Pipeline\nfrom sklearn.model_selection import GridSearchCV\n"
        "from sklearn.decomposition import PCA\n"
        "from sklearn.ensemble import HistGradientBoostingClassifier as H\n"
        "p = Pipeline([('pca', PCA()), ('h', H())])\ns = GridSearchCV(p, {})\ns.fit(x, y)",
        "boosting",
    ),
    "validation trains": (
        "from sklearn.model_selection import cross_val_score\n"
        "from sklearn.tree import DecisionTreeClassifier\n"
        "cross_val_score(DecisionTreeClassifier(), x, y)",
        "classical",
    ),
    "several in a loop": (
        "from sklearn.svm import SVC\nfrom sklearn.neighbors import KNeighborsClassifier\n"
        "for n, c in {'a': SVC(), 'b': KNeighborsClassifier()}.items():\n    c.fit(x, y)",
        "classical",
    ),
    "classes in a loop": (
        "from sklearn.svm import SVC\nfor kind in [SVC]:\n    kind().fit(x, y)",
        "classical",
    ),
    "appended": (
        "from sklearn.svm import SVC\nmodels = []\nmodels.append(('svc', SVC()))\n"
        "for name, model in models:\n    model.fit(x, y)",
        "classical",
    ),
    "steps appended": (
        "from sklearn.pipeline import Pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.svm import SVC\nsteps = [('scale', StandardScaler())]\n"
        "steps.append(('svc', SVC()))\nPipeline(steps).fit(x, y)",
        "classical",
    ),
    "a dataclass's default": (
        "from dataclasses import dataclass, field\nfrom sklearn.svm import SVC\n@dataclass\n"
        "class Trainer:\n    model: SVC = field(default_factory=SVC)\n"
        "    def run(self):\n        self.model.fit(x, y)\nTrainer().run()",
        "classical",
    ),
    "a stack with a stranger in it": (
        "from sklearn.ensemble import StackingClassifier\nfrom sklearn.svm import SVC\n"
        "from xgboost import XGBClassifier\n"
        "StackingClassifier([('a', SVC()), ('b', XGBClassifier())]).fit(x, y)",
        "classical",
    ),
    "after scaling": (
        "from sklearn.preprocessing import StandardScaler\nfrom sklearn.svm import SVR\n"
        "x = StandardScaler().fit_transform(x)\nSVR().fit(x, y)",
        "classical",
    ),
    "clusters as features": (
        "from sklearn.cluster import KMeans\nfrom sklearn.svm import SVC\n"
        "from sklearn.linear_model import Ridge\nx = KMeans().fit_transform(x)\n"
        "SVC().fit(x, y)\nRidge().fit(x, y)",
        "classical",
    ),
    "neural": (
        "from sklearn.neural_network import MLPClassifier\nMLPClassifier().fit(x, y)",
        "mlp",
    ),
    "keras imported for data": (
        "from keras.datasets import mnist\nfrom keras.models import Sequential\n"
        "from sklearn.svm import SVC\n(a, b), _ = mnist.load_data()\nSVC().fit(a, b)",
        "classical",
    ),
    "a vectorizer and a classifier": (
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn.naive_bayes import MultinomialNB\n"
        "MultinomialNB().fit(TfidfVectorizer().fit_transform(x), y)",
        "classical",
    ),
    "wrapped": (
        "from sklearn.multiclass import OneVsRestClassifier\nfrom sklearn.svm import LinearSVC\n"
        "OneVsRestClassifier(LinearSVC()).fit(x, y)",
        "classical",
    ),
}


@pytest.mark.parametrize(("text", "family"), SKLEARN.values(), ids=SKLEARN.keys())
def test_sklearn(tmp_path: Path, text: str, family: str) -> None:
    assert found(tmp_path, text) == ("sklearn", family)


NOTHING = {
    "empty": "",
    "imports alone": "import keras\nfrom sklearn.svm import SVC\n",
    "in a string": f"code = '''\n{SEQUENTIAL}{FIT}'''\nprint(code)",
    "in a docstring": f'"""\n{SEQUENTIAL}{FIT}"""\n',
    "in comments": "\n".join(f"# {line}" for line in (SEQUENTIAL + FIT).split("\n")),
    "built, never fitted": SEQUENTIAL + "m.add(Dense(1))\nm.compile(loss='mse')\nm.summary()",
    "evaluated": "from keras.models import load_model\nm = load_model('m.h5')\nm.evaluate(x, y)",
    "predicted": "import joblib\nm = joblib.load('m')\nm.predict(x)",
    "a scaler": "from sklearn.preprocessing import StandardScaler\nStandardScaler().fit(x)",
    "a vectorizer": "from sklearn.feature_extraction.text import CountVectorizer\n"
    "v = CountVectorizer()\nv.fit_transform(x)",
    "a pipeline that prepares": "from sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import StandardScaler, MinMaxScaler\n"
    "make_pipeline(StandardScaler(), MinMaxScaler()).fit(x)",
    "a tokenizer": "from keras.preprocessing.text import Tokenizer\n"
    "t = Tokenizer()\nt.fit_on_texts(x)",
    "augmentation": "from keras.preprocessing.image import ImageDataGenerator\n"
    "g = ImageDataGenerator()\ng.fit(x)",
    "never called": SEQUENTIAL + "def train():\n    m.fit(x, y, epochs=1)\n",
    "switched off": SEQUENTIAL + "if False:\n    m.fit(x, y, epochs=1)\n",
    "own fit": "import keras\nclass Suit:\n    def fit(self, epochs):\n        pass\n"
    "keras.utils.set_random_seed(0)\nSuit().fit(epochs=3)",
    "curve fitting": "from scipy.optimize import curve_fit\ncurve_fit(f, x, y)",
    "split and metrics": SPLIT + "from sklearn.metrics import accuracy_score\n"
    "train_test_split(x)\naccuracy_score(a, b)",
    "mail": "import smtplib\nsmtplib.SMTP('localhost')",
    "edits another script": "t = open('train.py').read()\n"
    "open('train.py', 'w').write(t.replace('epochs=1', 'epochs=2'))",
    "a layer is adapted": "import keras\nn = keras.layers.Normalization()\nn.adapt(x)",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING.keys())
def test_nothing(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == ("none", "none")


OTHERS = {
    "pytorch": "import torch\nfrom sklearn.metrics import f1_score\nm = torch.nn.Linear(2, 1)\n"
    "o = torch.optim.SGD(m.parameters())\nloss = m(x).sum()\nloss.backward()\no.step()",
    "lightning": "import pytorch_lightning as pl\npl.Trainer().fit(model)",
    "xgboost": "import xgboost as xgb\nfrom sklearn.datasets import load_iris\n"
    "xgb.train({}, xgb.DMatrix(x))",
    "lightgbm": "from lightgbm import LGBMClassifier\nfrom sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import StandardScaler\n"
    "make_pipeline(StandardScaler(), LGBMClassifier()).fit(x, y)",
    "catboost": "from catboost import CatBoostClassifier\nc = CatBoostClassifier()\nc.fit(x, y)",
    "transformers-pytorch": "from transformers import Trainer\nTrainer(model=m).train()",
    "statsmodels": "import statsmodels.api as sm\nsm.OLS(y, x).fit()",
}


@pytest.mark.parametrize(("framework", "text"), OTHERS.items(), ids=OTHERS.keys())
def test_others_are_named_and_nothing_else(tmp_path: Path, framework: str, text: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(text)
    detection = detect(script)
    assert detection.framework == framework
    assert detection.trains
    assert "cannot be trained yet" in detection.warnings[0]


def test_xgboost_within_a_search_is_xgboost(tmp_path: Path) -> None:
    text = (
        "from xgboost import XGBClassifier\nfrom sklearn.model_selection import GridSearchCV\n"
        "GridSearchCV(XGBClassifier(), {}).fit(x, y)"
    )
    assert found(tmp_path, text) == ("xgboost", "boosting")


def test_a_model_from_a_local_module(tmp_path: Path) -> None:
    net = "import keras\ndef build():\n    return keras.Sequential([keras.layers.LSTM(8)])\n"
    assert found(tmp_path, "from net import build\nm = build()\nm.fit(x, y)", net=net) == (
        "keras",
        "rnn",
    )


def test_training_in_a_local_module_has_its_evidence_there(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(
        "from sklearn.svm import SVC\n\ndef train(x, y):\n    SVC().fit(x, y)\n"
    )
    (tmp_path / "script.py").write_text("import work\nwork.train(1, 2)\n")
    first = detect(tmp_path / "script.py").evidence[0]
    assert (first.file, first.line) == ("work.py", 4)


def test_code_that_nothing_calls_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(NOTHING["never called"])
    warnings = detect(tmp_path / "script.py").warnings
    assert any("nothing calls" in warning and "script.py:5" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (
            SEQUENTIAL + "m.add(Dense(1))\nm.compile(loss='binary_crossentropy')\nm.fit(x, y)",
            Task.CLASSIFICATION,
        ),
        (SEQUENTIAL + "m.add(Dense(1))\nm.compile('adam', 'mse')\nm.fit(x, y)", Task.REGRESSION),
        (
            SEQUENTIAL
            + "m.add(Dense(1))\nm.compile(loss='mse', metrics=['accuracy'])\nm.fit(x, y)",
            Task.CLASSIFICATION,
        ),
        (
            "import keras\nm = keras.Sequential([keras.layers.Dense(1)])\n"
            "m.compile(loss=keras.losses.SparseCategoricalCrossentropy())\nm.fit(x, y)",
            Task.CLASSIFICATION,
        ),
        (SEQUENTIAL + "m.add(Dense(1))\nm.compile(loss=mine)\nm.fit(x, y)", Task.OTHER),
        (KERAS["autoencoder"][0], Task.OTHER),
        ("from sklearn.svm import SVC\nSVC().fit(x, y)", Task.CLASSIFICATION),
        (
            "from sklearn.linear_model import LinearRegression\nLinearRegression().fit(x, y)",
            Task.REGRESSION,
        ),
        ("from sklearn.cluster import KMeans\nKMeans().fit(x)", Task.OTHER),
    ],
)
def test_the_question_asked(tmp_path: Path, text: str, task: Task) -> None:
    (tmp_path / "script.py").write_text(text)
    assert detect(tmp_path / "script.py").task is task
