# bash completion for transhume. Written by `transhume help --as bash`.

_transhume() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= i options= names
    local -a state=() schemes
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --plan|-p|--state|--run|--dir|--database|--to|--from|--format|--server|--renamed|--resume-from|--include|--exclude|--names|--out|--queries|--dialect|--for|--foreign-keys|--advisor|--naming|--clusters|--renumber|--schema|--existing|--nested|--rights-for|--sample|-s|--sample-rows|--sample-seed|--level|-l|--limit|--since|--rejects|--settings|--log-file|--log-level|--log-format|--metrics|--metrics-file|--push-gateway|--statsd|--dashboard|--token|--metrics-token|--tls-cert|--tls-key|--alerts|--notify|--output|-o|--datasource|--push|--token-file|--ca-file|--as|--progress|--max-rejects|--broken-references|--definer|--lanes|--cascades|--follow-triggers|--max-retained|--refresh|--on-schema-change|--max-lag|--max-pause|--before|--fence|--unfence|--after|--lock-wait|--lock-timeout|--statement-timeout|--jobs|-j|--profile|--memory|--rows-per-second|--bytes-per-second|--read-units-per-second|--write-units-per-second|--pause-running|--pause-statement|--pause-lag|--pause-file|--batch-time|--nice|--indexes|--triggers|--algorithm|--move|--merge|--split|--rename|--vectors|--weights|--advisor-model|--advisor-url|--advisor-key-file|--advisor-ca-file|--advisor-pause|--ledger|--ledger-schema|--begun-hooks|--connections|--history-schema|--time-zone|--timeout|--stall|--chunk-rows|--batch-rows|--batch-bytes|--estimate-time|--seed|--color) ((i++)) ;;
            -*) ;;
            *)
                command+=${command:+ }${COMP_WORDS[i]}
                case $command in schema|change) ;; *) break ;; esac ;;
        esac
    done
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --state ]] && state=(--state "${COMP_WORDS[i + 1]}")
    done
    case $previous in
        --run)
            mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" complete runs "${state[@]}" 2>/dev/null)" -- "$word")
            return ;;
        --format)
            mapfile -t COMPREPLY < <(compgen -W 'text json sarif github' -- "$word")
            return ;;
        --names)
            mapfile -t COMPREPLY < <(compgen -W 'keep lower snake' -- "$word")
            return ;;
        --dialect)
            mapfile -t COMPREPLY < <(compgen -W 'postgres mysql sqlite' -- "$word")
            return ;;
        --for)
            mapfile -t COMPREPLY < <(compgen -W 'cassandra dynamodb mongodb all' -- "$word")
            return ;;
        --foreign-keys)
            mapfile -t COMPREPLY < <(compgen -W 'data names' -- "$word")
            return ;;
        --advisor)
            mapfile -t COMPREPLY < <(compgen -W 'gemini openai' -- "$word")
            return ;;
        --naming)
            mapfile -t COMPREPLY < <(compgen -W 'plain classic' -- "$word")
            return ;;
        --existing)
            mapfile -t COMPREPLY < <(compgen -W 'refuse append upsert replace skip truncate' -- "$word")
            return ;;
        --nested)
            mapfile -t COMPREPLY < <(compgen -W 'json tables' -- "$word")
            return ;;
        --level)
            mapfile -t COMPREPLY < <(compgen -W 'count sample hash full' -- "$word")
            return ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$word")
            return ;;
        --log-format)
            mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word")
            return ;;
        --as)
            mapfile -t COMPREPLY < <(compgen -W 'text markdown man bash zsh fish errors settings' -- "$word")
            return ;;
        --progress)
            mapfile -t COMPREPLY < <(compgen -W 'auto bar log json none' -- "$word")
            return ;;
        --broken-references)
            mapfile -t COMPREPLY < <(compgen -W 'keep reject' -- "$word")
            return ;;
        --definer)
            mapfile -t COMPREPLY < <(compgen -W 'keep self refuse' -- "$word")
            return ;;
        --cascades)
            mapfile -t COMPREPLY < <(compgen -W 'apply target' -- "$word")
            return ;;
        --follow-triggers)
            mapfile -t COMPREPLY < <(compgen -W 'off refuse fire' -- "$word")
            return ;;
        --on-schema-change)
            mapfile -t COMPREPLY < <(compgen -W 'reread stop' -- "$word")
            return ;;
        --profile)
            mapfile -t COMPREPLY < <(compgen -W 'small medium large unstable' -- "$word")
            return ;;
        --indexes)
            mapfile -t COMPREPLY < <(compgen -W 'keep rebuild' -- "$word")
            return ;;
        --triggers)
            mapfile -t COMPREPLY < <(compgen -W 'keep disable' -- "$word")
            return ;;
        --algorithm)
            mapfile -t COMPREPLY < <(compgen -W 'kmeans dbscan agglomerative' -- "$word")
            return ;;
        --begun-hooks)
            mapfile -t COMPREPLY < <(compgen -W 'skip repeat' -- "$word")
            return ;;
        --color)
            mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word")
            return ;;
        --plan|-p|--state|--dir|--out|--queries|--rejects|--settings|--log-file|--metrics-file|--tls-cert|--tls-key|--alerts|--output|-o|--token-file|--ca-file|--pause-file|--vectors|--weights|--advisor-key-file|--advisor-ca-file|--connections)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --run|--database|--to|--from|--server|--renamed|--resume-from|--include|--exclude|--clusters|--renumber|--schema|--rights-for|--sample|-s|--sample-rows|--sample-seed|--limit|--since|--metrics|--push-gateway|--statsd|--dashboard|--token|--metrics-token|--notify|--datasource|--push|--max-rejects|--lanes|--max-retained|--refresh|--max-lag|--max-pause|--before|--fence|--unfence|--after|--lock-wait|--lock-timeout|--statement-timeout|--jobs|-j|--memory|--rows-per-second|--bytes-per-second|--read-units-per-second|--write-units-per-second|--pause-running|--pause-statement|--pause-lag|--batch-time|--nice|--move|--merge|--split|--rename|--advisor-model|--advisor-url|--advisor-pause|--ledger|--ledger-schema|--history-schema|--time-zone|--timeout|--stall|--chunk-rows|--batch-rows|--batch-bytes|--estimate-time|--seed)
            return ;;
    esac
    case $command in
        '') options='init analyze check diff migrate resume follow cutover status validate rollback report serve finish reset grafana alerts schema change connections connectors help version complete failpoints --help --version' ;;
        'init') options='--include --exclude --schema --output --force --quiet --verbose --help --trust-files --connections --time-zone --timeout' ;;
        'analyze') options='--out --queries --dialect --for --foreign-keys --minimize-duplication --single-table --prove --advisor --show-prompt --naming --clusters --interactive --schema --quiet --verbose --help --algorithm --move --merge --split --rename --vectors --weights --advisor-model --advisor-url --advisor-key-file --advisor-ca-file --advisor-pause --trust-files --connections --timeout' ;;
        'check') options='--plan --state --include --exclude --names --renumber --schema --existing --nested --ddl --rights-for --schema-only --data-only --sample --sample-rows --sample-seed --since --full --settings --log-file --log-level --log-format --alerts --json --quiet --verbose --help --strict --broken-references --grants --definer --rollback-keys --no-before-images --follow --cascades --follow-triggers --jobs --profile --memory --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --indexes --triggers --no-express --ledger --ledger-schema --no-hooks --no-code --allow-commands --allow-plaintext --trust-files --connections --time-zone --timeout --chunk-rows --batch-rows --batch-bytes --estimate-time --color' ;;
        'diff') options='--plan --include --exclude --names --schema --json --quiet --verbose --help --no-code --allow-commands --trust-files --connections --timeout' ;;
        'migrate') options='--plan --state --include --exclude --names --renumber --schema --existing --nested --dry-run --schema-only --data-only --sample-rows --sample-seed --since --full --mirror --rejects --settings --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --progress --json --quiet --verbose --help --max-rejects --fail-fast --strict --broken-references --grants --definer --rollback-keys --no-before-images --follow --spool --catch-up --lanes --cascades --follow-triggers --max-retained --drop-when-full --on-schema-change --restart --resume --confirm --jobs --profile --memory --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --indexes --triggers --no-express --ledger --ledger-schema --no-hooks --no-code --allow-commands --allow-plaintext --trust-files --connections --time-zone --timeout --stall --chunk-rows --batch-rows --batch-bytes --no-hashes --color' ;;
        'resume') options='--plan --state --include --exclude --names --renumber --schema --existing --sample-rows --sample-seed --since --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --progress --json --quiet --verbose --help --max-rejects --fail-fast --spool --catch-up --lanes --cascades --follow-triggers --resync --max-retained --drop-when-full --refresh --on-schema-change --take-over --jobs --memory --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --no-express --ledger --ledger-schema --no-hooks --no-code --allow-commands --allow-plaintext --trust-files --begun-hooks --connections --time-zone --timeout --stall --chunk-rows --batch-rows --batch-bytes --no-hashes --color' ;;
        'follow') options='--plan --state --include --exclude --names --renumber --schema --existing --sample-rows --sample-seed --since --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --progress --json --quiet --verbose --help --max-rejects --fail-fast --spool --catch-up --lanes --cascades --follow-triggers --resync --max-retained --drop-when-full --refresh --on-schema-change --take-over --jobs --memory --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --no-express --ledger --ledger-schema --no-hooks --no-code --allow-commands --allow-plaintext --trust-files --begun-hooks --connections --time-zone --timeout --stall --chunk-rows --batch-rows --batch-bytes --no-hashes --color' ;;
        'cutover') options='--plan --state --include --exclude --names --renumber --schema --existing --dry-run --sample-rows --sample-seed --since --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --progress --json --quiet --verbose --help --max-rejects --fail-fast --lanes --cascades --follow-triggers --on-schema-change --max-lag --max-pause --before --fence --unfence --keep-fence --after --reverse --no-validate --abandon --back --take-over --confirm --jobs --memory --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --no-express --ledger --ledger-schema --no-hooks --no-code --allow-commands --allow-plaintext --trust-files --connections --time-zone --timeout --stall --chunk-rows --batch-rows --batch-bytes --no-hashes --color' ;;
        'status') options='--plan --state --watch --json --quiet --verbose --help --color' ;;
        'validate') options='--plan --state --include --exclude --names --renumber --schema --existing --nested --sample --sample-rows --sample-seed --level --limit --repair --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --progress --json --quiet --verbose --help --delete-extra --confirm --jobs --memory --rows-per-second --bytes-per-second --read-units-per-second --write-units-per-second --pause-running --pause-statement --pause-lag --push-down --ledger --ledger-schema --allow-commands --allow-plaintext --trust-files --connections --time-zone --timeout --stall --seed --color' ;;
        'rollback') options='--plan --state --run --dry-run --log-file --log-level --log-format --metrics --metrics-file --push-gateway --statsd --dashboard --token --allow-control --metrics-token --tls-cert --tls-key --alerts --notify --json --quiet --verbose --help --take-over --confirm --ledger --ledger-schema --allow-commands --allow-plaintext --trust-files --connections --timeout --color' ;;
        'report') options='--plan --state --run --output --json --quiet --verbose --help' ;;
        'serve') options='--dashboard --token --allow-control --metrics-token --tls-cert --tls-key --quiet --verbose --help --ledger --allow-commands --trust-files --connections' ;;
        'finish') options='--plan --state --dry-run --log-file --log-level --log-format --json --quiet --verbose --help --take-over --confirm --ledger --ledger-schema --allow-commands --trust-files --connections --timeout --color' ;;
        'reset') options='--plan --state --quiet --verbose --help --confirm --trust-files' ;;
        'grafana') options='--output --rules --datasource --push --token-file --ca-file --quiet --verbose --help' ;;
        'alerts') options='--plan --alerts --notify --quiet --verbose --help --allow-commands --allow-plaintext --trust-files' ;;
        'schema') options='up down status new lint diff drift dump import baseline repair' ;;
        'schema up') options='--dir --database --to --from --dry-run --json --quiet --verbose --help --out-of-order --lock-wait --steal-lock --lock-timeout --statement-timeout --trust-files --history-schema --timeout' ;;
        'schema down') options='--dir --database --to --from --dry-run --json --quiet --verbose --help --confirm --lock-wait --steal-lock --lock-timeout --statement-timeout --trust-files --history-schema --timeout' ;;
        'schema status') options='--dir --database --from --exit-code --json --quiet --verbose --help --trust-files --history-schema --timeout --color' ;;
        'schema new') options='--dir --json --quiet --verbose --help' ;;
        'schema lint') options='--dir --database --from --format --dialect --json --quiet --verbose --help --trust-files --history-schema --timeout' ;;
        'schema diff') options='--exit-code --server --renamed --output --json --quiet --verbose --help --allow-drop --blocking --trust-files --timeout' ;;
        'schema drift') options='--dir --database --server --json --quiet --verbose --help --trust-files --timeout' ;;
        'schema dump') options='--database --output --json --quiet --verbose --help --trust-files --timeout' ;;
        'schema import') options='--dir --database --from --dry-run --json --quiet --verbose --help --lock-wait --steal-lock --trust-files --history-schema --timeout' ;;
        'schema baseline') options='--dir --database --from --json --quiet --verbose --help --lock-wait --steal-lock --trust-files --history-schema --timeout' ;;
        'schema repair') options='--dir --database --from --mark-applied --mark-reverted --resume-from --accept-checksum --drop-before-images --json --quiet --verbose --help --lock-wait --steal-lock --trust-files --history-schema --timeout' ;;
        'change') options='start status switch complete abort skip run check' ;;
        'change start') options='--database --dry-run --json --quiet --verbose --help --lock-wait --steal-lock --lock-timeout --statement-timeout --pause-running --pause-lag --pause-file --batch-time --nice --trust-files --history-schema --timeout' ;;
        'change status') options='--database --json --quiet --verbose --help --trust-files --history-schema --timeout' ;;
        'change switch') options='--database --json --quiet --verbose --help --lock-wait --steal-lock --lock-timeout --statement-timeout --trust-files --history-schema --timeout' ;;
        'change complete') options='--database --json --quiet --verbose --help --confirm --lock-wait --steal-lock --lock-timeout --statement-timeout --pause-running --pause-lag --pause-file --batch-time --nice --trust-files --history-schema --timeout' ;;
        'change abort') options='--database --json --quiet --verbose --help --lock-wait --steal-lock --lock-timeout --statement-timeout --trust-files --history-schema --timeout' ;;
        'change skip') options='--database --json --quiet --verbose --help --confirm --lock-wait --steal-lock --trust-files --history-schema --timeout' ;;
        'change run') options='--database --dry-run --json --quiet --verbose --help --confirm --lock-wait --steal-lock --lock-timeout --statement-timeout --pause-running --pause-lag --pause-file --batch-time --nice --trust-files --history-schema --timeout' ;;
        'change check') options='--database --json --quiet --verbose --help --trust-files --history-schema --timeout' ;;
        'connections') options='--json --quiet --verbose --help --trust-files --connections --timeout --color' ;;
        'connectors') options='--json --quiet --verbose --help --color' ;;
        'help') options='--as --quiet --verbose --help' ;;
        'version') options='--json --quiet --verbose --help --color' ;;
        'complete') options='--state --quiet --verbose --help --trust-files --connections' ;;
        'failpoints') options='--json --quiet --verbose --help --color' ;;
    esac
    if [[ $command == help ]]; then
        options+=' init analyze check diff migrate resume follow cutover status validate rollback report serve finish reset grafana alerts schema change connections connectors help version complete failpoints'
        options+=" $("${COMP_WORDS[0]}" complete errors 2>/dev/null)"
    elif [[ -n $command && ($word == @* || $previous == @) ]]; then
        names=$("${COMP_WORDS[0]}" complete connections 2>/dev/null)
        if [[ $COMP_WORDBREAKS == *@* ]]; then
            names=${names//@/} word=${word#@}
        fi
        mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
        return
    elif [[ $command == @(schema|change) ]]; then
        :
    elif [[ -n $command && $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        if ((${#COMPREPLY[@]} > 0)) || [[ -z $word ]]; then
            compopt -o filenames
            return
        fi
        mapfile -t schemes < <(compgen -W "$("${COMP_WORDS[0]}" complete schemes 2>/dev/null)" -- "$word")
        compopt -o nospace
        COMPREPLY=("${schemes[@]}")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _transhume transhume
