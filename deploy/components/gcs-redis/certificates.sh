#!/usr/bin/env bash
# Makes what Redis and Ray's heads show each other, in a new folder: certificates.sh FOLDER.
#
# FOLDER/server and FOLDER/client each hold ca.crt, tls.crt and tls.key, named as cert-manager names them. Nobody keeps
# the authority's own key: make all of it anew before its ten years end, or when a key has become known.
set -euo pipefail
days=3650
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc) # Ray's TLS knows no Ed25519

umask 077
mkdir -p "$1"
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'cat "$scratch/log" >&2' ERR

openssl req -x509 "${curve[@]}" -days $days -subj /CN=anabranch-redis -keyout "$scratch/ca.key" -out "$scratch/ca.crt" \
    -addext basicConstraints=critical,CA:true,pathlen:0 -addext keyUsage=critical,keyCertSign 2>"$scratch/log"

usage=serverAuth,clientAuth # its probes ask it as a client does
for side in server client; do
    mkdir $side
    printf 'subjectAltName=DNS:redis\nextendedKeyUsage=%s\n' $usage >"$scratch/extensions"
    openssl req "${curve[@]}" -subj "/CN=redis-$side" -keyout $side/tls.key -out "$scratch/request" 2>"$scratch/log"
    openssl x509 -req -in "$scratch/request" -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" -days $days \
        -extfile "$scratch/extensions" -out $side/tls.crt 2>"$scratch/log"
    cp "$scratch/ca.crt" $side/
    usage=clientAuth
done
