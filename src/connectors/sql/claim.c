/* Who holds a run: words for the ledger and for people. */
#include "connectors/sql/claim.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sql_name_process(char name[SQL_PROCESS_BYTES])
{
    char host[65] = "";
    gethostname(host, sizeof host - 1);
    snprintf(name, SQL_PROCESS_BYTES, "pid %d on %s", (int)getpid(), host);
}

void sql_tell_holder(const char *id, const char *asked, const char *holder,
                     struct ledger_holder *found)
{
    static const char pid[] = "pid ";
    size_t before = sizeof pid - 1;
    *found = (struct ledger_holder){0};
    snprintf(found->name, sizeof found->name, "%s", holder[0] != '\0' ? holder : "another process");
    snprintf(found->run, sizeof found->run, "%s", strcmp(id, asked) != 0 ? id : "");
    if (strncmp(holder, pid, before) == 0 &&
        text_to_int64(holder + before, strspn(holder + before, "0123456789"), &found->pid) !=
            STATUS_OK) {
        found->pid = 0;
    }
}

enum status sql_check_epoch(const char *shown, const char *place, const char *run_id, int64_t now,
                            uint64_t epoch, struct ledger_holder *found, struct error *error)
{
    if (now < 0) {
        error_set(error, ERROR_LEDGER_MISSING, shown, "the target's ledger has no run %s", run_id);
        error_hint(error, "it was dropped, or this is another %s; give the run's own target",
                   place);
        return STATUS_FAILED;
    }
    if ((uint64_t)now != epoch) {
        *found = (struct ledger_holder){0};
        snprintf(found->name, sizeof found->name, "attempt %lld", (long long)now);
        return STATUS_AGAIN;
    }
    return STATUS_OK;
}

enum status sql_run_fenced(const char *shown, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, shown, "another attempt took this run over");
    error_hint(error, "let that one finish; `transhume status` shows it");
    return STATUS_FAILED;
}

bool sql_may_be_forgotten(const struct error *error)
{
    return error->class == ERROR_CLASS_RETRY || error->code == ERROR_RUN_FENCED ||
           error->code == ERROR_LEDGER_INVALID;
}
