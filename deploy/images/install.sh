#!/bin/sh
# Run by the Dockerfiles, in their build stage: makes the tree of one image in /image, where the base's is already.
# It runs programs of the build's own platform only, so an image for another architecture needs no emulation.
#   install.sh agent|coordinator amd64|arm64 SECONDS
# SECONDS since the epoch: no file gets a later time.
set -eu
side=$1 architecture=$2 epoch=$3
home=/opt/nicfleet
image=/image
export PYTHONHASHSEED=0 SOURCE_DATE_EPOCH="$epoch" PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
umask 022

refuse() {
    echo "install.sh: $1" >&2
    exit 1
}

case $architecture in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) refuse "architecture $architecture: images are made for amd64 and arm64" ;;
esac
for compiler in cc gcc clang; do
    for folder in usr/bin usr/local/bin; do
        [ ! -e "$image/$folder/$compiler" ] || refuse "BASE has a compiler, /$folder/$compiler: give a slim image"
    done
done

# Our wheel, by the locked build backend.
python3 -m venv --without-pip /build/tools
pip="python3 -m pip --python /build/tools/bin/python"
$pip install --quiet --require-hashes --requirement requirements/build.lock
$pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /build/wheels .

# The environment: made at its final place, for its links and first lines, and filled with wheels of the target.
python3 -m venv --without-pip "$home"
site=$("$home/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
glibc=$(python3 -c 'import os; print(os.confstr("CS_GNU_LIBC_VERSION").split(".")[1])')
platforms="--platform manylinux2014_$machine"
minor=17
while [ "$minor" -le "$glibc" ]; do
    platforms="$platforms --platform manylinux_2_${minor}_$machine"
    minor=$((minor + 1))
done
python3 - "requirements/$side.lock" > /build/all.lock <<'PYTHON'
import hashlib, pathlib, sys
print(pathlib.Path(sys.argv[1]).read_text())
(wheel,) = pathlib.Path("/build/wheels").glob("*.whl")
name, version, *_ = wheel.name.split("-")
print(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
PYTHON
# shellcheck disable=SC2086  # one word per platform
python3 -m pip --python "$home/bin/python" install --quiet --require-hashes --no-deps --no-compile \
    --only-binary :all: $platforms --python-version "$python_version" --implementation cp \
    --find-links /build/wheels --target "$site" --requirement /build/all.lock

# Each side gets its own command and its own code.
mv "$site/bin/nicfleet-$side" "$home/bin/"
rm -r "${site:?}/bin" "$site/cli"
rm "$home"/bin/[Aa]ctivate*
case $side in
    agent) rm -r "$site/coordinator" ;;
    coordinator)
        rm -r "$site/agent"
        # 110 MiB of classes that are generated from the API, and imported when first named. coordinator/kube/session.py,
        # the only importer of this library, takes its configuration and its HTTP client; `make test-images` runs both.
        for client in "$site/kubernetes/client" "$site/kubernetes/aio/client"; do
            find "$client/models" "$client/api" -type f ! -name __init__.py -delete
        done
        ;;
esac
mkdir -p "$image$home"
cp -a "$home/." "$image$home/"

# What installs packages is not needed any more, nor are files that run as another user than who starts them.
for folder in $(python3 -c 'import site, sysconfig; print(*{*site.getsitepackages(), sysconfig.get_path("purelib")})'); do
    for package in pip setuptools wheel pkg_resources _distutils_hack; do
        rm -rf "$image${folder:?}/$package" "$image$folder/$package"-*-info
    done
    rm -f "$image$folder/distutils-precedence.pth"
done
library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
rm -rf "$image$library/ensurepip" "$image/usr/share/python-wheels"
rm -f "$image"/usr/bin/pip* "$image"/usr/local/bin/pip* "$image"/usr/local/bin/wheel "$image"/usr/local/bin/easy_install*
find "$image" -xdev -type f -perm /6000 -exec chmod a-s {} +

# Compiled now, as the root file system may be read-only, and by hash, as a builder may set the times of all files.
python3 -m compileall -q --invalidation-mode unchecked-hash -s "$image" "$image$home"
python3 -m compileall -q --invalidation-mode unchecked-hash -s "$image" -x '/(test|idlelib|lib2to3|tkinter|turtledemo)/' \
    "$image$library"
find "$image" -xdev -newermt "@$epoch" -exec touch --no-dereference --date "@$epoch" {} +
