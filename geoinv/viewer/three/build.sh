#!/bin/sh
# Makes three.min.js and LICENSE.txt anew, in a folder of its own: needs npm and the network, once, for who changes it.
# The result is committed, so that nobody else does.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/entry.js" "$work"
cd "$work"
npm install --no-save --no-audit --no-fund three@0.187.0 fflate@0.8.3 esbuild@0.28.2
{
  printf 'three.min.js holds parts of two projects.\n\n== three.js 0.187.0, https://threejs.org ==\n\n'
  cat node_modules/three/LICENSE
  printf '\n== fflate 0.8.3, https://github.com/101arrowz/fflate ==\n\n'
  cat node_modules/fflate/LICENSE
  printf '\n'
} > "$here/LICENSE.txt"
# The licences go into the bundle too, as every page that it is copied into must carry them.
npx esbuild entry.js --bundle --minify --format=iife --global-name=THREE --target=es2020 --legal-comments=none \
  --banner:js="/*! $(cat "$here/LICENSE.txt")
*/" --outfile="$here/three.min.js"
