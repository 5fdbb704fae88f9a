# Completion of videodb for fish: commands, options, and names from the log with their age.
#
# For this shell:    videodb completion fish | source
# For every shell:   videodb completion fish > ~/.config/fish/completions/videodb.fish

function __videodb_files --argument-names pattern current
    # A path may stand behind an option: --file=PATH.
    set -l before ''
    string match --quiet --regex -- '^--[^=]*=' $current; and set before (string match --regex -- '^--[^=]*=' $current)
    set -l typed (string replace --regex -- '^--[^=]*=' '' $current)
    for line in (__fish_complete_path $typed)
        set -l path (string split --max 1 \t -- $line)[1]
        if string match --quiet --regex -- '/$' $path; or string match --quiet --ignore-case --regex -- $pattern $path
            printf '%s\n' $before$path
        end
    end
end

function __videodb_complete
    set -l words (commandline --cut-at-cursor --tokenize --current-process)
    set -l current (commandline --cut-at-cursor --current-token)
    set -l program $words[1]
    set program (string replace --regex -- '^~/' "$HOME/" $program)
    test (type --type -- $program 2>/dev/null)[1] = file 2>/dev/null; or set program videodb
    set -l answer (command $program __complete fish $words[2..-1] "$current" 2>/dev/null)
    switch "$answer[1]"
        case values
            test (count $answer) -gt 1; and printf '%s\n' $answer[2..-1]
        case log
            __videodb_files '\.(jsonl|json|gz|bz2|xz|zst)$|\.jsonl[.-][^/]*$' "$current"
        case media
            __videodb_files '\.(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ts|wav|mp3|m4a|aac|flac|ogg|opus)$' "$current"
        case file
            __videodb_files '' "$current"
        case dir
            __videodb_files '/$' "$current"
    end
end

# fish itself completes what begins with a tilde: it would put a backslash before one of ours.
complete --command videodb --force-files --condition 'string match --quiet "~*" -- (commandline --current-token)'
complete --command videodb --no-files --keep-order --arguments '(__videodb_complete)'
