# bash completion for transhume. Written by `transhume help --as bash`.

_transhume() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= i options=
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --plan|-p|--state|--jobs|-j|--memory|--chunk-rows|--batch-rows|--batch-bytes|--existing|--max-rejects|--include|--exclude|--rows-per-second|--bytes-per-second|--read-units-per-second|--write-units-per-second|--pause-running|--pause-statement|--pause-lag|--timeout|--stall|--time-zone|--rejects|--run|--indexes|--triggers|--broken-references|--sample|-s|--estimate-time|--level|-l|--seed|--limit|--output|-o|--as|--progress|--color) ((i++)) ;;
            -*) ;;
            *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $previous in
        --existing)
            mapfile -t COMPREPLY < <(compgen -W 'refuse append upsert replace skip' -- "$word")
            return ;;
        --indexes)
            mapfile -t COMPREPLY < <(compgen -W 'keep rebuild' -- "$word")
            return ;;
        --triggers)
            mapfile -t COMPREPLY < <(compgen -W 'keep disable' -- "$word")
            return ;;
        --broken-references)
            mapfile -t COMPREPLY < <(compgen -W 'keep reject' -- "$word")
            return ;;
        --level)
            mapfile -t COMPREPLY < <(compgen -W 'count sample hash full' -- "$word")
            return ;;
        --as)
            mapfile -t COMPREPLY < <(compgen -W 'text markdown man bash zsh fish errors' -- "$word")
            return ;;
        --progress)
            mapfile -t COMPREPLY < <(compgen -W 'auto bar log json none' -- "$word")
            return ;;
        --color)
            mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word")
            return ;;
        --plan|-p|--state|--rejects|--output|-o)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --jobs|-j|--memory|--chunk-rows|--batch-rows|--batch-bytes|--max-rejects|--include|--exclude|--rows-per-second|--bytes-per-second|--read-units-per-second|--write-units-per-second|--pause-running|--pause-statement|--pause-lag|--timeout|--stall|--time-zone|--run|--sample|-s|--estimate-time|--seed|--limit)
            return ;;
    esac
    case $command in
        '') options='init check migrate resume status report reset validate rollback finish connectors failpoints help version --help --version' ;;
        init) options='--include --exclude --timeout --time-zone --output --force --quiet --verbose --help' ;;
        check) options='--plan --state --jobs --memory --chunk-rows --batch-rows --batch-bytes --existing --include --exclude --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --timeout --time-zone --rollback-keys --no-before-images --indexes --triggers --broken-references --strict --no-express --sample --estimate-time --json --color --quiet --verbose --help' ;;
        migrate) options='--plan --state --jobs --memory --chunk-rows --batch-rows --batch-bytes --existing --max-rejects --fail-fast --include --exclude --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --timeout --stall --time-zone --rejects --dry-run --restart --rollback-keys --no-before-images --indexes --triggers --broken-references --strict --no-express --no-hashes --confirm --json --progress --color --quiet --verbose --help' ;;
        resume) options='--plan --state --jobs --memory --chunk-rows --batch-rows --batch-bytes --existing --max-rejects --fail-fast --include --exclude --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --timeout --stall --time-zone --no-express --no-hashes --take-over --json --progress --color --quiet --verbose --help' ;;
        status) options='--plan --state --watch --json --color --quiet --verbose --help' ;;
        report) options='--plan --state --run --output --json --quiet --verbose --help' ;;
        reset) options='--plan --state --confirm --quiet --verbose --help' ;;
        validate) options='--plan --state --jobs --memory --existing --include --exclude --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --timeout --stall --time-zone --sample --level --push-down --seed --limit --repair --delete-extra --confirm --json --progress --color --quiet --verbose --help' ;;
        rollback) options='--plan --state --timeout --run --dry-run --take-over --confirm --json --color --quiet --verbose --help' ;;
        finish) options='--plan --state --timeout --dry-run --take-over --confirm --json --color --quiet --verbose --help' ;;
        connectors) options='--json --color --quiet --verbose --help' ;;
        failpoints) options='--json --color --quiet --verbose --help' ;;
        help) options='--as --quiet --verbose --help' ;;
        version) options='--json --color --quiet --verbose --help' ;;
    esac
    if [[ $command == help ]]; then
        options+=' init check migrate resume status report reset validate rollback finish connectors failpoints help version'
    elif [[ -n $command && $word != -* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _transhume transhume
