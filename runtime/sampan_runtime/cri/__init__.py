"""The CRI v1 server: records of sandboxes and containers, and the verbs on them.

server      gRPC in and out: which function answers which call, which error is which status code
daemon      the state that the verbs share: records, images, zygote, network, subscribers to events
records     what is known of a sandbox or container, and its two files
*_plan      CRI config → what the shim is asked for; pure
*_verbs     one group of calls each; they perform plans and keep the records true
lifecycle   what shims report: exits, and their own death
recovery    finding everything again after a restart of the daemon or of the machine
messages    records → CRI messages, and the list filters
"""
