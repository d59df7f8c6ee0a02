"""The three patch dialects of the API, as functions from object and patch to a new object.

`json_patch` is RFC 6902, `merge_patch` RFC 7386, `strategic_merge` Kubernetes' own. Nothing passed in is ever changed;
results may share parts with their inputs.
"""

from sampan_api.patches.errors import PatchError
from sampan_api.patches.merging import merge_patch
from sampan_api.patches.operations import json_patch
from sampan_api.patches.strategic import strategic_merge

__all__ = ["PatchError", "json_patch", "merge_patch", "strategic_merge"]
