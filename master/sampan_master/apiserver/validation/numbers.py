"""Bounds of numbers, with the texts of `apimachinery/validation`."""

from __future__ import annotations

from typing import Any

from sampan_master.apiserver.validation.fields import Errors, invalid

MAX_INT32 = 2147483647


def non_negative(value: int | None, path: str) -> Errors:
    if value is not None and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def between(value: int | None, low: int, high: int, path: str) -> Errors:
    if value is not None and not low <= value <= high:
        yield invalid(path, value, f"must be between {low} and {high}, inclusive")


def user_id(value: int | None, path: str) -> Errors:
    yield from between(value, 0, MAX_INT32, path)


def port_number(value: Any, path: str) -> Errors:
    yield from between(value, 1, 65535, path)
