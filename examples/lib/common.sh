# Shell functions that examples/*/run, Tests/run and Tests/Performance/compare share. Sourced by bash, never run.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "$(basename "$0"): $*"
    exit 1
}

# The packages of the given sections of config/debian-packages, one a line.
packages_of() {
    local section
    for section in "$@"; do
        awk -v wanted="[$section]" '/^\[/ { inside = ($0 == wanted); next } /^[a-z0-9]/ && inside { print $1 }' \
            "$repository/config/debian-packages"
    done | sort -u
}

# Runs a command up to three times, waiting longer each time: for what needs the network.
retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return 0
        [ "$attempt" = 3 ] || { say "again in $((attempt * 5)) s: $*"; sleep $((attempt * 5)); }
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Installs what is missing of the given sections; says plainly what is missing when it cannot.
install_packages() {
    local package missing=()
    for package in $(packages_of "$@"); do
        case "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" in
            installed) ;;
            *) missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} = 0 ] && return 0
    command -v apt-get >/dev/null || fail "missing, and there is no apt-get to install them: ${missing[*]}"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "missing: ${missing[*]}; run this as root, install sudo, or run: apt-get install ${missing[*]}"
    say "Installing Debian packages: ${missing[*]}"
    retry as_root apt-get update -qq >&2 || fail "apt-get update failed; missing: ${missing[*]}"
    retry as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
        fail "apt-get could not install: ${missing[*]}"
}

require_swift() {
    command -v swift >/dev/null && return 0
    fail "missing: Swift 6.3 (https://www.swift.org/install/linux/) must be in PATH"
}

# The flags of the binary that is measured and shipped.
release_flags=(-c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked)

# Builds the release binary and sets `gatehouse` to its path. GATEHOUSE_BINARY names one that is there already.
build_gatehouse() {
    if [ -n "${GATEHOUSE_BINARY:-}" ]; then
        [ -x "$GATEHOUSE_BINARY" ] || fail "GATEHOUSE_BINARY=$GATEHOUSE_BINARY cannot be run"
        gatehouse=$GATEHOUSE_BINARY
        return 0
    fi
    require_swift
    install_packages build
    say "Building gatehouse (release; the first time takes several minutes)"
    (cd "$repository" && retry swift package resolve >&2) || fail "swift package resolve failed"
    (cd "$repository" && swift build "${release_flags[@]}" --product gatehouse >&2) || fail "the build failed"
    gatehouse=$(cd "$repository" && swift build "${release_flags[@]}" --show-bin-path)/gatehouse
}

# A TCP port of the loopback that nothing listens on, below the range from which the kernel takes its own.
free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 12000))
        case " ${taken_ports:-} " in *" $port "*) continue ;; esac
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# wait_for SECONDS WHAT PID COMMAND…: until the command succeeds; fails when the time is over or PID has ended.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2 pid=$3
    shift 3
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || { say "$what ended early"; return 1; }
        [ $SECONDS -lt "$deadline" ] || { say "$what was not ready in time"; return 1; }
        sleep 0.05
    done
}

# Ends the processes that were started here, by their ids, and waits for them.
started=()
end_started() {
    local pid
    for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null; done
    for pid in ${started[@]+"${started[@]}"}; do wait "$pid" 2>/dev/null; done
    started=()
}

# The first python3 that can make a virtual environment.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3; do
        "$candidate" -c 'import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        python=$candidate
        return 0
    done
    fail "missing: Python 3.11 or newer with venv"
}

proxies_environment() { printf '%s\n' "$repository/.build-python-proxies"; }

# Installs the proxies that Debian does not have.
install_proxies() {
    local environment
    environment=$(proxies_environment)
    if ! "$environment/bin/python" -c pass 2>/dev/null; then
        rm -rf "$environment"
        "$python" -m venv "$environment" || fail "no virtual environment could be made"
    fi
    retry "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r "$repository/examples/lib/proxies.txt" >&2 || fail "pip could not install examples/lib/proxies.txt"
}

# run_proxied PROXY [--check]: the whole of examples/PROXY/run.
run_proxied() {
    local proxy=$1
    shift
    case "$*" in "" | --check) ;; *) say "usage: $0 [--check]"; exit 2 ;; esac
    install_packages build proxies
    find_python
    case "$proxy" in nginx | haproxy) ;; *) install_proxies ;; esac
    build_gatehouse
    GATEHOUSE_BINARY=$gatehouse exec "$python" "$repository/examples/lib/proxied.py" "$proxy" "$@"
}
