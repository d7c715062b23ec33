"""What names mean, through imports, aliases, modules, classes and functions."""

from pathlib import Path

import pytest

from pushtrain.code import Program


def resolved(root: Path, text: str, modules: dict[str, str] | None = None) -> list[tuple[str, ...]]:
    """The names of the calls of `text`, in the order of its lines."""
    (root / "main.py").write_text(text, encoding="utf-8")
    for name, content in (modules or {}).items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    program = Program.read(root, "main.py")
    calls = [call for call in program.calls() if call.module.is_entry]
    return [program.names(call.function) for call in sorted(calls, key=lambda call: call.line)]


DENSE = ("keras.layers.Dense",)


@pytest.mark.parametrize(
    "text",
    [
        "import tensorflow as tf\ntf.keras.layers.Dense(1)",
        "from tensorflow import keras\nkeras.layers.Dense(1)",
        "from keras import layers as L\nL.Dense(1)",
        "import keras\nlayers = keras.layers\nlayers.Dense(1)",
        "import keras.layers\nkeras.layers.Dense(1)",
        "import keras.layers as kl\nkl.Dense(1)",
        "from keras.layers.core import Dense\nDense(1)",
        "from keras.layers import *\nDense(1)",
        "from keras.layers import *\nfrom keras.models import *\nDense(1)",
        "from tensorflow.python.keras.layers import Dense as D\nD(1)",
        "import tensorflow.compat.v1 as tf\ntf.keras.layers.Dense(1)",
        "from tensorflow.keras import *\nlayers.Dense(1)",
        "try:\n    from keras.layers import Dense\nexcept ImportError:\n"
        "    from tensorflow.keras.layers import Dense\nDense(1)",
        "from keras.layers import Dense\nkinds = {'dense': Dense}\nkinds['dense'](1)",
        "import keras\nfor layer in [keras.layers.Dense]:\n    layer(1)",
        "def f():\n    from keras.layers import Dense\n    return Dense(1)\nf",
        "class A:\n    from keras.layers import Dense\n    x = Dense(1)",
        "import pushtrain\nfrom keras.layers import Dense\nwith pushtrain.checkpoint() as saved:\n"
        "    kind = saved.state.get('kind', Dense)\n    kind(1)",
    ],
)
def test_one_name_for_one_thing(tmp_path: Path, text: str) -> None:
    assert DENSE in resolved(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("from parts import Dense\nDense(1)", {"parts.py": "from keras.layers import Dense"}),
        ("from parts import *\nDense(1)", {"parts.py": "from keras.layers import Dense"}),
        ("from parts import *\nDense(1)", {"parts.py": "from keras.layers import *"}),
        ("import parts\nparts.layers.Dense(1)", {"parts.py": "from keras import layers"}),
        ("from pkg.net import L\nL.Dense(1)", {"pkg/net.py": "from keras import layers as L"}),
        (
            "from pkg import L\nL.Dense(1)",
            {
                "pkg/__init__.py": "from .net import L",
                "pkg/net.py": "from keras import layers as L",
            },
        ),
        (
            "from a import D\nD(1)",
            {
                "a.py": "from b import D\nimport main",
                "b.py": "import a\nfrom keras.layers import Dense as D",
            },
        ),
    ],
)
def test_local_modules_are_followed(tmp_path: Path, text: str, modules: dict[str, str]) -> None:
    assert resolved(tmp_path, text, modules)[0] == DENSE


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("from keras import Sequential\nm = Sequential()\nm.fit(1)", "keras.Sequential.fit"),
        (
            "from keras import Model\nclass Net(Model): pass\nm = Net()\nm.fit(1)",
            "keras.Model.fit",
        ),
        (
            "from keras import Model\nclass A(Model): pass\nclass B(A): pass\nB().fit(1)",
            "keras.Model.fit",
        ),
        (
            "from keras import Sequential\ndef build():\n    m = Sequential()\n    return m\n"
            "m = build()\nm.fit(1)",
            "keras.Sequential.fit",
        ),
        (
            "from keras import Sequential\ndef build():\n    return Sequential(), 3\n"
            "m, n = build()\nm.fit(1)",
            "keras.Sequential.fit",
        ),
        (
            "from sklearn.svm import SVC\ndef train(model):\n    model.fit(1)\ntrain(SVC())",
            "sklearn.svm.SVC.fit",
        ),
        (
            "from sklearn.svm import SVC\nclass T:\n"
            "    def __init__(self):\n        self.m = SVC()\n"
            "    def go(self):\n        self.m.fit(1)\nT().go()",
            "sklearn.svm.SVC.fit",
        ),
        (
            "from sklearn.svm import SVC\nclass T:\n"
            "    def __init__(self, m):\n        self.m = m\n"
            "    def go(self):\n        self.m.fit(1)\nT(SVC()).go()",
            "sklearn.svm.SVC.fit",
        ),
        (
            "from sklearn.svm import SVC\nfor name, m in [('svc', SVC())]:\n    m.fit(1)",
            "sklearn.svm.SVC.fit",
        ),
        (
            "from sklearn.svm import SVC\nms = {'svc': SVC()}\nfor name, m in ms.items():\n"
            "    m.fit(1)",
            "sklearn.svm.SVC.fit",
        ),
        (
            "from sklearn.svm import SVC\nms = [SVC(), 1]\n"
            "for i, m in enumerate(ms):\n    m.fit(1)",
            "sklearn.svm.SVC.fit",
        ),
        ("from sklearn.svm import SVC\nwith SVC() as m:\n    m.fit(1)", "sklearn.svm.SVC.fit"),
        ("from sklearn.svm import SVC\n(m := SVC()).fit(1)", "sklearn.svm.SVC.fit"),
    ],
)
def test_methods_belong_to_what_was_made(tmp_path: Path, text: str, last: str) -> None:
    assert (last,) in resolved(tmp_path, text)


def test_a_use_sees_the_binding_before_it(tmp_path: Path) -> None:
    text = (
        "from keras import Sequential\nfrom sklearn.svm import SVC\n"
        "m = Sequential()\nm.fit(1)\nm = SVC()\nm.fit(1)"
    )
    calls = resolved(tmp_path, text)
    assert calls[1] == ("keras.Sequential.fit",)
    assert calls[3] == ("sklearn.svm.SVC.fit",)


def test_both_branches_count(tmp_path: Path) -> None:
    text = (
        "from keras import Sequential\nfrom sklearn.svm import SVC\n"
        "if x:\n    m = Sequential()\nelse:\n    m = SVC()\nm.fit(1)"
    )
    assert resolved(tmp_path, text)[-1] == ("keras.Sequential.fit", "sklearn.svm.SVC.fit")


@pytest.mark.parametrize(
    "text",
    [
        "m.fit(1)",
        "m = m\nm.fit(1)",
        "def f(x):\n    return f(x)\nf(1).fit(1)",
        "a = b\nb = a\na.fit(1)",
        "class A(A): pass\nA().fit(1)",
        "class A(B): pass\nclass B(A): pass\nA().fit(1)",
        "from . import x\nx.fit(1)",
        "from .. import x\nx.fit(1)",
        "x = x.y = x\nx.fit(1)",
    ],
)
def test_what_cannot_be_known_is_unknown(tmp_path: Path, text: str) -> None:
    assert resolved(tmp_path, text)[-1] == ()
