"""Between the bytes of a request or an answer and the values inside: which form a client may have, and how it is read
and written. Pure functions: no connection, no store.

negotiation.py, representations.py, tables.py   `Accept` -> a form; objects, lists and Tables as bytes of that form
decoding.py                                     a body -> the object of the expected kind, strictly checked
options.py, go_numbers.py, continue_tokens.py   the parameters of a request
"""
