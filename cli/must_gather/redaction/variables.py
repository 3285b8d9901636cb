"""Environment variables of which the values are kept: ours, those of drivers and components, and the nodes' proxies."""

import re
from typing import Final

_KNOWN: Final = re.compile(
    r"NICFLEET_\w+|OFED_\w+|DTK_OCP_\w+|GRPC_VERBOSITY|(?:MY_)?POD_\w+|(?:K8S_)?NODE(?:_?NAME)?|NAMESPACE|\w+_NAMESPACE"
    r"|LOG_LEVEL|ENABLE_WEBHOOKS|SKIP_VALIDATIONS|USE_DTK|USE_DKMS|DOCA_DRIVER_IMAGE_POLL_TIME_MINUTES|CNI_\w+_DIR"
    r"|CREATE_IFNAMES_UDEV|NVIDIA_NIC_DRIVERS_INVENTORY_PATH|(?:UNLOAD_)?(?:STORAGE|THIRD_PARTY_RDMA)_MODULES"
    r"|MLX5_AUXILIARY_MODULES|ENABLE_NFSRDMA|RESTORE_DRIVER_ON_POD_TERMINATION|ENTRYPOINT_DEBUG|DEBUG_LOG_FILE"
    r"|DEBUG_SLEEP_SEC_ON_EXIT|BIND_DELAY_SEC|UFM_(?:ADDRESS|PORT|HTTP_SCHEMA)|DAEMON_(?:SM_PLUGIN|PERIODIC_UPDATE)"
    r"|GUID_POOL_RANGE_(?:START|END)|IMAGE_PULL_SECRETS|PROMETHEUS_XCSET_\w+|CIDR|XPLANE_(?:VERSION|REPOSITORY|IMAGE)"
    r"|(?:HTTPS?|NO|FTP|ALL)_PROXY",
    re.IGNORECASE,
)
_SWITCH: Final = re.compile(r"true|false|yes|no|on|off|\d{0,5}(?:\.\d{1,3})?(?:ms|[smhd%]|[KMG]i?)?", re.IGNORECASE)


def is_told(name: str, value: str) -> bool:
    """Whether the value may be looked at: the variable is a known one, or it is a switch or a small number."""
    return _KNOWN.fullmatch(name) is not None or _SWITCH.fullmatch(value) is not None
