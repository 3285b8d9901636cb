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

# Asks before anything is changed, so it also is what tells of a cluster that does not answer.
refuse_beside_helm() {
    owner='metadata.annotations.meta\.helm\.sh/release-name'
    line="{range .items[?(@.$owner)]}{.$owner} --namespace {.metadata.namespace}{end}"
    release=$("$kubectl" get deployments --all-namespaces --request-timeout=20s -o jsonpath="$line" \
        --selector=app.kubernetes.io/name=nicfleet-coordinator 2>&1) ||
        refuse "whether Helm has installed it is not known: $(echo "$release" | tail -n 1)"
    [ -z "$release" ] || refuse "this is Helm's: helm $1 $release"
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

# Each kind by itself: of one that is not known, or that may not be read, nothing follows for the others.
still_there() {
    for kind in nicclusterpolicies nicnodepolicies macvlannetworks hostdevicenetworks ipoibnetworks; do
        if said=$("$kubectl" get "$kind.mellanox.com" -o name 2>&1); then
            echo "$said" | grep / | sed 's/^/  /' || true
        elif ! echo "$said" | grep -q "doesn't have a resource type"; then
            echo "  $kind, of which it is not known: $(echo "$said" | tail -n 1)"
        fi
    done
}

undeploy() {
    left=$(still_there)
    if [ -n "$left" ] && [ "${FORCE:-false}" != true ]; then
        echo "$left" >&2
        refuse "these are still there, and nobody would watch over what was made for them: delete them and wait until \
they are gone first, or leave it all with force=true"
    fi
    # One that still runs would write anew what is deleted before its rights are. What hinders this is told below.
    coordinators="--namespace=$namespace --selector=app.kubernetes.io/name=nicfleet-coordinator"
    "$kubectl" scale deployment $coordinators --replicas=0 > /dev/null 2>&1 || true
    "$kubectl" wait pod $coordinators --for=delete --timeout=60s > /dev/null 2>&1 || true
    # Its first document is the namespace, in which the components' pods are too.
    sed '1,/^---$/d' deploy/nicfleet.yaml |
        "$kubectl" delete --ignore-not-found="${IGNORE_NOT_FOUND:-true}" -f -
    echo "left: namespace $namespace, the CRDs, labels of nodes"
    if [ -n "$left" ]; then
        echo "left, with all that was made for them, which nobody watches over now:"
        echo "$left"
        echo "what was made for them goes when you delete them"
    fi
}

case $action in
    generate) generate ;;
    deploy | undeploy)
        kubectl=${KUBECTL:-$(command -v kubectl || tool kubectl)}
        refuse_beside_helm "$([ "$action" = deploy ] && echo "upgrade" || echo "uninstall")"
        "$action"
        ;;
    *) refuse "generate, deploy and undeploy are understood" ;;
esac
