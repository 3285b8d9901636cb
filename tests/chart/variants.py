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

_COMPONENT: Final[dict[str, Any]] = {
    "deploy": True,
    "image": "a",
    "repository": "registry.example.com/a",
    "version": "v1",
    "imagePullSecrets": ["ngc"],
    "containerResources": [{"name": "a", "requests": {"cpu": "100m"}, "limits": {"memory": "300Mi", "cpu": 1}}],
}
_PROBE: Final = {"initialDelaySeconds": 10, "periodSeconds": 20}

COMPONENTS: Final[dict[str, Any]] = {
    "deployCR": True,
    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}},
    "tolerations": [{"key": "example.com/gpu", "operator": "Equal", "value": "", "effect": "NoSchedule"}],
    "ofedDriver": _COMPONENT
    | {
        "forcePrecompiled": False,
        "env": [{"name": "A", "value": "b"}],
        "repoConfig": {"name": ""},
        "certConfig": {"name": ""},
        "terminationGracePeriodSeconds": 300,
        "startupProbe": _PROBE,
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "upgradePolicy": {
            "autoUpgrade": True,
            "maxParallelUpgrades": 1,
            "safeLoad": False,
            "drain": {
                "enable": True,
                "force": True,
                "podSelector": "",
                "timeoutSeconds": 300,
                "deleteEmptyDir": True,
            },
            "waitForCompletion": {"podSelector": "a=b", "timeoutSeconds": 0},
        },
        "initContainer": {"enable": True, "repository": "a", "image": "b", "version": "v1"},
    },
    "rdmaSharedDevicePlugin": _COMPONENT
    | {
        "useCdi": False,
        "resources": [
            {
                "name": "a",
                "rdmaHcaMax": 63,
                "vendors": ["15b3"],
                "deviceIDs": ["1017"],
                "drivers": ["mlx5_core"],
                "ifNames": ["ens1f0"],
                "linkTypes": ["ether"],
            }
        ],
    },
    "sriovDevicePlugin": _COMPONENT
    | {
        "useCdi": True,
        "resources": [
            {
                "name": "a",
                "vendors": ["15b3"],
                "devices": ["1018"],
                "drivers": ["mlx5_core"],
                "pfNames": ["ens1f0"],
                "pciAddresses": ["0000:3b:00.2"],
                "rootDevices": ["0000:3b:00.0"],
                "linkTypes": ["infiniband"],
            }
        ],
    },
    "ibKubernetes": _COMPONENT
    | {
        "periodicUpdateSeconds": 5,
        "pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00:00",
        "pKeyGUIDPoolRangeEnd": "02:FF:FF:FF:FF:FF:FF:FF",
        "ufmSecret": "ufm",
    },
    "nvIpam": _COMPONENT | {"enableWebhook": False, "config": "{}"},
    "secondaryNetwork": {
        "deploy": True,
        "cniPlugins": _COMPONENT,
        "multus": _COMPONENT | {"config": "{}"},
        "ipoib": _COMPONENT,
        "ipamPlugin": _COMPONENT,
    },
    "nicFeatureDiscovery": _COMPONENT,
    "docaTelemetryService": _COMPONENT,
    "sriovNetworkOperator": {"enabled": True, "configDaemonNodeSelectorExtra": {"a": "b"}},
    "nvPeerDriver": _COMPONENT | {"gpuDriverSourcePath": "/run/nvidia/driver"},
    "psp": {"enabled": True},
    "proxy": {"httpProxy": "a", "httpsProxy": "b", "noProxy": "c"},
    "test": {"pf": "ens2f0"},
}
"""Every value of a component that values.yaml or the template of the policy of upstream's charts 0.4 to 24.7 names."""

EVERYTHING: Final[dict[str, Any]] = {
    "operator": {
        "admissionController": {
            "enabled": True,
            "useCertManager": False,
            "certificate": {"caCrt": _PEM, "tlsCrt": _PEM, "tlsKey": _PEM},
        },
        "metrics": {"serviceMonitor": {"enabled": True}},
    },
}
"""All that the chart makes without cert-manager."""

PLATFORMS: Final[dict[str, tuple[str, ...]]] = {
    "kubernetes": (),
    "openshift": ("--api-versions=security.openshift.io/v1", "--api-versions=config.openshift.io/v1"),
}
"""What the chart looks for of the cluster, as `helm template` is told it."""

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "upstream-24.7": OLD,
    "upstream-26.4": CURRENT,
    "upstream-components": COMPONENTS,
    "beside-nfd": {"nfd": {"enabled": False}},
    "no-hook": {"upgradeCRDs": False},
    "webhook-by-cert-manager": {"operator": {"admissionController": {"enabled": True}}},
    "webhook-by-own-certificate": EVERYTHING,
    "service-monitor": {"operator": {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"team": "net"}}}}},
    "no-network-policy": {"networkPolicy": {"enabled": False}},
    "tight-network-policy": {
        "networkPolicy": {
            "agentCIDRs": ["192.0.2.0/24", "0.0.0.0/0", "198.51.100.255/32", "2001:db8::/64", "::/0", "::1/128"],
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
                {"ipBlock": {"cidr": "192.0.2.0/24"}},
            ],
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
    "extremes": {
        "operator": {
            "podDisruptionBudget": {"maxUnavailable": "100%"},
            "resources": {"requests": {"cpu": 0.05}, "limits": {"cpu": "50m", "memory": 167772160}},
            "env": [
                {"name": "A", "value": "", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "GRPC_VERBOSITY", "value": "info"},
            ],
            "podAnnotations": {"Example.com/A_b.c": "any text"},
            "podLabels": {f"example.com/{'a' * 63}": "b" * 63},
        },
        "agent": {
            "maxUnavailable": "100%",
            "resources": {"limits": {"cpu": "10000u", "memory": "65536Ki", "ephemeral-storage": "1e9"}},
            "tolerations": [
                {"operator": "Exists", "value": "", "effect": "NoExecute", "tolerationSeconds": 3},
                {"key": "example.com/a", "value": "b"},
            ],
        },
    },
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
            "absentDirectories": ["/etc/modprobe.d"],
            "podAnnotations": {"example.com/a": "b"},
            "podLabels": {"example.com/a": "b"},
        },
    },
}
