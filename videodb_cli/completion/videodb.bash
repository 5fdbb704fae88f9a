# Completion of videodb for bash: commands, options, and names from the log.
#
# For this shell:    source <(videodb completion bash)
# For every shell:   mkdir -p ~/.local/share/bash-completion/completions
#                    videodb completion bash > ~/.local/share/bash-completion/completions/videodb
# Without the package bash-completion, put the first line into ~/.bashrc instead.

_videodb_files() { # PATTERN TYPED KEPT: completes paths; directories always, files that match the pattern
    local path options
    options=$(shopt -p extglob nocasematch)
    shopt -s extglob nocasematch
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        if [[ -d ${path/#\~\//$HOME/} || $path == $1 ]]; then
            COMPREPLY+=("${path#"$3"}")
        fi
    done < <(compgen -f -- "$2")
    eval "$options"
}

_videodb() {
    local program=${COMP_WORDS[0]/#\~\//$HOME/} line kind typed kept
    local -a answer=()
    COMPREPLY=()
    [[ $(type -t -- "$program") == file ]] || program=videodb
    while IFS= read -r line; do
        answer+=("$line")
    done < <(command "$program" __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    kind=${answer[0]-} typed=${answer[1]-} kept=${answer[2]-}
    case $kind in
        values)
            COMPREPLY=("${answer[@]:1}")
            compopt -o nosort 2>/dev/null
            ;;
        log) _videodb_files '*@(.jsonl|.json|.gz|.bz2|.xz|.zst|.jsonl.*|.jsonl-*)' "$typed" "$kept" ;;
        media) _videodb_files '*.@(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ts|wav|mp3|m4a|aac|flac|ogg|opus)' "$typed" "$kept" ;;
        file) _videodb_files '*' "$typed" "$kept" ;;
        dir) _videodb_files '' "$typed" "$kept" ;;
    esac
}

complete -F _videodb videodb
