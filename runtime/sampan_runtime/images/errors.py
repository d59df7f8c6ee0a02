"""
ImageError
├── InvalidReference   the name is no image name
├── ImageNotFound      neither here nor, after a pull, there
├── BadImage           its bytes contradict their digest, its config or the rules of safe unpacking
└── RegistryError      the registry cannot be reached, refuses, or answers nonsense
"""

from __future__ import annotations


class ImageError(Exception):
    pass


class InvalidReference(ImageError):
    pass


class ImageNotFound(ImageError):
    pass


class BadImage(ImageError):
    pass


class RegistryError(ImageError):
    pass
