#!/usr/bin/env bash
set -eu

version="$1"
target="/srv/parcels/$version"

mkdir -p "$target"
tar -xzf "parcels-$version.tar.gz" -C "$target"
ln -sfn "$target" /srv/parcels/current
systemctl restart parcels
