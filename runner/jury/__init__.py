"""The jury: checks what the reviewers claim, in a box of its own, and makes one review of it.

`merge` and `verdict` are rules without I/O; `recheck` collects the evidence anew; `job` runs them.
"""
