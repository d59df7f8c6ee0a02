"""Names of the signals that may stop a container."""

_PLAIN = """
    ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP
    TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ
"""
_REALTIME = [
    "RTMIN",
    *(f"RTMIN+{number}" for number in range(1, 16)),
    "RTMAX",
    *(f"RTMAX-{number}" for number in range(1, 15)),
]
SIGNALS = tuple(sorted(f"SIG{name}" for name in [*_PLAIN.split(), *_REALTIME]))
