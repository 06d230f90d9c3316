"""Evidence: what analyzers find in a box, checked, worded and turned into findings.

`toolbox` builds what a box needs, `inbox` runs in the box, `report` checks what comes out, `wording` says it.
"""
