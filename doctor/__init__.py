"""`facet doctor`: what is right and wrong with an installation, and what to write into the settings of applications.

The rule of this room: it looks from outside. It knows the settings, asks running parts over HTTP as anybody could,
tries what the machine can do, and changes nothing.
"""
