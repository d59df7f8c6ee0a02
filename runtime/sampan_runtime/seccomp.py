"""System call filters: a small compiler from rules to classic BPF, the default profile, and OCI profiles.

The filter checks the architecture, then searches the call's number in a balanced tree of ranges, and only then looks
at arguments. A tree costs 9 comparisons where a list of rules costs hundreds, on every system call of a container.
"""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

ALLOW = 0x7FFF0000
LOG = 0x7FFC0000
TRACE = 0x7FF00000
TRAP = 0x00030000
KILL_THREAD = 0x00000000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000

LD_W_ABS, JA, JEQ, JGT, JGE, AND, RET = 0x20, 0x05, 0x15, 0x25, 0x35, 0x54, 0x06
OFFSET_NR, OFFSET_ARCH, OFFSET_ARGS = 0, 4, 16
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
OCI_ARCHITECTURES = {"x86_64": ("SCMP_ARCH_X86_64", "amd64"), "aarch64": ("SCMP_ARCH_AARCH64", "arm64")}

NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}"""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
SOCKET_FAMILIES_REFUSED = (12, 19, 20, 23, 25, 34, 37, 38, 40)
"""DECnet, Econet, ATM SVC, IrDA, WANPIPE, IUCV, CAIF, ALG, VSOCK: attack surface, or a way round the pod's network."""
SOCKET_FAMILIES = 46

Op = Literal["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"]
Target = int | Literal["pass", "fail"]
Instruction = tuple[int, int, Target, Target]
"""code, k, jump if true, jump if false"""


