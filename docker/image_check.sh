#!/usr/bin/env bash
# Build the image from this checkout without a Docker engine, and prove what docs/image.md says about it. Needs root,
# buildah and, for the base, debootstrap (apt-get install buildah debootstrap), a network and 25 GB of disk.
#
#   docker/image_check.sh [STEP ...]     steps: base build rebuild examine run; without any, all of them in this order
#
# WORK     folder of layers and containers, kept for the next call (default: .image-check)
# CA       file of certificates that the building machine needs for its registry; it does not enter the image
# ISOLATION=oci   run the image apart from this machine's processes and network (needs runc), instead of in a chroot
# TRACES   words that only this machine would leave behind; the image may hold none of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
WORK=$(realpath -m "${WORK:-.image-check}")
export TMPDIR="$WORK/tmp" STORAGE_DRIVER=overlay
mkdir -p "$TMPDIR"
IMAGE=localhost/stillhouse:check BASE=localhost/stillhouse-base:check

# A storage of its own, so that nothing of this machine's images is used or changed; overlay, so that a layer is no copy.
in_work() { buildah --root "$WORK/root" --runroot "$WORK/run" "$@"; }
seconds() {
    local name=$1 start=$SECONDS
    shift
    "$@"
    echo "image-check: $name took $((SECONDS - start)) s"
}

# The base has what the Dockerfile needs of python:3.11-slim-bookworm: Debian's Python 3.11 instead of python.org's.
base() {
    if in_work inspect "$BASE" >/dev/null 2>&1; then return; fi
    rm -rf "$WORK/base"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$WORK/base" >"$WORK/debootstrap.log"
    rm -rf "$WORK"/base/var/cache/apt/archives/*.deb "$WORK"/base/var/log/* "$WORK"/base/etc/resolv.conf "$WORK"/base/etc/hostname
    local container
    container=$(in_work from scratch)
    in_work copy --quiet "$container" "$WORK/base" / >/dev/null
    in_work config --cmd /bin/bash "$container"
    in_work commit --quiet --rm "$container" "$BASE" >/dev/null
    rm -rf "$WORK/base"
}

build() {
    local secret=()
    if [ -n "${CA:-}" ]; then secret=(--secret "id=ca_bundle,src=$CA"); fi
    in_work bud --isolation chroot --pull-never --layers --format docker --file docker/Dockerfile --ignorefile .dockerignore \
        --build-arg "BASE=$BASE" --build-arg "REVISION=$(git rev-parse HEAD)" "${secret[@]}" --tag "$IMAGE" . \
        >"$WORK/build.log" 2>&1 || { tail -n 30 "$WORK/build.log" >&2; return 1; }
}

rebuild() {
    build
    local made
    made=$(grep -c 'STEP [0-9]' "$WORK/build.log" || true)
    echo "image-check: $(grep -c "Using cache" "$WORK/build.log" || true) of $made steps came from the cache"
}

# Prints the configuration that a container gets, and looks through all its files.
examine() {
    local container root
    in_work inspect --type image --format \
        'user {{.OCIv1.Config.User}}, revision {{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}, health {{.Docker.Config.Healthcheck.Test}}' "$IMAGE"
    container=$(in_work from --pull-never "$IMAGE")
    root=$(in_work mount "$container")
    echo "size: $(du --summarize --block-size=MB --one-file-system "$root" | cut -f1), of which the environment $(du -s --block-size=MB "$root/opt/stillhouse" | cut -f1)"
    # shellcheck disable=SC2086  # words
    python3 docker/examine.py "$root" "$PWD" "$WORK" ${TRACES:-}
    in_work umount "$container" >/dev/null
    in_work rm "$container" >/dev/null
}

# Runs the image as its own user: the smoke test, the quickstart, and a trial of two workers.
run() {
    local container
    container=$(in_work from --pull-never "$IMAGE")
    local apart=(--isolation chroot)
    if [ "${ISOLATION:-}" = oci ]; then apart=(--isolation oci --runtime runc --network none); fi
    inside() { in_work run "${apart[@]}" "$container" -- "$@"; }
    # shellcheck disable=SC2016  # expanded inside
    inside sh -c 'test "$(id -u)" = 1000 && ! touch /opt/stillhouse/x 2>/dev/null'
    seconds doctor inside stillhouse doctor
    seconds quickstart inside stillhouse run /opt/stillhouse/configs/studies/quickstart.yaml
    seconds 'a trial of two workers' inside stillhouse run /opt/stillhouse/configs/studies/quickstart.yaml --workers 2 --store workers \
        --set teacher=null --set method.kind=none --set search.baseline=false --set search.space={} --set schedule.epochs=1
    in_work rm "$container" >/dev/null
}

if [ "$#" -eq 0 ]; then set -- base build rebuild examine run; fi
for step in "$@"; do seconds "$step" "$step"; done
