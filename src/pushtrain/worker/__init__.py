"""What runs inside a training container: standard library only, Python 3.9 and later.

The host never imports this package: the driver puts it into the container's volume, where
`launch.py` is process 1. PROTOCOL.md is the contract between the two.

    loop          process 1: imports the frameworks, waits for orders, trains one after another
    supervision   one trial from outside: its limits, its output, its end
    child         the same trial from inside: the forked process that runs the user's script
    adapters      what is captured from each framework, without any change to the script
"""
