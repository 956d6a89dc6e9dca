#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH (900), one after the other, on the files of the shared
# image corpus and a few texts as seeds. Needs cargo-fuzz (cargo install cargo-fuzz); no nightly
# compiler, for no sanitizer is used: what reads strange bytes is Rust without unsafe; libwebp, the one
# part in C, encodes our own pixels.
#
#   fuzz/run.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")"

seconds=${SECONDS_EACH:-900}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(header render webp_check source import_csv import_json)

# The corpus lies beside the repository of its makers, not in it.
pictures=
above=$PWD
while [ "$above" != / ] && [ -z "$pictures" ]; do
    above=$(dirname "$above")
    [ -d "$above/shared/corpus" ] && pictures=$above/shared/corpus
done

seed() {
    local folder=corpus/$1
    mkdir -p "$folder"
    case $1 in
        header | render | webp_check)
            # A large file costs much and finds little.
            [ -z "$pictures" ] || find "$pictures" -type f -size -40k ! -name '*.tsv' ! -name '*.md' -exec cp -f {} "$folder/" \;
            ;;
        source)
            printf 'https://i.discogs.com/x/rs:fit/g:sm/q:90/h:600/w:600/czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTIyMzM4/LTEyMTU5ODQ2MTku/anBlZw.jpeg' >"$folder/discogs"
            printf 'HTTP://Example.com:80/a/../b?c=D#e\n../f?g' >"$folder/plain"
            printf 'https://[2001:db8::1]:8443/x\n//other.example/y' >"$folder/address"
            ;;
        import_csv)
            printf 'Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added\nX 1,"A, B",T,L,"LP, Album",5,1971,22338,Shelf,2020-01-02 03:04:05\n' >"$folder/discogs"
            printf 'artist;title;year;cover\nA;"T\n2";1999;https://example.com/a.jpg\n' >"$folder/plain"
            ;;
        import_json)
            printf '[{"artist":"A","title":"T","year":1999,"cover_url":"https://example.com/a.jpg","genres":["Jazz"]}]' >"$folder/list"
            printf '{"pagination":{"page":1},"releases":[{"id":1,"basic_information":{"title":"T","year":1971,"artists":[{"name":"A"}],"cover_image":"https://i.discogs.com/a.jpg","formats":[{"name":"Vinyl","descriptions":["LP"]}]}}]}' >"$folder/discogs"
            ;;
    esac
}

for target in "${targets[@]}"; do
    seed "$target"
    nice -n 19 cargo fuzz run --sanitizer none "$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=5 -rss_limit_mb=512 -print_final_stats=1
done
