"""Which of three growers a wine comes from, told from its chemistry."""

import argparse

import pandas as pd
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow import keras

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--units", type=int, default=8, help="neurons of the hidden layer")
parser.add_argument("--lr", type=float, default=0.001, help="learning rate")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=32)
args = parser.parse_args()

wine = load_wine(as_frame=True)
df = wine.frame
df["color_per_alcohol"] = df["color_intensity"] / df["alcohol"]
print(df.groupby("target")[["alcohol", "proline", "color_per_alcohol"]].mean().round(2))

X = df.drop(columns="target")
y = pd.get_dummies(df["target"]).astype("float32")

X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=df["target"], random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

model = keras.Sequential(
    [
        keras.layers.Input(shape=(X_train.shape[1],)),
        keras.layers.Dense(args.units, activation="tanh"),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
model.compile(
    loss="categorical_crossentropy",
    optimizer=keras.optimizers.SGD(learning_rate=args.lr),
    metrics=["accuracy"],
)
history = model.fit(
    X_train, y_train, epochs=args.epochs, batch_size=args.batch_size, verbose=0
)
print(pd.DataFrame(history.history).tail(3).round(4).to_string())

loss, acc = model.evaluate(X_test, y_test, verbose=0)
print(f"accuracy on {len(X_test)} unseen wines: {acc:.3f}")
