"""Jenkins: its jobs as data, what of them must change, builds started and followed.

`server` holds the records and the seam, `connection` alone imports python-jenkins.
"""
