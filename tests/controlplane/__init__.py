"""A real Kubernetes control plane on loopback, for tests, the demo and benchmarks.

Real etcd, kube-apiserver, kube-controller-manager and kube-scheduler; kwok plays the kubelets.
`python -m tests.controlplane up` gives one to a person.
"""
