"""Images: references, a content store, safe unpacking, and the three ways in (archive, registry, built in).

Nothing here knows CRI or containers. Everything that comes from an image is hostile input.
"""
