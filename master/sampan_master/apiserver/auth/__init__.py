"""Who asks, and whether they may: authentication, authorisation and the tokens of service accounts. Nothing is stored
here and nothing is answered over HTTP.

authentication.py           a certificate or a bearer token -> the user
impersonation.py            acting as somebody else
attributes.py               what a request asks for, read from its method and path
authorization.py            whether a user may do that: the one place where it is decided
service_account_tokens.py   signing and verifying, with `jwt.py` below and the names of `service_accounts.py`
reviews.py                  questions about users and tokens that are answered and not stored
"""
