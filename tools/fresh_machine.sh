#!/bin/bash
# Usage: tools/fresh_machine.sh [bare|root|user]...   (default: all three; needs root, Docker and debootstrap)
# Proves the README's two commands in a container that holds only Debian 13, Python 3, git and apt (SUITE=forky: Debian
# testing, which has Python 3.14). The container has Docker's default rights (root without CAP_SYS_ADMIN) and no Docker
# in it, so the embedded engine builds, under proot.
#   bare   an ordinary user without the packages is told the one line to run, and nothing is done
#   root   ./make lab serves the course, ./make test passes
#   user   the same as a non-root user with no-new-privileges, once the packages are there
# It tests the commit that is checked out, not what is uncommitted.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${SUITE:-trixie}
image=dockerlab/test-fresh:$suite
packages=dockerlab/test-fresh:$suite-packages
seconds=${FRESH_TIMEOUT:-1500}
logs=$PWD/.lab/fresh
mkdir -p "$logs"

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(CREATED_BY)' |
        awk '$3 == "Debian" && $4 == "Packages" && $2 !~ /-/ { print $1; exit }'
}

make_image() {
    docker image inspect "$image" >/dev/null 2>&1 && return
    local root
    root=$(mktemp -d)
    echo "Making $image"
    debootstrap --variant=minbase --include=python3,git,ca-certificates "$suite" "$root" "$(mirror)" \
        /usr/share/debootstrap/scripts/sid >"$logs/debootstrap.log"
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/kept-mirror" # a mirror's copy may be weeks old
    rm -rf "$root"/var/cache/apt/archives/*.deb
    tar -C "$root" -c . | docker import -c 'CMD ["bash"]' - "$image" >/dev/null
    rm -rf "$root"
}

# A network that looks into TLS has certificates of its own: the container gets this machine's, and the names of its file.
settings=(-v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro -v "$logs/checkout.bundle:/checkout.bundle:ro")
for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE http_proxy https_proxy no_proxy; do
    if [ -n "${!name:-}" ]; then settings+=(-e "$name=${!name}"); fi
done

git bundle create -q "$logs/checkout.bundle" HEAD
clone='cd ~ && git -c advice.detachedHead=false -c init.defaultBranch=main clone -q /checkout.bundle lab && cd lab'
serve='
./make lab ARGS="--no-browser --port 8899 --token=" &
server=$!
python3 - $server <<END
import os, sys, time, urllib.error, urllib.request
began = time.monotonic()
while time.monotonic() - began < 400:
    try:
        page = urllib.request.urlopen("http://127.0.0.1:8899/lab/tree/notebooks/00-start-here.ipynb", timeout=10)
        found = urllib.request.urlopen("http://127.0.0.1:8899/api/contents/notebooks/00-start-here.ipynb", timeout=10)
        print(f"make lab: {page.status} and {found.status} after {time.monotonic() - began:.0f} s", flush=True)
        sys.exit(0)
    except urllib.error.HTTPError as error:
        sys.exit(f"make lab: {error} for {error.url}")
    except OSError:
        os.kill(int(sys.argv[1]), 0) # it ended: ProcessLookupError
        time.sleep(1)
sys.exit("make lab: no answer in 400 s")
END
served=$?
kill $server
'
again='
began=$(date +%s%N)
sh tools/setup.sh lab
echo "set-up again: $((($(date +%s%N) - began) / 1000000)) ms"
'

bare() {
    local said
    if said=$(docker run --rm "${settings[@]}" -e HOME=/tmp -u 1000:1000 "$image" \
        bash -c "$clone && ./make lab" 2>&1); then
        echo "an ordinary user on a bare machine should have been stopped: $said" >&2
        return 1
    fi
    echo "$said"
    grep -q '^ *sudo apt-get update && sudo apt-get install .*make.*python3-venv' <<<"$said"
}

root() {
    timeout "$seconds" docker run --rm --init "${settings[@]}" "$image" \
        bash -c "$clone; set +e; $serve $again ./make test && [ \$served = 0 ]"
}

user() {
    local container
    if ! docker image inspect "$packages" >/dev/null 2>&1; then
        container=$(docker create "${settings[@]}" "$image" bash -c "$clone && sh tools/packages.sh test && useradd -m learner")
        docker start -a "$container"
        docker commit -c 'CMD ["bash"]' "$container" "$packages" >/dev/null
        docker rm "$container" >/dev/null
    fi
    timeout "$seconds" docker run --rm --init "${settings[@]}" --security-opt no-new-privileges -u learner -e HOME=/home/learner \
        "$packages" bash -c "$clone; set +e; $serve $again ./make test && [ \$served = 0 ]"
}

make_image
failed=0
for case in "${@:-bare root user}"; do
    for one in $case; do
        printf '\n==== %s\n' "$one"
        began=$SECONDS
        if "$one" > >(tee "$logs/$one.log") 2>&1; then word=passed; else word=FAILED failed=1; fi
        printf -- '---- %s: %s, %d s\n' "$one" "$word" "$((SECONDS - began))"
    done
done
exit "$failed"
