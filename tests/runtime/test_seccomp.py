"""Filters are run by a small BPF machine here: a policy is proven call by call, without a kernel."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_runtime import security
from sampan_runtime.seccomp import (
    ALLOW,
    ARCHITECTURES,
    ERRNO,
    KILL_PROCESS,
    Clause,
    Compare,
    Policy,
    compile_policy,
    default_policy,
    oci_policy,
    system_calls,
)

EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
MACHINES = ("x86_64", "aarch64")


def verdict(program: bytes, number: int, *arguments: int, architecture: int = ARCHITECTURES["x86_64"]) -> int:
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator, pc = 0, 0
    while True:
        code, jt, jf, k = struct.unpack_from("HBBI", program, pc * 8)
        pc += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                pc += k
            case 0x15:
                pc += jt if accumulator == k else jf
            case 0x25:
                pc += jt if accumulator > k else jf
            case 0x35:
                pc += jt if accumulator >= k else jf
            case 0x06:
                return k
            case _:
                raise AssertionError(f"instruction {code:#x}")


def default(*capabilities: str, machine: str = "x86_64") -> bytes:
    return compile_policy(default_policy(capabilities or security.DOCKER_CAPABILITIES, machine), machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_gets_the_verdict_of_its_line_in_the_table(machine):
    program = default(machine=machine)
    architecture = ARCHITECTURES[machine]
    for name, (number, who) in system_calls(machine).items():
        got = verdict(program, number, architecture=architecture)
        if who in ("always", "clone", "personality", "socket", "SYS_CHROOT"):
            assert got == ALLOW, name
        elif who == "clone3":
            assert got == ENOSYS, name
        else:
            assert got == EPERM, name


@pytest.mark.parametrize("name", ["mount", "unshare", "setns", "bpf", "keyctl", "io_uring_setup", "pivot_root"])
def test_what_lets_a_container_out_is_refused(name):
    assert verdict(default(), system_calls("x86_64")[name][0]) == EPERM


def test_a_capability_opens_its_calls():
    number = system_calls("x86_64")["mount"][0]
    assert verdict(default("SYS_ADMIN"), number) == ALLOW
    assert verdict(default("SYS_ADMIN"), system_calls("x86_64")["clone"][0], 0x10000000) == ALLOW


def test_clone_may_not_make_namespaces():
    number = system_calls("x86_64")["clone"][0]
    assert verdict(default(), number, 0x01200011) == ALLOW
    for flag in (0x00020000, 0x10000000, 0x40000000):
        assert verdict(default(), number, 0x11 | flag) == EPERM


def test_sockets_of_odd_families_are_refused():
    number = system_calls("x86_64")["socket"][0]
    assert [verdict(default(), number, family) for family in (1, 2, 10, 16, 17)] == [ALLOW] * 5
    assert [verdict(default(), number, family) for family in (38, 40, 46)] == [EPERM] * 3


def test_calls_of_tomorrow_do_not_exist():
    assert verdict(default(), 600) == ENOSYS
    assert verdict(default(), 0x40000000 | 1) == ENOSYS


def test_another_architectures_numbers_are_refused():
    assert verdict(default(), 1, architecture=0x40000003) == EPERM


NUMBERS = st.integers(0, (1 << 64) - 1) | st.integers(0, 40) | st.integers((1 << 32) - 2, (1 << 32) + 2)


@given(st.sampled_from(["EQ", "NE", "LT", "LE", "GT", "GE"]), NUMBERS, NUMBERS)
def test_comparisons_are_of_64_bits(op, value, argument):
    truth = {
        "EQ": argument == value,
        "NE": argument != value,
        "LT": argument < value,
        "LE": argument <= value,
        "GT": argument > value,
        "GE": argument >= value,
    }[op]
    policy = Policy({5: (Clause(ALLOW, (Compare(2, op, value), Compare(0, "EQ", 1))),)}, EPERM, ENOSYS, 9)
    program = compile_policy(policy, "x86_64")
    assert verdict(program, 5, 1, 0, argument) == (ALLOW if truth else EPERM)
    assert verdict(program, 5, 2, 0, argument) == EPERM


@given(NUMBERS, NUMBERS, NUMBERS)
def test_masked_comparisons(mask, value, argument):
    policy = Policy({5: (Clause(ALLOW, (Compare(0, "MASKED_EQ", value & mask, mask),)),)}, EPERM, ENOSYS, 9)
    expected = ALLOW if argument & mask == value & mask else EPERM
    assert verdict(compile_policy(policy, "x86_64"), 5, argument) == expected


def test_an_oci_profile():
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
            {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"},
            {
                "names": ["kill"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}],
            },
            {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        ],
    }
    table = system_calls("x86_64")
    program = compile_policy(oci_policy(profile, ["SYS_ADMIN"], "x86_64"), "x86_64")
    assert verdict(program, table["mkdir"][0]) == ERRNO | 13
    assert verdict(program, table["reboot"][0]) == KILL_PROCESS
    assert verdict(program, table["kill"][0], 1, 9) == EPERM
    assert verdict(program, table["kill"][0], 1, 15) == ALLOW
    assert verdict(program, table["mount"][0]) == ALLOW


def test_an_action_we_do_not_have_is_refused():
    with pytest.raises(ValueError, match="SCMP_ACT_NOTIFY"):
        oci_policy({"defaultAction": "SCMP_ACT_NOTIFY"}, (), "x86_64")
