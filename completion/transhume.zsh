#compdef transhume
# zsh completion for transhume. Written by `transhume help --as zsh`.

_transhume() {
    local -a commands
    commands=(
        'init:write a plan'
        'check:check plan and databases, estimate the run'
        'migrate:copy'
        'resume:go on with an unfinished run'
        'status:how far a run is'
        'report:make a run'\''s report again'
        'reset:forget the local state'
        'validate:compare the target with the source, and repair it'
        'rollback:take back just what a run wrote'
        'finish:drop the ledger'
        'connectors:list databases, their options and types'
        'failpoints:list the places where tests make it fail'
        'help:help for a command or an error code'
        'version:versions of the program and its libraries'
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
                '*--include=[Only source tables whose name matches (* and ?); may be given several times]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; may be given several times; wins over --include]:PATTERN:' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--time-zone=[The zone that timestamps without one are in, where the target needs one (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '(-o --output)'{-o+,--output=}'[Where to write\: init the plan, by default transhume.yaml; report the form that the name'\''s ending says, .html, .md or .json, by default all three in the state folder]:FILE:_files' \
                '(-f --force)'{-f,--force}'[Write over a plan that is there]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        check)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together (64MiB, 1G)]:BYTES:' \
                '--chunk-rows=[About how many source rows make a chunk\: the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records that travel together]:N:' \
                '--batch-bytes=[About how many bytes travel together]:BYTES:' \
                '--existing=[What to do about records that are in the target already, for every table]:WHAT:(refuse append upsert replace skip)' \
                '*--include=[Only source tables whose name matches (* and ?); may be given several times]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; may be given several times; wins over --include]:PATTERN:' \
                '--read-units-per-second=[Use no more of the source'\''s capacity than N units a second, where it counts units]:N:' \
                '--write-units-per-second=[Use no more of the target'\''s capacity than N units a second, where it counts units]:N:' \
                '--pause-running=[Pause while others run more than N statements at once on the source'\''s or the target'\''s server; the program'\''s own are not counted]:N:' \
                '--pause-statement=[Pause while a statement of others has been running for longer than that]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than that\: one of the server'\''s, or the server itself]:TIME:' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--time-zone=[The zone that timestamps without one are in, where the target needs one (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--rollback-keys[Keep the keys of all that is written, also to tables that the run makes\: rollback then leaves what others wrote to them]' \
                '--no-before-images[Keep nothing of what is written to tables that hold records already, so that rollback refuses them (in a plan\: before_images\: false)]' \
                '--indexes=[What becomes of the secondary indexes of target tables that are there already\: rebuild drops them for the load and makes them again after it, whatever happens between]:WHAT:(keep rebuild)' \
                '--triggers=[What becomes of the triggers of target tables that are there already\: disable lets none of them fire while the run lasts, for nobody]:WHAT:(keep disable)' \
                '--broken-references=[What becomes of records that a foreign key finds no partner for, in tables that the run makes\: keep leaves and names them; reject moves them to the rejects, and those that then have no partner ei]:WHAT:(keep reject)' \
                '--strict[Refuse (5) if anything of the source would be left out\: views, triggers, functions and the like that check lists]' \
                '--no-express[Take the general path even where the target could pull from the source itself (in a plan\: express\: false)]' \
                '(-s --sample)'{-s+,--sample=}'[check\: print the first N records of each entity as they will arrive]:N:' \
                '--estimate-time=[How long the source is read for what a run will take; what is read whole by then is told exactly]:TIME:' \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        migrate)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together (64MiB, 1G)]:BYTES:' \
                '--chunk-rows=[About how many source rows make a chunk\: the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records that travel together]:N:' \
                '--batch-bytes=[About how many bytes travel together]:BYTES:' \
                '--existing=[What to do about records that are in the target already, for every table]:WHAT:(refuse append upsert replace skip)' \
                '--max-rejects=[Fail as soon as more than N records were rejected]:N:' \
                '--fail-fast[Fail at the first rejected record\: the same as --max-rejects 0]' \
                '*--include=[Only source tables whose name matches (* and ?); may be given several times]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; may be given several times; wins over --include]:PATTERN:' \
                '--rows-per-second=[Read no more source rows a second than this, those of lists and aggregates included]:N:' \
                '--bytes-per-second=[Copy no faster than this (10MiB)]:BYTES:' \
                '--read-units-per-second=[Use no more of the source'\''s capacity than N units a second, where it counts units]:N:' \
                '--write-units-per-second=[Use no more of the target'\''s capacity than N units a second, where it counts units]:N:' \
                '--pause-running=[Pause while others run more than N statements at once on the source'\''s or the target'\''s server; the program'\''s own are not counted]:N:' \
                '--pause-statement=[Pause while a statement of others has been running for longer than that]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than that\: one of the server'\''s, or the server itself]:TIME:' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--stall=[Report a stall when nothing has moved for so long; fail after ten times as long]:TIME:' \
                '--time-zone=[The zone that timestamps without one are in, where the target needs one (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--rejects=[Load the mended records of a reject file instead of reading the source]:FILE:_files' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing\: check, and say what would be done]' \
                '--restart[Roll an unfinished run back first (see transhume rollback), then start anew]' \
                '--rollback-keys[Keep the keys of all that is written, also to tables that the run makes\: rollback then leaves what others wrote to them]' \
                '--no-before-images[Keep nothing of what is written to tables that hold records already, so that rollback refuses them (in a plan\: before_images\: false)]' \
                '--indexes=[What becomes of the secondary indexes of target tables that are there already\: rebuild drops them for the load and makes them again after it, whatever happens between]:WHAT:(keep rebuild)' \
                '--triggers=[What becomes of the triggers of target tables that are there already\: disable lets none of them fire while the run lasts, for nobody]:WHAT:(keep disable)' \
                '--broken-references=[What becomes of records that a foreign key finds no partner for, in tables that the run makes\: keep leaves and names them; reject moves them to the rejects, and those that then have no partner ei]:WHAT:(keep reject)' \
                '--strict[Refuse (5) if anything of the source would be left out\: views, triggers, functions and the like that check lists]' \
                '--no-express[Take the general path even where the target could pull from the source itself (in a plan\: express\: false)]' \
                '--no-hashes[Keep no hash sums of what was written in the ledger (in a plan\: hashes\: false)]' \
                '--confirm[Yes, really]' \
                '--json[Results on stdout as JSON]' \
                '--progress=[How progress is shown on stderr; auto\: bars on a terminal, else a line every ten seconds]:HOW:(auto bar log json none)' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        resume)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together (64MiB, 1G)]:BYTES:' \
                '--chunk-rows=[About how many source rows make a chunk\: the unit of commit and of resume]:N:' \
                '--batch-rows=[Most records that travel together]:N:' \
                '--batch-bytes=[About how many bytes travel together]:BYTES:' \
                '--existing=[What to do about records that are in the target already, for every table]:WHAT:(refuse append upsert replace skip)' \
                '--max-rejects=[Fail as soon as more than N records were rejected]:N:' \
                '--fail-fast[Fail at the first rejected record\: the same as --max-rejects 0]' \
                '*--include=[Only source tables whose name matches (* and ?); may be given several times]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; may be given several times; wins over --include]:PATTERN:' \
                '--rows-per-second=[Read no more source rows a second than this, those of lists and aggregates included]:N:' \
                '--bytes-per-second=[Copy no faster than this (10MiB)]:BYTES:' \
                '--read-units-per-second=[Use no more of the source'\''s capacity than N units a second, where it counts units]:N:' \
                '--write-units-per-second=[Use no more of the target'\''s capacity than N units a second, where it counts units]:N:' \
                '--pause-running=[Pause while others run more than N statements at once on the source'\''s or the target'\''s server; the program'\''s own are not counted]:N:' \
                '--pause-statement=[Pause while a statement of others has been running for longer than that]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than that\: one of the server'\''s, or the server itself]:TIME:' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--stall=[Report a stall when nothing has moved for so long; fail after ten times as long]:TIME:' \
                '--time-zone=[The zone that timestamps without one are in, where the target needs one (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '--no-express[Take the general path even where the target could pull from the source itself (in a plan\: express\: false)]' \
                '--no-hashes[Keep no hash sums of what was written in the ledger (in a plan\: hashes\: false)]' \
                '--take-over[Go on with a run that another process seems to hold, once its claim has run out]' \
                '--json[Results on stdout as JSON]' \
                '--progress=[How progress is shown on stderr; auto\: bars on a terminal, else a line every ten seconds]:HOW:(auto bar log json none)' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        status)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-w --watch)'{-w,--watch}'[Show it again every second until the run ends]' \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        report)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--run=[Which run]:ID:' \
                '(-o --output)'{-o+,--output=}'[Where to write\: init the plan, by default transhume.yaml; report the form that the name'\''s ending says, .html, .md or .json, by default all three in the state folder]:FILE:_files' \
                '--json[Results on stdout as JSON]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        reset)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--confirm[Yes, really]' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        validate)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '(-j --jobs)'{-j+,--jobs=}'[Chunks copied at once]:N:' \
                '--memory=[Bound on batches, queues and caches together (64MiB, 1G)]:BYTES:' \
                '--existing=[What to do about records that are in the target already, for every table]:WHAT:(refuse append upsert replace skip)' \
                '*--include=[Only source tables whose name matches (* and ?); may be given several times]:PATTERN:' \
                '*--exclude=[No source tables whose name matches; may be given several times; wins over --include]:PATTERN:' \
                '--rows-per-second=[Read no more source rows a second than this, those of lists and aggregates included]:N:' \
                '--bytes-per-second=[Copy no faster than this (10MiB)]:BYTES:' \
                '--read-units-per-second=[Use no more of the source'\''s capacity than N units a second, where it counts units]:N:' \
                '--write-units-per-second=[Use no more of the target'\''s capacity than N units a second, where it counts units]:N:' \
                '--pause-running=[Pause while others run more than N statements at once on the source'\''s or the target'\''s server; the program'\''s own are not counted]:N:' \
                '--pause-statement=[Pause while a statement of others has been running for longer than that]:TIME:' \
                '--pause-lag=[Pause while a replica is further behind than that\: one of the server'\''s, or the server itself]:TIME:' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--stall=[Report a stall when nothing has moved for so long; fail after ten times as long]:TIME:' \
                '--time-zone=[The zone that timestamps without one are in, where the target needs one (UTC, +02\:00, Europe/Paris)]:ZONE:' \
                '(-s --sample)'{-s+,--sample=}'[check\: print the first N records of each entity as they will arrive]:N:' \
                '(-l --level)'{-l+,--level=}'[How much is compared\: counts; random records; all of them by hashes; all of them byte by byte]:LEVEL:(count sample hash full)' \
                '--push-down[At level hash\: let PostgreSQL, MySQL and MariaDB sum the hashes of their rows, and read only what differs]' \
                '--seed=[The number that the sample is drawn by, to draw the same one again]:N:' \
                '--limit=[Show the first N differing records; all of them are in validate.jsonl in the state folder]:N:' \
                '--repair[Write the records that are missing or different into the target, as a run of its own]' \
                '--delete-extra[With --repair\: take out records that should not be there]' \
                '--confirm[Yes, really]' \
                '--json[Results on stdout as JSON]' \
                '--progress=[How progress is shown on stderr; auto\: bars on a terminal, else a line every ten seconds]:HOW:(auto bar log json none)' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        rollback)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '--run=[Which run]:ID:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing\: check, and say what would be done]' \
                '--take-over[Go on with a run that another process seems to hold, once its claim has run out]' \
                '--confirm[Yes, really]' \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        finish)
            _arguments -s \
                '(-p --plan)'{-p+,--plan=}'[The plan]:FILE:_files' \
                '--state=[The state folder]:DIR:_files -/' \
                '--timeout=[Longest single wait for a database (30s, 5m)]:TIME:' \
                '(-n --dry-run)'{-n,--dry-run}'[Change nothing\: check, and say what would be done]' \
                '--take-over[Go on with a run that another process seems to hold, once its claim has run out]' \
                '--confirm[Yes, really]' \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        connectors)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        failpoints)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
        help)
            _arguments -s \
                '--as=[All of the help as a page or as a shell'\''s completion; errors is the page about error codes]:FORM:(text markdown man bash zsh fish errors)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:{_describe command commands}' ;;
        version)
            _arguments -s \
                '--json[Results on stdout as JSON]' \
                '--color=[auto\: on a terminal, unless NO_COLOR is set]:WHEN:(auto always never)' \
                '(-q --quiet)'{-q,--quiet}'[Errors and results only\: no progress, no warnings]' \
                '(-v --verbose)'{-v,--verbose}'[Say more on stderr]' \
                '(-h --help)'{-h,--help}'[Show help and exit]' \
                '*:argument:_files' ;;
    esac
}

_transhume "$@"
