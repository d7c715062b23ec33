import argparse
import numpy as np
from tensorflow import keras

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=5)  #: epochs
parser.add_argument("--batch-size", "-b", type=int, default=32)  #: batch_size
parser.add_argument("--learning_rate", type=float, default=1e-3, help="step size (default: 1e-3)")  #: learning_rate
parser.add_argument("--units", dest="hidden", type=int, default=20)  #: units
parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adam"])
parser.add_argument("--dropout", type=float, default=0)  #: dropout
parser.add_argument("--classes", type=int, default=3)
parser.add_argument("--seed", type=int, default=42)


def main(args):
    np.random.seed(args.seed)
    x, y = np.random.rand(90, 6), np.random.randint(0, args.classes, 90)
    model = keras.Sequential([
        keras.layers.Dense(args.hidden, activation="relu"),  #: dense_block activation
        keras.layers.Dropout(args.dropout),
        keras.layers.Dense(args.classes, activation="softmax"),
    ])
    opt = keras.optimizers.SGD(args.learning_rate)  #: optimizer
    model.compile(loss="sparse_categorical_crossentropy", optimizer=opt)
    model.fit(x, y, epochs=args.epochs, batch_size=args.batch_size, verbose=0)


if __name__ == "__main__":
    main(parser.parse_args())
