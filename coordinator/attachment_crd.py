"""The CustomResourceDefinition of NetworkAttachmentDefinition, which is not ours: multus and others bring it too.

Names, version and schema are those of the Network Plumbing Working Group's standard and of upstream's chart.
"""

from typing import Any, Final

FILE: Final = "k8s.cni.cncf.io_network-attachment-definitions.yaml"

CRD: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "network-attachment-definitions.k8s.cni.cncf.io"},
    "spec": {
        "group": "k8s.cni.cncf.io",
        "scope": "Namespaced",
        "names": {
            "kind": "NetworkAttachmentDefinition",
            "plural": "network-attachment-definitions",
            "singular": "network-attachment-definition",
            "shortNames": ["net-attach-def", "nad"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "A secondary network that a Pod can ask for by an annotation.",
                        "properties": {
                            "apiVersion": {"type": "string", "description": "Version of this schema."},
                            "kind": {"type": "string", "description": "Always NetworkAttachmentDefinition."},
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "description": "What is done to a Pod that asks for this network.",
                                "properties": {
                                    "config": {
                                        "type": "string",
                                        "description": "JSON text of a CNI configuration or list of configurations. "
                                        "Empty: that of a file on the node.",
                                    }
                                },
                            },
                        },
                    }
                },
            }
        ],
    },
}
