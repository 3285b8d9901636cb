"""The product as users run it: our images in real pods, under real kubelets and containerd on this machine.

`make e2e` runs these tests; docs/how-to/run-e2e.md tells what they need, what is real and what stands in.
"""
