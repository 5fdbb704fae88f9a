#compdef videodb
# Completion of videodb for zsh: commands, options, and names from the log with their age.
#
# For this shell:    source <(videodb completion zsh)
# For every shell:   put that line into ~/.zshrc, behind compinit
# or, faster:        videodb completion zsh > DIR/_videodb, with DIR in your fpath before compinit runs

_videodb() {
    local program=${words[1]/#\~\//$HOME/} line value about
    local -a answer values shown
    local -i width=0
    program=${(Q)program}
    (( $+commands[$program] )) || [[ $program == */* && -x $program ]] || program=videodb
    answer=("${(@f)$(command $program __complete zsh "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    case $answer[1] in
        values) ;;
        log|media|file|dir)
            [[ $PREFIX == --*=* ]] && compset -P 1 '*='
            case $answer[1] in
                log) _files -g '*(.jsonl|.json|.gz|.bz2|.xz|.zst|.jsonl.*|.jsonl-*)(-.)' ;;
                media) _files -g '(#i)*.(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ts|wav|mp3|m4a|aac|flac|ogg|opus)(-.)' ;;
                file) _files ;;
                dir) _files -/ ;;
            esac
            return
            ;;
        *) return 1 ;;
    esac
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    for line in "${(@)answer[2,-1]}"; do
        values+=("${line%%$'\t'*}")
        (( ${(m)#values[-1]} > width )) && width=${(m)#values[-1]}
    done
    for line in "${(@)answer[2,-1]}"; do
        value=${line%%$'\t'*} about=${line#*$'\t'}
        [[ -n $about ]] && value="${(mr:width:: :)value}  -- $about"
        shown+=("${value[1,COLUMNS-1]}")
    done
    (( $#values )) && compadd -l -V videodb -d shown -a values
}

if [[ $funcstack[1] == _videodb ]]; then
    _videodb "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _videodb videodb
fi
