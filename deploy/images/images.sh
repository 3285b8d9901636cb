#!/bin/sh
# Builds and pushes both images for the Makefile, with docker or buildah.
#   images.sh build [ARCHITECTURE...]   no architecture: this machine's, tagged VERSION; else tagged VERSION-ARCHITECTURE
#   images.sh push [ARCHITECTURE...]    no architecture: the tag VERSION; else each one's tag, then VERSION as their list
# REGISTRY, IMAGE_NAME, VERSION, REVISION, SOURCE and SOURCE_DATE_EPOCH come from the environment; BASE,
# IMAGE_BUILDER, IMAGE_BUILD_OPTS and IMAGE_PUSH_OPTS may.
set -eu
cd "$(dirname "$0")/../.."

refuse() {
    echo "image: $1" >&2
    exit 2
}

builder() {
    if [ -n "${IMAGE_BUILDER:-}" ]; then
        command -v "$IMAGE_BUILDER" > /dev/null || refuse "IMAGE_BUILDER is $IMAGE_BUILDER: there is no such program"
        echo "$IMAGE_BUILDER"
    elif docker info > /dev/null 2>&1; then
        echo docker
    elif command -v buildah > /dev/null; then
        echo buildah
    else
        refuse "neither a docker engine nor buildah is here: start one, install the other, or set IMAGE_BUILDER"
    fi
}

# The coordinator's image has the plain name: it is what upstream's operator is.
name_of() {
    case $1 in
        coordinator) echo "$REGISTRY/$IMAGE_NAME" ;;
        agent) echo "$REGISTRY/$IMAGE_NAME-agent" ;;
    esac
}

architecture_here() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) refuse "this machine is $(uname -m): images are built on amd64 and arm64" ;;
    esac
}

build_one() { # SIDE PLATFORM TAG
    set -- "$1" "$2" --file "Dockerfile.$1" --platform "$2" --tag "$(name_of "$1"):$3" \
        --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION" --build-arg "SOURCE=$SOURCE" \
        --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" ${BASE:+--build-arg "BASE=$BASE"}
    shift 2
    # shellcheck disable=SC2086  # options are words
    case $kind in
        # Without provenance a tag is one image, which a list of architectures can take up.
        docker) "$program" buildx build --load --provenance=false "$@" ${IMAGE_BUILD_OPTS:-} . ;;
        buildah)
            "$program" build --timestamp "$SOURCE_DATE_EPOCH" --build-arg "BUILDPLATFORM=linux/$here" \
                "$@" ${IMAGE_BUILD_OPTS:-} .
            ;;
    esac
}

push_one() { # NAME:TAG
    # shellcheck disable=SC2086
    "$program" push ${IMAGE_PUSH_OPTS:-} "$1"
}

push_list() { # NAME ARCHITECTURE...
    name=$1
    shift
    list=$name:$VERSION
    # shellcheck disable=SC2046,SC2086
    case $kind in
        docker) "$program" buildx imagetools create --tag "$list" $(printf "$name:$VERSION-%s " "$@") ;;
        buildah)
            "$program" manifest rm "$list" > /dev/null 2>&1 || true
            "$program" manifest create "$list" > /dev/null
            for architecture in "$@"; do
                "$program" manifest add ${IMAGE_PUSH_OPTS:-} "$list" "docker://$name:$VERSION-$architecture" > /dev/null
            done
            "$program" manifest push --all ${IMAGE_PUSH_OPTS:-} "$list" "docker://$list"
            ;;
    esac
}

action=$1
shift
for variable in REGISTRY IMAGE_NAME VERSION SOURCE_DATE_EPOCH; do
    eval "[ -n \"\${$variable:-}\" ]" || refuse "$variable is empty: give it, as in make image $variable=..."
done
printf %s "$VERSION" | grep -Eqx '[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}' ||
    refuse "VERSION is '$VERSION': give a tag of letters, digits, '.', '_' and '-', for example v0.1.0"
printf %s "$REGISTRY/$IMAGE_NAME" | grep -Eqx '[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+' ||
    refuse "REGISTRY/IMAGE_NAME is '$REGISTRY/$IMAGE_NAME': give a host, then lower-case names, for example registry.example/team/nicfleet"
for architecture in "$@"; do
    case $architecture in
        amd64 | arm64) ;;
        *) refuse "BUILD_ARCH has '$architecture': images are made for amd64 and arm64" ;;
    esac
done
[ "$action" != push ] || [ "${REGISTRY%%/*}" != localhost ] ||
    refuse "REGISTRY is $REGISTRY: give the registry to push to"
program=$(builder)
case $(basename "$program") in
    docker) kind=docker ;;
    buildah) kind=buildah ;;
    *) refuse "IMAGE_BUILDER is $program: give docker or buildah" ;;
esac
here=$(architecture_here)

for side in coordinator agent; do
    name=$(name_of "$side")
    case $action in
        build)
            [ "$#" -gt 0 ] || build_one "$side" "linux/$here" "$VERSION"
            for architecture in "$@"; do
                build_one "$side" "linux/$architecture" "$VERSION-$architecture"
            done
            ;;
        push)
            [ "$#" -gt 0 ] || push_one "$name:$VERSION"
            for architecture in "$@"; do
                push_one "$name:$VERSION-$architecture"
            done
            [ "$#" -eq 0 ] || push_list "$name" "$@"
            ;;
        *) refuse "unknown action $action" ;;
    esac
done
