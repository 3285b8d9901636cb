#!/bin/sh
# Plain manifests, for clusters without Helm.
#   manifests.sh generate   prints deploy/nicfleet.yaml: the namespace, then what the chart makes of its defaults
#   manifests.sh deploy     applies the CRDs, then deploy/nicfleet.yaml with the images of REGISTRY, IMAGE_NAME, VERSION
#   manifests.sh undeploy   deletes what deploy made, but no namespace, no CRD and nothing of the user's
# KUBECTL may name the program; else it is the one on PATH, else the tests' own. The kubeconfig is the current one.
set -eu
cd "$(dirname "$0")/../.."
namespace=nvidia-network-operator
action=$1

refuse() {
    echo "$action: $1" >&2
    exit 2
}

# The tests' programs are of pinned versions, so what they print is the same everywhere.
tool() { # NAME
    [ -x .venv/bin/python ] || refuse "there is no $1 on PATH, and no virtual environment yet: run make setup"
    .venv/bin/python -m tests.controlplane path "$1"
}

generate() {
    helm=$(tool helm)
    chart=$("$helm" template nicfleet deploy/nicfleet --namespace "$namespace" --no-hooks)
    echo "# Made from the chart by \`make generate\`; the CRDs are in deploy/crds."
    cat deploy/manifests/namespace.yaml
    # These objects are not Helm's, and where they come from is no news to whoever applies them.
    printf '%s\n' "$chart" |
        sed '/^ *helm\.sh\/chart: /d; /^ *app\.kubernetes\.io\/managed-by: Helm$/d; /^# Source: /d; s/ *$//'
}

deploy() {
    image=$REGISTRY/$IMAGE_NAME
    case $image:$VERSION in
        /* | *//* | *: | *[!A-Za-z0-9._:/-]*)
            refuse "the image is '$image:$VERSION': give REGISTRY, IMAGE_NAME and VERSION as to make image"
            ;;
    esac
    "$kubectl" apply --server-side -f deploy/crds/
    "$kubectl" wait --for=condition=Established --timeout=60s -f deploy/crds/
    sed "s|image: \"localhost/nicfleet\(-agent\)\{0,1\}:[^\"]*\"|image: \"$image\1:$VERSION\"|" deploy/nicfleet.yaml |
        "$kubectl" apply --server-side -f -
}

undeploy() {
    # One that still runs would write anew what is deleted before its rights are. What hinders this is told below.
    coordinators="--namespace=$namespace --selector=app.kubernetes.io/name=nicfleet-coordinator"
    "$kubectl" scale deployment $coordinators --replicas=0 > /dev/null 2>&1 || true
    "$kubectl" wait pod $coordinators --for=delete --timeout=60s > /dev/null 2>&1 || true
    # Its first document is the namespace, in which the components' pods are too.
    sed '1,/^---$/d' deploy/nicfleet.yaml |
        "$kubectl" delete --ignore-not-found="${IGNORE_NOT_FOUND:-true}" -f -
    echo "left: namespace $namespace, the CRDs, labels of nodes"
    left=
    # Each by itself: of one that is not known, or that may not be read, nothing follows for the others.
    for kind in nicclusterpolicies nicnodepolicies macvlannetworks hostdevicenetworks ipoibnetworks; do
        if said=$("$kubectl" get "$kind.mellanox.com" -o name 2>&1); then
            left="$left $(echo "$said" | grep / || true)"
        elif ! echo "$said" | grep -q "doesn't have a resource type"; then
            echo "whether there are $kind is not known: $said" >&2
        fi
    done
    if [ -n "$(echo "$left" | tr -d '[:space:]')" ]; then
        echo "left, with all that was made for them, as nobody removes it now:"
        printf '  %s\n' $left
        echo "for that run make deploy again, delete these, wait until they are gone, and then make undeploy"
    fi
}

case $action in
    generate) generate ;;
    deploy | undeploy)
        kubectl=${KUBECTL:-$(command -v kubectl || tool kubectl)}
        "$action"
        ;;
    *) refuse "generate, deploy and undeploy are understood" ;;
esac
