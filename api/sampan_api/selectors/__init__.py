"""Label and field selectors: parsing the two grammars, and matching.

Labels: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`. Fields: `a.b=c,d!=e` with backslash escapes. Error texts are
those of the API server, because clients show them.
"""

from sampan_api.selectors.fields import FieldSelector, parse_fields
from sampan_api.selectors.labels import LabelSelector, from_label_selector, from_labels
from sampan_api.selectors.limits import SelectorError
from sampan_api.selectors.parsing import parse_labels

__all__ = [
    "FieldSelector",
    "LabelSelector",
    "SelectorError",
    "from_label_selector",
    "from_labels",
    "parse_fields",
    "parse_labels",
]
