"""Images in directories, whose names are the classes."""
# epochs: 2
# model: keras
# confusion: dark light

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(0)
for part, count in (("train", 8), ("test", 5)):
    for shade, name in ((60, "dark"), (200, "light")):
        for number in range(count):
            keras.utils.save_img(
                __import__("pathlib").Path(f"{part}/{name}").mkdir(parents=True, exist_ok=True) or f"{part}/{name}/{number}.png",
                rng.randint(shade - 40, shade + 40, (8, 8, 3)),
                scale=False,
            )
train = keras.utils.image_dataset_from_directory("train", image_size=(8, 8), batch_size=4, seed=1, verbose=False)
test = keras.utils.image_dataset_from_directory("test", image_size=(8, 8), batch_size=4, shuffle=False, verbose=False)
model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=test, epochs=2, verbose=0)
print(model.evaluate(test, verbose=0))  #: validation loss accuracy
print(model.evaluate(train, verbose=0))  #: training loss accuracy
