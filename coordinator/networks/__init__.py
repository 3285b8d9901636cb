"""The network kinds: each network becomes one NetworkAttachmentDefinition (NAD), which multus reads.

`definition` makes the NAD, as data, and finds what is wrong with a network by itself; `rivals` knows who else wants one
of its name, `warnings` what the nodes say against it, `users` which pods name it, `verdicts` what stands in the status.
All of that is pure. `reconcile` is the pass over one network, and `watch` says when a pass is due.
"""
