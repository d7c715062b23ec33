from tensorflow.keras.applications import VGG16
from tensorflow.keras.layers import Dense, Dropout, GlobalAveragePooling2D
from tensorflow.keras.models import Model
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.preprocessing.image import ImageDataGenerator

IMG = 64
base = VGG16(weights="imagenet", include_top=False, input_shape=(IMG, IMG, 3))
for layer in base.layers:
    layer.trainable = False

def add_top(base_model, num_classes, D=256):  #: units
    """the new head"""
    top = base_model.output
    top = GlobalAveragePooling2D()(top)
    top = Dense(D, activation="relu")(top)  #: activation
    top = Dropout(0.3)(top)  #: dropout
    top = Dense(num_classes, activation="softmax")(top)
    return top

model = Model(inputs=base.input, outputs=add_top(base, 2))
gen = ImageDataGenerator(rescale=1.0 / 255, rotation_range=20, horizontal_flip=True, zoom_range=0.2, validation_split=0.2)  #: rotation_range zoom_range
train = gen.flow_from_directory("data/", target_size=(IMG, IMG), batch_size=16, class_mode="categorical")  #: batch_size
model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=0.0001), metrics=["accuracy"])  #: learning_rate
model.fit_generator(train, epochs=3, steps_per_epoch=50)  #: epochs
model.save("vgg.h5")
