# shellcheck shell=sh
# Functions for photos.

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

# is_photo FILE: whether it is a photo, by its name
is_photo() {
    [ -f "$1" ] || return 1
    case $1 in
        *.jpg | *.JPG | *.png | *.PNG) return 0 ;;
    esac
    return 1
}

# photos_in FOLDER: the photos of a folder, one in each line
photos_in() {
    for candidate in "$1"/*; do
        if is_photo "$candidate"; then
            printf '%s\n' "$candidate"
        fi
    done
}

# copy_photo FILE TARGET: copy with the time of the file, never leaving half a photo
copy_photo() {
    cp -p -- "$1" "$2.part"
    mv -- "$2.part" "$2"
}
