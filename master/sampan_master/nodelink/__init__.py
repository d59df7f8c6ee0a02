"""The master's end of the node link: agents dial in, get their pods and hand in statuses, and serve byte streams.

Nothing here decides anything about pods: it carries the API's objects to the node they are bound to, and the
node's word back into the API, fenced by uid and resourceVersion.
"""

from sampan_master.nodelink.server import NodeLink
from sampan_master.nodelink.settings import NodeLinkSettings

__all__ = ["NodeLink", "NodeLinkSettings"]
