"""ImageLocality: nodes that have the pod's images score by their size, scaled by how widely each is spread.

Between 23 MB and 1000 MB for each image the pod names (containers, init containers, image volumes)."""

from reference.world import spec, status

MB = 1024 * 1024


def images(pod):
    containers = [*(spec(pod).get("initContainers") or []), *spec(pod)["containers"]]
    volumes = [v["image"].get("reference") for v in spec(pod).get("volumes") or [] if v.get("image")]
    return [with_tag(i or "") for i in [*(c.get("image") for c in containers), *volumes]]


def with_tag(image):
    return image if image.rfind(":") > image.rfind("/") else image + ":latest"


def _size_on(node, image):
    sizes = [i.get("sizeBytes", 0) for i in status(node).get("images") or [] if image in (i.get("names") or [])]
    return sizes[0] if sizes else None


def score(world, pod, node, feasible):
    nodes = world["nodes"].values()
    total = 0
    for image in images(pod):
        size = _size_on(node, image)
        if size is not None:
            spread = sum(_size_on(other, image) is not None for other in nodes) / len(nodes)
            total += int(size * spread)
    least, most = 23 * MB, 1000 * MB * len(images(pod))
    return 100 * (min(max(total, least), most) - least) // (most - least)
