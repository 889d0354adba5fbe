#!/bin/sh
# The demonstration behind `./bootstrap demo`: a local Hub, a model published to it, a verified download into a fresh cache, answers of a model.
# Usage: demo.sh BUILD_DIR [--keep]. Uses a free loopback port and a temporary folder; cleans up after itself.
# Every command is shown before it runs, so that it can be repeated by hand.
set -eu

build=$1
keep=0
[ "${2:-}" = --keep ] && keep=1
hf=$build/bin/hf
devhub=$build/bin/hf-devhub
work=$(mktemp -d "${TMPDIR:-/tmp}/hf-demo.XXXXXX")
server=

finish() {
  status=$?
  [ -z "$server" ] || { kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; }
  if [ "$keep" = 1 ]; then echo "kept: $work"; else rm -rf "$work"; fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

digest() { # of stdin, with whatever this machine has
  if command -v "sha${1}sum" >/dev/null 2>&1; then "sha${1}sum"; else shasum -a "$1"; fi | cut -d' ' -f1
}
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

unset HF_TOKEN HUGGING_FACE_HUB_TOKEN NSCALE_API_KEY GROQ_API_KEY HF_INFERENCE_ENDPOINT HF_ENDPOINT HF_HUB_CACHE HF_HUB_OFFLINE HF_URL_REWRITE 2>/dev/null || :
export HF_HOME="$work/home" HF_HUB_DISABLE_PROGRESS_BARS=1
export PATH="$build/bin:$PATH"

step "1. A Hub on this machine"
echo "\$ hf-devhub serve --memory"
"$devhub" serve --memory --ready-file "$work/ready" >"$work/hub.log" 2>&1 &
server=$!
tries=0
while [ ! -s "$work/ready" ]; do
  kill -0 "$server" 2>/dev/null || { cat "$work/hub.log"; exit 1; }
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || { echo "the local Hub did not start"; exit 1; }
  sleep 0.05
done
url=$(sed 's/^[^h]*//;s/ .*//;q' "$work/ready")
export HF_ENDPOINT="$url"
echo "listening on $url"

step "2. A small model on it"
run hf-devhub add --url "$url" demo/tiny-model --generate tiny-model

step "3. What the Hub says about it"
run hf models info demo/tiny-model --format json
run hf models list demo/tiny-model

step "4. Download it, verified, into a fresh cache"
run hf download demo/tiny-model --trace "$work/trace.jsonl"
echo "requests made (from --trace):"
sed 's/^/  /' "$work/trace.jsonl" | cut -c1-160
snapshot=$(hf download demo/tiny-model --quiet)
echo "each blob is named by the digest of its bytes; checked again here with another program:"
checked=0
for file in "$snapshot"/* "$snapshot"/.[!.]*; do
  [ -f "$file" ] || continue
  blob=$(basename "$(readlink -f "$file")")
  if [ "${#blob}" = 64 ]; then
    actual=$(digest 256 <"$file")
  else
    size=$(wc -c <"$file" | tr -d ' ')
    actual=$({ printf 'blob %s\0' "$size"; cat "$file"; } | digest 1)
  fi
  [ "$actual" = "$blob" ] || { echo "  WRONG: $file"; exit 1; }
  printf '  ok %s  %s\n' "$blob" "$(basename "$file")"
  checked=$((checked + 1))
done

step "5. Again: nothing to fetch but the branch's commit"
run hf download demo/tiny-model --quiet

step "6. A byte is flipped on the way: never published"
status=0
printf '$ hf download demo/tiny-model model.safetensors --force-download   # with the server flipping a byte\n'
run hf-devhub fault --url "$url" 'kind=flip;offset=100;origin=cdn' >/dev/null
HF_HOME="$work/other" hf download demo/tiny-model model.safetensors || status=$?
if [ "$status" = 0 ]; then echo "the damaged file was accepted"; exit 1; fi
[ -z "$(find "$work/other/hub/models--demo--tiny-model/snapshots" -name 'model.safetensors' 2>/dev/null)" ] || exit 1
echo "exit $status, and no file: refused"
hf-devhub reset --url "$url" >/dev/null

step "7. A model answers"
export HF_INFERENCE_ENDPOINT="$url" HF_TOKEN=hf_of_the_demo
run hf inference chat --model demo/tiny-model --text "Which river crosses Lyon?"
run hf inference chat --model demo/tiny-model --provider groq --text "The same, word by word" --stream
mkdir "$work/painter"
printf -- '---\npipeline_tag: text-to-image\n---\n' >"$work/painter/README.md"
hf-devhub add --url "$url" demo/painter "$work/painter" >/dev/null
run hf inference text-to-image --model demo/painter --provider nscale --text "a red kettle" --output "$work/kettle.png"
[ "$(head -c 4 "$work/kettle.png" | tail -c 3)" = PNG ] || { echo "that is no picture"; exit 1; }
echo "$(wc -c <"$work/kettle.png" | tr -d ' ') bytes of PNG"

step "8. The plugins that did it"
run hf plugin list

printf '\nDone: %s files downloaded and verified twice. Cleaned up: nothing of this is left on your machine.\n' "$checked"
