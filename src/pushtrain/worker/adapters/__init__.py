"""What is captured from each framework, without any change to the user's script.

An adapter is one module with

    MODULES            the top-level modules that it follows
    install(session)   called once in the trial's process when such a module has been imported
    seed(session, n)   optional: seeds what the framework draws from, right after `install`
    finish(session)    called when the script has ended, however it ended

It wraps the framework's own methods. What a wrapper observes must neither change what the script
gets, prints or draws, nor raise: everything that can go wrong in it becomes a note.

    keras, sklearn     the adapters; legacy_keras lets code of 2016-2020 run on Keras 3
    seen               which data a model was trained on, and so what a measurement of it proves
    rows               rows of any kind of data as numbers that can be compared
    outcome            what is settled only at the end: the confusion matrix, and whose model counts
"""
