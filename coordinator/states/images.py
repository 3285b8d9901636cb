"""Image references: how repository, image, version and `spec.global` become the one string a container runs."""

import re
from typing import Final

from coordinator.policy import ImageSpec, InvalidSpec, NicClusterPolicySpec

DIGEST_PREFIX: Final = "sha256:"

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_NAME: Final = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_NAME: Final = 255


def image_reference(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """`repository/image:version`, or `repository/image@version` for a digest; `spec.global` fills what is empty.

    `field` is the path of the image's section, for messages. Raises InvalidSpec for a missing part, or one that no
    registry would accept.
    """
    return reference(field, image_name(field, image, spec), image_version(field, image, spec))


def image_name(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """`repository/image`, by the grammar of registries. Raises InvalidSpec."""
    repository = image.repository or (spec.global_ and spec.global_.repository)
    if not repository:
        raise InvalidSpec(f"{field}.repository", "is missing", "set it, or spec.global.repository for all components")
    name = f"{repository}/{image.image}"
    if _NAME.fullmatch(name) is None or len(name) > _LONGEST_NAME:
        raise InvalidSpec(
            f"{field}.repository and .image",
            f"give {name!r}, which no registry accepts as an image name",
            "write registry[:port]/path without scheme, blanks or capital letters, as in nvcr.io/nvidia/mellanox",
        )
    return name


def image_version(field: str, image: ImageSpec, spec: NicClusterPolicySpec) -> str:
    """The tag or digest. Raises InvalidSpec when neither the component nor `spec.global` has one."""
    version = image.version or (spec.global_ and spec.global_.version)
    if not version:
        raise InvalidSpec(f"{field}.version", "is missing", "set it, or spec.global.version for all components")
    return version


def reference(field: str, name: str, version: str) -> str:
    """Name and version joined; raises InvalidSpec for a version that is neither a tag nor a digest."""
    if version.startswith(DIGEST_PREFIX):
        if _DIGEST.fullmatch(version) is None:
            raise InvalidSpec(
                f"{field}.version",
                f"is {version!r}, which is no digest",
                "write sha256: and 64 hexadecimal digits in lower case",
            )
        return f"{name}@{version}"
    if _TAG.fullmatch(version) is None:
        raise InvalidSpec(
            f"{field}.version",
            f"gives the tag {version!r}, which no registry accepts",
            "use at most 128 letters, digits, '.', '_' and '-', not starting with '.' or '-'",
        )
    return f"{name}:{version}"


def pull_secrets(image: ImageSpec, spec: NicClusterPolicySpec) -> list[dict[str, str]]:
    """The pod's `imagePullSecrets`, in order and each once."""
    own = image.image_pull_secrets or (spec.global_ and spec.global_.image_pull_secrets) or ()
    return [{"name": name} for name in dict.fromkeys(own)]
