"""Values that switch every part of the chart on or off, and those of upstream's charts."""

from typing import Any, Final

_PEM: Final = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"

OLD: Final[dict[str, Any]] = {
    "deployCR": True,
    "nfd": {"enabled": True},
    "psp": {"enabled": False},
    "sriovNetworkOperator": {"enabled": False},
    "operator": {
        "repository": "nvcr.io/nvidia/cloud-native",
        "image": "network-operator",
        "tag": "v24.7.0",
        "coverage": {"enabled": False},
        "maintenanceOperator": {"useRequestor": True},
    },
    "imagePullSecrets": ["ngc"],
    "ofedDriver": {
        "deploy": True,
        "repository": "nvcr.io/nvidia/mellanox",
        "version": "24.07-0.6.1.0-0",
        "repoConfig": {"name": ""},
        "certConfig": {"name": "certificates"},
        "env": [{"name": "CREATE_IFNAMES_UDEV", "value": "true"}],
        "upgradePolicy": {"autoUpgrade": True, "waitForCompletion": None, "drain": {"podSelector": ""}},
    },
    "rdmaSharedDevicePlugin": {"resources": [{"name": "rdma_shared_a", "ifNames": ["ens1f0"], "rdmaHcaMax": 10}]},
    "sriovDevicePlugin": {"deploy": True},
    "nvIpam": {"deploy": False},
    "secondaryNetwork": {"ipoib": {"deploy": True}, "cniPlugins": {"deploy": False}},
    "tolerations": [{"key": "example.com/gpu", "operator": "Exists"}],
    "test": {"pf": "ens2f0"},
}
"""As users of upstream's chart 24.7 have them in their files."""

CURRENT: Final[dict[str, Any]] = {
    "nfd": {"enabled": False, "deployNodeFeatureRules": True},
    "upgradeCRDs": True,
    "keepNCP": True,
    "sriovNetworkOperator": {"enabled": False},
    "node-feature-discovery": {"featureGates": {"NodeFeatureAPI": True}, "postDeleteCleanup": False},
    "maintenance-operator-chart": {"operatorConfig": {"deploy": False}},
    "operator": {
        "repository": "registry.example.com/mirror",
        "image": "network-operator",
        "cniBinDirectory": "/opt/cni/bin",
        "cniNetworkDirectory": "/etc/cni/net.d",
        "useDTK": True,
        "admissionController": {"enabled": False, "useCertManager": True},
        "ofedDriver": {"initContainer": {"enable": True, "version": "network-operator-v26.4.1"}},
    },
}
"""The same of 26.4."""

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "upstream-24.7": OLD,
    "upstream-26.4": CURRENT,
    "beside-nfd": {"nfd": {"enabled": False}},
    "no-hook": {"upgradeCRDs": False},
    "webhook-by-cert-manager": {"operator": {"admissionController": {"enabled": True}}},
    "webhook-by-own-certificate": {
        "operator": {
            "admissionController": {
                "enabled": True,
                "useCertManager": False,
                "certificate": {"caCrt": _PEM, "tlsCrt": _PEM, "tlsKey": _PEM},
            }
        }
    },
    "service-monitor": {"operator": {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"team": "net"}}}}},
    "no-network-policy": {"networkPolicy": {"enabled": False}},
    "tight-network-policy": {
        "networkPolicy": {
            "agentCIDRs": ["192.0.2.0/24", "2001:db8::/64"],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        }
    },
    "plaintext": {"tls": {"enabled": False}},
    "certificate-of-cert-manager": {"tls": {"certManager": {"enabled": True}}},
    "certificate-of-an-issuer-of-the-cluster": {
        "tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "company"}}}
    },
    "certificate-of-ones-own": {"tls": {"existingSecret": "nics-certificate"}},
    "no-disruption-budget": {"operator": {"podDisruptionBudget": {"enabled": False}}},
    "no-init-container": {"operator": {"ofedDriver": {"initContainer": {"enable": False}}}},
    "air-gapped": {"imageRegistry": "registry.example.com:5000/mirror", "imagePullSecrets": ["mirror"]},
    "own-names": {"operator": {"fullnameOverride": "nics", "nameOverride": "other"}},
    "placement": {
        "operator": {
            "tolerations": [{"key": "example.com/infra", "operator": "Exists"}],
            "nodeSelector": {"example.com/infra": "true"},
            "affinity": {},
            "priorityClassName": "",
            "preStopSleepSeconds": 5,
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
            "podAnnotations": {"example.com/a": "b"},
            "podLabels": {"example.com/a": "b"},
            "serviceAccountAnnotations": {"example.com/a": "b"},
        },
        "agent": {
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "",
            "seLinuxOptions": {},
            "maxUnavailable": 3,
            "podAnnotations": {"example.com/a": "b"},
            "podLabels": {"example.com/a": "b"},
        },
    },
}
