"""What report, messages and command line share: the words, numbers and colours of a verdict."""
