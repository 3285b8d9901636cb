"""What a policy or network may say: one set of rules for its status and for the optional admission webhook.

`rules` finds what is wrong with an object by itself, `cautions` what is accepted and will not do what it seems to say,
`conflicts` what several policies ask for at once. `review` answers the API server's question whether an object may be
written, and `server` lets it ask. All but `server` and `certificate` is pure.
"""
