"""Models compared side by side: the same questions to each, in boxes that start from one snapshot, and what can be said of the answers.

comparison = compare("spec.yml", out="results")
print(comparison.pair("claim_f1", "large", "small").verdict)
"""

from box_review.comparison.comparing import compare
from box_review.comparison.result import CellResult, Comparison, ModelResult, PairResult, ScoreResult
from box_review.comparison.spec import Spec

__all__ = ["CellResult", "Comparison", "ModelResult", "PairResult", "ScoreResult", "Spec", "compare"]
