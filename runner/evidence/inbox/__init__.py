"""What runs inside a box: starts the analyzers on base and head and prints what is new as JSON.

Standard library only, Python 3.9 or newer, and no import from the rest of the project: in a box this
folder stands alone. Nothing of the repository is ever executed, imported or followed; contents come
out of git's object store, never out of the working tree.
"""