@dataclass(frozen=True, slots=True)
class Compare:
    argument: int
    op: Op
    value: int
    mask: int = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Clause:
    """`action` when all comparisons hold."""

    action: int
    when: tuple[Compare, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The first clause that holds decides; without one, `default`; for numbers nobody knew, `unknown`."""

    rules: Mapping[int, tuple[Clause, ...]]
    default: int
    unknown: int
    known: int
    """The highest system call number that the author of the policy knew."""


def compile_policy(policy: Policy, machine: str = os.uname().machine) -> bytes:
    program: list[Instruction] = [
        (LD_W_ABS, OFFSET_ARCH, 0, 0),
        (JEQ, ARCHITECTURES[machine], 1, 0),
        (RET, ERRNO | errno.EPERM, 0, 0),
        (LD_W_ABS, OFFSET_NR, 0, 0),
        *_tree(list(_ranges(policy)), policy.default),
    ]
    return b"".join(struct.pack("HBBI", code, jt, jf, k) for code, k, jt, jf in program)


def _ranges(policy: Policy) -> Iterable[tuple[int, tuple[Clause, ...]]]:
    """(first number, clauses) wherever the clauses change."""
    before: tuple[Clause, ...] | None = None
    highest = max(policy.known, *policy.rules)
    for number in range(highest + 1):
        clauses = policy.rules.get(number, ())
        if clauses != before:
            yield number, clauses
            before = clauses
    yield highest + 1, (Clause(policy.unknown),)


def _tree(ranges: Sequence[tuple[int, tuple[Clause, ...]]], default: int) -> list[Instruction]:
    if len(ranges) == 1:
        return _leaf(ranges[0][1], default)
    middle = len(ranges) // 2
    left, right = _tree(ranges[:middle], default), _tree(ranges[middle:], default)
    first = ranges[middle][0]
    if len(left) <= 255:
        return [(JGE, first, len(left), 0), *left, *right]
    return [(JGE, first, 0, 1), (JA, len(left), 0, 0), *left, *right]


def _leaf(clauses: Sequence[Clause], default: int) -> list[Instruction]:
    program: list[Instruction] = []
    for clause in clauses:
        tests = [_compare(compare) for compare in clause.when]
        remaining = sum(map(len, tests)) + 1
        for test in tests:
            size = len(test)
            for position, (code, k, jt, jf) in enumerate(test):
                goals: dict[Target, int] = {"pass": size - position - 1, "fail": remaining - position - 1}
                program.append((code, k, goals.get(jt, jt), goals.get(jf, jf)))
            remaining -= size
        program.append((RET, clause.action, 0, 0))
        if not clause.when:
            return program
    return [*program, (RET, default, 0, 0)]


def _compare(compare: Compare) -> list[Instruction]:
    """Arguments are 64 bits, BPF's words 32; both architectures are little-endian."""
    low_offset = OFFSET_ARGS + 8 * compare.argument
    low, high = compare.value & 0xFFFFFFFF, compare.value >> 32
    load_low: Instruction = (LD_W_ABS, low_offset, 0, 0)
    load_high: Instruction = (LD_W_ABS, low_offset + 4, 0, 0)
    match compare.op:
        case "EQ":
            return [load_high, (JEQ, high, 0, "fail"), load_low, (JEQ, low, 0, "fail")]
        case "NE":
            return [load_high, (JEQ, high, 0, "pass"), load_low, (JEQ, low, "fail", 0)]
        case "MASKED_EQ":
            mask_low, mask_high = compare.mask & 0xFFFFFFFF, compare.mask >> 32
            upper: list[Instruction] = [load_high, (AND, mask_high, 0, 0), (JEQ, high, 0, "fail")]
            return [*upper, load_low, (AND, mask_low, 0, 0), (JEQ, low, 0, "fail")]
        case "GT" | "GE":
            test = JGT if compare.op == "GT" else JGE
            above: list[Instruction] = [load_high, (JGT, high, "pass", 0), (JEQ, high, 0, "fail")]
            return [*above, load_low, (test, low, 0, "fail")]
        case "LT" | "LE":
            test = JGE if compare.op == "LT" else JGT
            below: list[Instruction] = [load_high, (JGT, high, "fail", 0), (JEQ, high, 0, "pass")]
            return [*below, load_low, (test, low, "fail", 0)]


def system_calls(machine: str = os.uname().machine) -> dict[str, tuple[int, str]]:
    """name -> (number, who may use it under the default profile)."""
    column = {"x86_64": 1, "aarch64": 2}[machine]
    table = {}
    with open(os.path.join(os.path.dirname(__file__), "seccomp_syscalls.txt")) as file:
        for line in file:
            fields = line.split()
            if not line.startswith("#") and fields[column] != "-":
                table[fields[0]] = (int(fields[column]), fields[3])
    return table


def default_policy(capabilities: Iterable[str], machine: str = os.uname().machine) -> Policy:
    held = frozenset(capabilities)
    table = system_calls(machine)
    rules = {number: clauses for number, who in table.values() if (clauses := _clauses(who, held))}
    return Policy(
        rules,
        default=ERRNO | errno.EPERM,
        # libc falls back to older calls on ENOSYS; EPERM it hands to the program.
        unknown=ERRNO | errno.ENOSYS,
        known=max(number for number, _ in table.values()),
    )


def _clauses(who: str, held: frozenset[str]) -> tuple[Clause, ...]:
    match who:
        case "always":
            return (Clause(ALLOW),)
        case "never":
            return ()
        case "clone" if "SYS_ADMIN" not in held:
            return (Clause(ALLOW, (Compare(0, "MASKED_EQ", 0, NAMESPACE_FLAGS),)),)
        case "clone3" if "SYS_ADMIN" not in held:
            # Its flags are behind a pointer, out of a filter's sight; ENOSYS makes libc use clone.
            return (Clause(ERRNO | errno.ENOSYS),)
        case "clone" | "clone3":
            return (Clause(ALLOW),)
        case "personality":
            return tuple(Clause(ALLOW, (Compare(0, "EQ", value),)) for value in PERSONALITIES)
        case "socket":
            refused = tuple(Compare(0, "NE", family) for family in SOCKET_FAMILIES_REFUSED)
            return (Clause(ALLOW, (Compare(0, "LT", SOCKET_FAMILIES), *refused)),)
        case capabilities:
            return (Clause(ALLOW),) if held.intersection(capabilities.split(",")) else ()


def oci_policy(profile: Mapping[str, Any], capabilities: Iterable[str], machine: str = os.uname().machine) -> Policy:
    """A seccomp profile in OCI's JSON, or in Docker's with its includes and excludes. Raises ValueError."""
    held = frozenset(capabilities)
    table = system_calls(machine)
    rules: dict[int, tuple[Clause, ...]] = {}
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    for entry in profile.get("syscalls") or ():
        if not _applies(entry, held, machine):
            continue
        clause = Clause(
            _action(entry["action"], entry.get("errnoRet")),
            tuple(_oci_compare(argument) for argument in entry.get("args") or ()),
        )
        for name in entry.get("names") or (entry["name"],):
            if name in table:
                number = table[name][0]
                rules[number] = (*rules.get(number, ()), clause)
    # Clauses with conditions first: an unconditional one would hide them.
    ordered = {number: tuple(sorted(clauses, key=lambda clause: not clause.when)) for number, clauses in rules.items()}
    return Policy(ordered, default, default, max(number for number, _ in table.values()))


def _applies(entry: Mapping[str, Any], held: frozenset[str], machine: str) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    names = frozenset(OCI_ARCHITECTURES[machine])
    wanted = {name.removeprefix("CAP_") for name in includes.get("caps") or ()}
    refused = {name.removeprefix("CAP_") for name in excludes.get("caps") or ()}
    if not wanted <= held or refused & held or names & set(excludes.get("arches") or ()):
        return False
    return not includes.get("arches") or bool(names & set(includes["arches"]))


def _action(name: str, errno_ret: int | None) -> int:
    value = errno.EPERM if errno_ret is None else errno_ret
    actions = {
        "SCMP_ACT_ALLOW": ALLOW,
        "SCMP_ACT_LOG": LOG,
        "SCMP_ACT_TRAP": TRAP,
        "SCMP_ACT_KILL": KILL_THREAD,
        "SCMP_ACT_KILL_THREAD": KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
        "SCMP_ACT_ERRNO": ERRNO | value & 0xFFFF,
        "SCMP_ACT_TRACE": TRACE | value & 0xFFFF,
    }
    if name not in actions:
        raise ValueError(f"seccomp action {name} is not supported")
    return actions[name]


def _oci_compare(argument: Mapping[str, Any]) -> Compare:
    op, value = argument["op"].removeprefix("SCMP_CMP_"), argument["value"]
    if op == "MASKED_EQ":
        return Compare(argument["index"], op, argument.get("valueTwo", 0), value)
    if op not in ("EQ", "NE", "LT", "LE", "GT", "GE"):
        raise ValueError(f"seccomp comparison {op} is not supported")
    return Compare(argument["index"], op, value)


def compile_profile(name: str, capabilities: Iterable[str]) -> bytes:
    """The program for Security.seccomp: b"" for "unconfined"."""
    if name == "unconfined":
        return b""
    if name == "default":
        return compile_policy(default_policy(capabilities))
    with open(name, "rb") as file:
        return compile_policy(oci_policy(json.load(file), capabilities))
