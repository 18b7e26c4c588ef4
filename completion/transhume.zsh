#compdef transhume
# zsh completion for transhume. Written by `transhume help --as zsh`.

_transhume_words() {
    local -a found
    found=(${(f)"$(transhume complete $1 2>/dev/null)"})
    compadd ${@:2} -a found
}

_transhume_database() {
    if [[ $PREFIX == @* ]]; then
        _transhume_words connections
    else
        _files
        _transhume_words schemes -S ''
    fi
}

_transhume() {
    local -a commands
    commands=(
        'init:write a plan'
        'analyze:design the target'
        'check:check plan and databases, estimate the run'
        'diff:compare the target'\''s schema with the plan'\''s'
        'migrate:copy'
        'resume:continue an unfinished run'
        'follow:continue to apply the source'\''s changes'
        'cutover:end following\: the target is the database from now on'
        'status:show the progress of a run'
        'validate:compare the target with the source, and repair it'
        'rollback:undo just what a run wrote'
        'report:write a run'\''s report again'
        'serve:show runs in a browser'
        'finish:drop the ledger'
        'reset:forget the local state'
        'grafana:write the dashboard and alert rules'
        'alerts:try who is told of trouble'
        'schema:versioned schema changes'
        'change:declared schema changes without downtime'
        'connections:list or try named connections'
        'connectors:list databases, their options and types'
        'help:help for a command or an error code'
        'version:versions of the program and its libraries'
        'complete:words for a shell'\''s completion'
        'failpoints:list the places where tests make it fail'
    )
    if ((CURRENT == 2)); then
        _describe -t commands command commands
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    case $command in
        init)
            _arguments -s \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '(-o --output)'{-o+,--output=}'[The file to write; - is stdout]:FILE:_files' \
                '(-f --force)'{-f,--force}'[Overwrite an existing plan]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
        analyze)
            _arguments -s \
                '--out=[The folder to write the design into]:DIR:_files -/' \
                '*--queries=[The queries that the target has to answer\: SQL, or a log]:FILE:_files' \
                '--dialect=[The dialect of SQL in files]:SQL:(postgres mysql sqlite)' \
                '--for=[What to design for]:TARGET:(cassandra dynamodb mongodb all)' \
                '--foreign-keys=[Where foreign keys that a live SRC does not declare are guessed from]:FROM:(data names)' \
                '--minimize-duplication[Rather read once more than store a copy]' \
                '--single-table[DynamoDB\: compare with the single-table design of init, and write its plan as well]' \
                '--prove[Run the plan into DST, and each query on both sides; exit with 1 if a result differs]' \
                '--advisor=[Ask a language model for tables and a strategy, too]:API:(gemini openai)' \
                '--show-prompt[Print what --advisor would send, and send nothing]' \
                '--naming=[Names of proposed tables]:HOW:(plain classic)' \
                '--clusters=[How many clusters of column names]:N|auto:' \
                '--interactive[Adjust the clusters by commands; help lists them]' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--algorithm=[How column names are clustered]:NAME:(kmeans dbscan agglomerative)' \
                '*--move=[Put a column, table.column, into another cluster]:COLUMN=CLUSTER:' \
                '*--merge=[Make one cluster of several, under the first one'\''s name]:A,B:' \
                '*--split=[Make two clusters of one]:CLUSTER:' \
                '*--rename=[Give a cluster another name]:CLUSTER=NAME:' \
                '--vectors=[Write the vectors of the column names, as JSON]:FILE:_files' \
                '--weights=[The weights of the embedding model]:DIR:_files -/' \
                '--advisor-model=[The model that --advisor asks]:NAME:' \
                '--advisor-url=[The base URL of the model'\''s server, such as http\://localhost\:11434/v1]:URL:' \
                '--advisor-key-file=[A file that holds the model'\''s key]:FILE:_files' \
                '--advisor-ca-file=[PEM certificates to trust for --advisor-url]:FILE:_files' \
                '--advisor-pause=[How long to wait between the two prompts]:TIME:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
        check)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '--nested=[What lists of maps become in a plain copy]:AS:(json tables)' \
                '--ddl[Print the columns and statements of the tables that migrate would make]' \
                '--rights-for=[Print the statements that give this account just the rights that the run needs]:ACCOUNT:' \
                '--schema-only[Make the target'\''s tables and what goes with them; move no records]' \
                '--data-only[Move records into tables that are there; make nothing]' \
                '(-s --sample)'{-s+,--sample=}'[check\: print the first N records of each entity; validate\: compare N random ones]:N:' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '--since=[Of tables with this column, only what changed since the last run]:COLUMN:' \
                '--full[Read tables with since whole, whatever earlier runs read]' \
                '--settings=[Take the settings of a migration script (migrator_settings.yaml)]:FILE:_files' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--strict[Refuse if any object of the source would be left out]' \
                '--broken-references=[What to do with orphaned rows (their foreign key points nowhere)]:WHAT:(keep reject)' \
                '--grants[Carry owners and grants between two PostgreSQL, for roles that are there]' \
                '--definer=[As whom views, triggers … of MySQL run]:WHO:(keep self refuse)' \
                '--rollback-keys[Store the key of each record written, so that rollback can leave other records alone]' \
                '--no-before-images[Store no old versions of records in existing tables; rollback then refuses these tables]' \
                '--follow[After the copy, apply what changes in the source, until stopped; transhume follow continues]' \
                '--cascades=[Who changes what foreign keys of MySQL or MariaDB change]:WHO:(apply target)' \
                '--follow-triggers=[When following\: whether the target'\''s triggers fire]:WHAT:(off refuse fire)' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--profile=[Jobs, batch and page sizes as migration scripts name them]:NAME:(small medium large unstable)' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--indexes=[What to do with secondary indexes of existing target tables]:WHAT:(keep rebuild)' \
                '--triggers=[What to do with triggers of existing target tables]:WHAT:(keep disable)' \
                '--no-express[Use the general path even where the target can copy from the source directly]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--no-hooks[Run none of the plan'\''s hooks (before, after, on_failure, of chunks)]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--chunk-rows=[Source rows in a chunk, the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records in a batch]:N:' \
                '--batch-bytes=[Bytes in a batch, approximately]:BYTES:' \
                '--estimate-time=[How long to read the source for the estimate]:TIME:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        diff)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
        migrate)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '--nested=[What lists of maps become in a plain copy]:AS:(json tables)' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--schema-only[Make the target'\''s tables and what goes with them; move no records]' \
                '--data-only[Move records into tables that are there; make nothing]' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '--since=[Of tables with this column, only what changed since the last run]:COLUMN:' \
                '--full[Read tables with since whole, whatever earlier runs read]' \
                '--mirror[Make the target'\''s tables equal to the source, deletions included]' \
                '--rejects=[Load the corrected records of a reject file instead of reading the source]:FILE:_files' \
                '--settings=[Take the settings of a migration script (migrator_settings.yaml)]:FILE:_files' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--progress=[How to show progress on stderr]:HOW:(auto bar log json none)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--max-rejects=[Fail once more than N records are rejected]:N:' \
                '--fail-fast[Fail at the first rejected record]' \
                '--strict[Refuse if any object of the source would be left out]' \
                '--broken-references=[What to do with orphaned rows (their foreign key points nowhere)]:WHAT:(keep reject)' \
                '--grants[Carry owners and grants between two PostgreSQL, for roles that are there]' \
                '--definer=[As whom views, triggers … of MySQL run]:WHO:(keep self refuse)' \
                '--rollback-keys[Store the key of each record written, so that rollback can leave other records alone]' \
                '--no-before-images[Store no old versions of records in existing tables; rollback then refuses these tables]' \
                '--follow[After the copy, apply what changes in the source, until stopped; transhume follow continues]' \
                '--spool[When following\: keep what changes during the copy in the state folder, so that the source need not]' \
                '--catch-up[When following\: stop once the changes are applied that the source had at the beginning]' \
                '--lanes=[When following\: apply changes in so many lanes at once]:N:' \
                '--cascades=[Who changes what foreign keys of MySQL or MariaDB change]:WHO:(apply target)' \
                '--follow-triggers=[When following\: whether the target'\''s triggers fire]:WHAT:(off refuse fire)' \
                '--max-retained=[When following\: end if the source has to keep more of its log]:BYTES:' \
                '--drop-when-full[At --max-retained, drop the feed and so free the source; transhume follow --resync begins again]' \
                '--on-schema-change=[When following\: what to do once tables of the source are altered]:WHAT:(reread stop)' \
                '--restart[Roll an unfinished run back, then start again]' \
                '--resume[Go on with the run that is here, if there is one, as services and jobs want it; else start]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--profile=[Jobs, batch and page sizes as migration scripts name them]:NAME:(small medium large unstable)' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--rows-per-second=[Read at most N source rows a second]:N:' \
                '--bytes-per-second=[Copy at most this many bytes a second]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--indexes=[What to do with secondary indexes of existing target tables]:WHAT:(keep rebuild)' \
                '--triggers=[What to do with triggers of existing target tables]:WHAT:(keep disable)' \
                '--no-express[Use the general path even where the target can copy from the source directly]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--no-hooks[Run none of the plan'\''s hooks (before, after, on_failure, of chunks)]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--stall=[Report a stall after TIME without progress; fail after ten times as long]:TIME:' \
                '--chunk-rows=[Source rows in a chunk, the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records in a batch]:N:' \
                '--batch-bytes=[Bytes in a batch, approximately]:BYTES:' \
                '--no-hashes[Store no hash sums of written data in the ledger]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        resume)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '--since=[Of tables with this column, only what changed since the last run]:COLUMN:' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--progress=[How to show progress on stderr]:HOW:(auto bar log json none)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--max-rejects=[Fail once more than N records are rejected]:N:' \
                '--fail-fast[Fail at the first rejected record]' \
                '--spool[When following\: keep what changes during the copy in the state folder, so that the source need not]' \
                '--catch-up[When following\: stop once the changes are applied that the source had at the beginning]' \
                '--lanes=[When following\: apply changes in so many lanes at once]:N:' \
                '--cascades=[Who changes what foreign keys of MySQL or MariaDB change]:WHO:(apply target)' \
                '--follow-triggers=[When following\: whether the target'\''s triggers fire]:WHAT:(off refuse fire)' \
                '--resync[After the source lost the feed\: make it again, compare both sides, repair the target, then follow]' \
                '--max-retained=[When following\: end if the source has to keep more of its log]:BYTES:' \
                '--drop-when-full[At --max-retained, drop the feed and so free the source; transhume follow --resync begins again]' \
                '*--refresh=[When following\: read this table of the source again, beside the changes]:TABLE:' \
                '--on-schema-change=[When following\: what to do once tables of the source are altered]:WHAT:(reread stop)' \
                '--take-over[Continue a run that another process seems to hold, once its claim has expired]' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--rows-per-second=[Read at most N source rows a second]:N:' \
                '--bytes-per-second=[Copy at most this many bytes a second]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--no-express[Use the general path even where the target can copy from the source directly]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--no-hooks[Run none of the plan'\''s hooks (before, after, on_failure, of chunks)]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--begun-hooks=[What to do with hooks that had begun and are not known to be done]:WHAT:(skip repeat)' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--stall=[Report a stall after TIME without progress; fail after ten times as long]:TIME:' \
                '--chunk-rows=[Source rows in a chunk, the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records in a batch]:N:' \
                '--batch-bytes=[Bytes in a batch, approximately]:BYTES:' \
                '--no-hashes[Store no hash sums of written data in the ledger]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        follow)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '--since=[Of tables with this column, only what changed since the last run]:COLUMN:' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--progress=[How to show progress on stderr]:HOW:(auto bar log json none)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--max-rejects=[Fail once more than N records are rejected]:N:' \
                '--fail-fast[Fail at the first rejected record]' \
                '--spool[When following\: keep what changes during the copy in the state folder, so that the source need not]' \
                '--catch-up[When following\: stop once the changes are applied that the source had at the beginning]' \
                '--lanes=[When following\: apply changes in so many lanes at once]:N:' \
                '--cascades=[Who changes what foreign keys of MySQL or MariaDB change]:WHO:(apply target)' \
                '--follow-triggers=[When following\: whether the target'\''s triggers fire]:WHAT:(off refuse fire)' \
                '--resync[After the source lost the feed\: make it again, compare both sides, repair the target, then follow]' \
                '--max-retained=[When following\: end if the source has to keep more of its log]:BYTES:' \
                '--drop-when-full[At --max-retained, drop the feed and so free the source; transhume follow --resync begins again]' \
                '*--refresh=[When following\: read this table of the source again, beside the changes]:TABLE:' \
                '--on-schema-change=[When following\: what to do once tables of the source are altered]:WHAT:(reread stop)' \
                '--take-over[Continue a run that another process seems to hold, once its claim has expired]' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--rows-per-second=[Read at most N source rows a second]:N:' \
                '--bytes-per-second=[Copy at most this many bytes a second]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--no-express[Use the general path even where the target can copy from the source directly]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--no-hooks[Run none of the plan'\''s hooks (before, after, on_failure, of chunks)]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--begun-hooks=[What to do with hooks that had begun and are not known to be done]:WHAT:(skip repeat)' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--stall=[Report a stall after TIME without progress; fail after ten times as long]:TIME:' \
                '--chunk-rows=[Source rows in a chunk, the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records in a batch]:N:' \
                '--batch-bytes=[Bytes in a batch, approximately]:BYTES:' \
                '--no-hashes[Store no hash sums of written data in the ledger]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        cutover)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '--since=[Of tables with this column, only what changed since the last run]:COLUMN:' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--progress=[How to show progress on stderr]:HOW:(auto bar log json none)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--max-rejects=[Fail once more than N records are rejected]:N:' \
                '--fail-fast[Fail at the first rejected record]' \
                '--lanes=[When following\: apply changes in so many lanes at once]:N:' \
                '--cascades=[Who changes what foreign keys of MySQL or MariaDB change]:WHO:(apply target)' \
                '--follow-triggers=[When following\: whether the target'\''s triggers fire]:WHAT:(off refuse fire)' \
                '--on-schema-change=[When following\: what to do once tables of the source are altered]:WHAT:(reread stop)' \
                '--max-lag=[Stop writers only once what is left is applied in so much time]:TIME:' \
                '--max-pause=[Let writers write again if they have been stopped for so long and the target is not ready]:TIME:' \
                '--before=[Run this before writers are stopped; if it fails, nothing is done]:COMMAND:' \
                '--fence=[Stop the source'\''s writers by this command instead of by triggers on its tables]:COMMAND:' \
                '--unfence=[Let them write again by this command, where --fence has stopped them]:COMMAND:' \
                '--keep-fence[Leave the source'\''s writers stopped if the cut-over fails; the same command continues it]' \
                '--after=[Run this once the target is the database; if it fails, the cut-over is not ended]:COMMAND:' \
                '--reverse[Keep the way back open\: what is written to the target from then on can be fed to the former source]' \
                '--no-validate[Do not compare both sides while writers are stopped]' \
                '--abandon[End following without a cut-over\: remove the feed from the source, which goes on]' \
                '--back[Take a cut-over back that is not done\: the source is written and followed again]' \
                '--take-over[Continue a run that another process seems to hold, once its claim has expired]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--rows-per-second=[Read at most N source rows a second]:N:' \
                '--bytes-per-second=[Copy at most this many bytes a second]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--no-express[Use the general path even where the target can copy from the source directly]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--no-hooks[Run none of the plan'\''s hooks (before, after, on_failure, of chunks)]' \
                '--no-code[Make nothing in the target that runs code of the source'\''s users]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--stall=[Report a stall after TIME without progress; fail after ten times as long]:TIME:' \
                '--chunk-rows=[Source rows in a chunk, the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records in a batch]:N:' \
                '--batch-bytes=[Bytes in a batch, approximately]:BYTES:' \
                '--no-hashes[Store no hash sums of written data in the ledger]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        status)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-w --watch)'{-w,--watch}'[Repeat every second until the run ends]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        validate)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '*--include=[Only source tables whose name matches (* and ?)]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; wins over --include]:PATTERN:' \
                '--names=[What tables and columns are called that the plan does not name]:HOW:(keep lower snake)' \
                '*--renumber=[Give the records of an existing target table new keys, after those that are there]:TABLE:' \
                '*--schema=[Source schemas (MySQL\: databases), comma-separated]:NAMES:' \
                '--existing=[What to do if a target table holds records]:WHAT:(refuse append upsert replace skip truncate)' \
                '--nested=[What lists of maps become in a plain copy]:AS:(json tables)' \
                '(-s --sample)'{-s+,--sample=}'[check\: print the first N records of each entity; validate\: compare N random ones]:N:' \
                '--sample-rows=[Only N rows of each table, and those that they refer to]:N:' \
                '--sample-seed=[Another seed chooses other rows for --sample-rows]:N:' \
                '(-l --level)'{-l+,--level=}'[How much to compare]:LEVEL:(count sample hash full)' \
                '--limit=[Show the first N differences]:N:' \
                '--repair[Write missing and different records into the target]' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--progress=[How to show progress on stderr]:HOW:(auto bar log json none)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--delete-extra[With --repair\: delete extra records]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together]:BYTES:' \
                '--rows-per-second=[Read at most N source rows a second]:N:' \
                '--bytes-per-second=[Copy at most this many bytes a second]:BYTES:' \
                '--read-units-per-second=[Use at most N of the source'\''s capacity units a second]:N:' \
                '--write-units-per-second=[Use at most N of the target'\''s capacity units a second]:N:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-statement=[Pause while a statement of others runs for longer than TIME]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--push-down[At level hash\: let SQL servers hash their own rows]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--time-zone=[Zone of timestamps that have none (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--stall=[Report a stall after TIME without progress; fail after ten times as long]:TIME:' \
                '--seed=[Seed of the random sample, to compare the same records again]:N:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        rollback)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--run=[Which run]:ID:_transhume_words runs' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--metrics=[Serve metrics for Prometheus at http\://ADDR\:PORT/metrics while it runs]:[ADDR:]PORT:' \
                '--metrics-file=[Write metrics to FILE every five seconds, for node_exporter]:FILE:_files' \
                '--push-gateway=[Push metrics to a Prometheus push gateway, every ten seconds and at the end]:URL:' \
                '--statsd=[Send metrics by StatsD (UDP), labels as Datadog'\''s tags]:HOST:PORT:' \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--take-over[Continue a run that another process seems to hold, once its claim has expired]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        report)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--run=[Which run]:ID:_transhume_words runs' \
                '(-o --output)'{-o+,--output=}'[The file to write; - is stdout]:FILE:_files' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '*:argument:_transhume_database' ;;
        serve)
            _arguments -s \
                '--dashboard=[Show the run in a browser while it goes on]:[ADDR:]PORT:' \
                '--token=[The dashboard'\''s token\: 16 to 128 letters, digits, - ]:TEXT:' \
                '--allow-control[Let the dashboard stop and resume runs]' \
                '--metrics-token=[Answer /metrics only with this token, of --metrics and of --dashboard]:TEXT:' \
                '--tls-cert=[Serve --dashboard and --metrics by HTTPS, with this certificate]:FILE:_files' \
                '--tls-key=[The key of --tls-cert\: PEM, without a password]:FILE:_files' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '*:argument:_transhume_database' ;;
        finish)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--log-file=[Append what happens to this file, besides the console]:FILE:_files' \
                '--log-level=[The least important lines of --log-file]:LEVEL:(debug info warn error)' \
                '--log-format=[How lines of stderr and of --log-file look]:HOW:(text json)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--take-over[Continue a run that another process seems to hold, once its claim has expired]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--ledger=[Keep the ledger in this database instead of the target]:URI:' \
                '--ledger-schema=[Keep the ledger, and all that is kept beside it, in this schema of the target]:NAME:' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        reset)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '*:argument:_transhume_database' ;;
        grafana)
            _arguments -s \
                '(-o --output)'{-o+,--output=}'[The file to write; - is stdout]:FILE:_files' \
                '--rules[Write the alert rules for Prometheus instead of the dashboard]' \
                '--datasource=[The uid or name of the Prometheus data source in Grafana]:NAME:' \
                '--push=[Make or replace the dashboard in the Grafana at this URL]:URL:' \
                '--token-file=[The token of a service account of Grafana'\''s, for --push]:FILE:_files' \
                '--ca-file=[PEM certificates to trust for --push]:FILE:_files' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '*:argument:_transhume_database' ;;
        alerts)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--alerts=[Tell those whom the file names of anomalies, stalls, errors and failed runs]:FILE:_files' \
                '--notify=[Tell WHERE of the end and of trouble\: a URL, mailto\:ADDRESS, or a command]:WHERE:' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--allow-commands[Let the plan'\''s hooks and alerts run commands, and its URIs hold ${file\:PATH}]' \
                '--allow-plaintext[Send alerts to other machines by http\://, too]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '*:argument:_transhume_database' ;;
        schema)
            local -a subcommands
            subcommands=(
                'up:apply what is pending'
                'down:take versions back'
                'status:what is applied and what is pending'
                'new:begin a migration'
                'lint:review migrations before they run'
                'diff:the statements that make B of A'
                'drift:what differs from the migrations'
                'dump:write a schema as SQL'
                'import:go on where another tool stopped'
                'baseline:begin the history of a database that is there'
                'repair:say what is true of a version'
            )
            if ((CURRENT == 2)); then
                _describe -t commands command subcommands
                return
            fi
            local subcommand=$words[2]
            shift words
            ((CURRENT--))
            case $subcommand in
            up)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--to=[Up or down to this version; 0 is before all of them]:VERSION:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--out-of-order[Run files below versions that are applied already]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            down)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--to=[Up or down to this version; 0 is before all of them]:VERSION:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            status)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '--exit-code[Exit with 1 if migrations are pending]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
            new)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '*:argument:_transhume_database' ;;
            lint)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '--format=[How findings are printed]:FORM:(text json sarif github)' \
                '--dialect=[The dialect of SQL in files]:SQL:(postgres mysql sqlite)' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            diff)
                _arguments -s \
                '--exit-code[Exit with 1 if migrations are pending]' \
                '--server=[The server on which schemas of files are tried out]:URI:' \
                '*--renamed=[A table, or a column as table.old=new, that has another name]:OLD=NEW:' \
                '(-o --output)'{-o+,--output=}'[The file to write; - is stdout]:FILE:_files' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--allow-drop[Also write what drops tables, columns and the like]' \
                '--blocking[The plain forms of statements, also where a slower one shuts nobody out]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            drift)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--server=[The server on which schemas of files are tried out]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            dump)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '(-o --output)'{-o+,--output=}'[The file to write; - is stdout]:FILE:_files' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            import)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            baseline)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            repair)
                _arguments -s \
                '--dir=[The folder of migrations]:DIR:_files -/' \
                '--database=[The database, in place of DB]:URI:' \
                '--from=[Whose layout the folder has]:TOOL:' \
                '--mark-applied[VERSION is applied, whatever the history says]' \
                '--mark-reverted[VERSION is not applied, whatever the history says]' \
                '--resume-from=[Statements of VERSION before its Nth are done; N is not]:N:' \
                '--accept-checksum[The file of VERSION, as it is now, is what was applied]' \
                '--drop-before-images[Drop the rows that VERSION kept from before it changed them]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            esac ;;
        change)
            local -a subcommands
            subcommands=(
                'start:make the new schema beside the old one'
                'status:what is under way and how far it is'
                'switch:lead applications over to a second table'
                'complete:remove what only the old version needs'
                'abort:take the change back'
                'skip:pass over a step that cannot succeed'
                'run:start and complete in one'
                'check:what a change would do'
            )
            if ((CURRENT == 2)); then
                _describe -t commands command subcommands
                return
            fi
            local subcommand=$words[2]
            shift words
            ((CURRENT--))
            case $subcommand in
            start)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--pause-file=[Pause while FILE is there]:FILE:_files' \
                '--batch-time=[How long a batch of rows should take]:TIME:' \
                '--nice=[Sleep N times as long as a batch took behind each]:N:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            status)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            switch)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            complete)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--pause-file=[Pause while FILE is there]:FILE:_files' \
                '--batch-time=[How long a batch of rows should take]:TIME:' \
                '--nice=[Sleep N times as long as a batch took behind each]:N:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            abort)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            skip)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            run)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing; report what would be done]' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--confirm[Do what deletes or cannot be undone without asking]' \
                '--lock-wait=[How long to wait for another process at work on the schema]:TIME:' \
                '--steal-lock[End the session of the process that holds the schema'\''s lock]' \
                '--lock-timeout=[How long a statement waits for a lock on a table, each try]:TIME:' \
                '--statement-timeout=[How long one statement may take]:TIME:' \
                '--pause-running=[Pause while others run more than N statements on either server]:N:' \
                '--pause-lag=[Pause while a replica is further behind than TIME]:TIME:' \
                '--pause-file=[Pause while FILE is there]:FILE:_files' \
                '--batch-time=[How long a batch of rows should take]:TIME:' \
                '--nice=[Sleep N times as long as a batch took behind each]:N:' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            check)
                _arguments -s \
                '--database=[The database, in place of DB]:URI:' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--history-schema=[Keep the history in this schema of the database]:NAME:' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '*:argument:_transhume_database' ;;
            esac ;;
        connections)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '--timeout=[Longest single wait for a database]:TIME:' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        connectors)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        help)
            _arguments -s \
                '--as=[All help as a page or script]:FORM:(text markdown man bash zsh fish errors settings)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '*:argument:{_describe command commands; _transhume_words errors}' ;;
        version)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
        complete)
            _arguments -s \
                '--state=[The state folder]:DIR:_files -/' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--trust-files[Take plans, named connections and state folders that others may write]' \
                '--connections=[The file of named connections, for @NAME in place of a URI]:FILE:_files' \
                '*:argument:_transhume_database' ;;
        failpoints)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[More messages on stderr]' \
                '(-h --help)'{-h,--help}'[Show this help]' \
                '--color=[Colour on stdout and stderr]:WHEN:(auto always never)' \
                '*:argument:_transhume_database' ;;
    esac
}

_transhume "$@"
