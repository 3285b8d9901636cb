"""The device plugins' configurations: checked before a plugin reads them, and held against what each node has.

`rdma_config` and `sriov_config` read the text that a user wrote, `predict` says which functions of a node each resource
gets, in the plugins' own semantics (the `main` branches of Mellanox/k8s-rdma-shared-dev-plugin and
k8snetworkplumbingwg/sriov-network-device-plugin). Pure.
"""
