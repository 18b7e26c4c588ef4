/* Does what the command says match the run that is gone on with? */
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/adopt.h"
#include "engine/ledger/ledger_tables.h"
#include "engine/run/resume_internal.h"
#include "engine/session/policies.h"
#include "engine/session/schema_lines.h"
#include <string.h>

static size_t line_length(const char *line)
{
    size_t length = strcspn(line, "\n");
    return length < 160 ? length : 160;
}

static enum status mapping_differs(const char *began, const char *now, struct error *error)
{
    uint32_t line = 1;
    while (line_length(began) == line_length(now) &&
           strncmp(began, now, strcspn(began, "\n") + 1) == 0 && *began != '\0') {
        began += strcspn(began, "\n");
        now += strcspn(now, "\n");
        began += *began == '\n';
        now += *now == '\n';
        line++;
    }
    error_set(error, ERROR_PLAN_CHANGED, "plan",
              "its mapping is not the one that the run began with; it was '%.*s', it is '%.*s'",
              (int)line_length(began), began, (int)line_length(now), now);
    error_hint(error, "resume with the plan as it was (a copy is in the state folder); tuning and "
                      "comments may differ");
    return STATUS_FAILED;
}

static enum status schema_differs(const struct resume *resume, struct error *error)
{
    struct buffer what = {0};
    if (resume->header.schema_text != NULL) {
        const char *now = resume->run->session->schema_text;
        schema_lines_compare(resume->header.schema_text, now, &what);
        if (what.length == 0) {
            schema_lines_compare_objects(resume->header.schema_text, now, &what);
        }
    }
    error_set(error, ERROR_SOURCE_CHANGED, resume->run->session->source_uri->shown,
              "its schema is not the one that the run began with: %s",
              what.length > 0 ? buffer_string(&what)
                              : "an index, a constraint or a default differs");
    error_hint(error, resume->header.feed == NULL
                          ? "resume with the schema as it was; or empty the target, `transhume "
                            "reset --confirm`, and migrate again"
                          : "resume with the schema as it was; or give the run up, `transhume "
                            "cutover --abandon --confirm`, empty the target, `transhume reset "
                            "--confirm`, and migrate again");
    buffer_free(&what);
    return STATUS_FAILED;
}

/* No record of a plain copy depends on them: what is made of them from now on is of today. */
static void tell_changed_objects(const struct resume *resume)
{
    struct buffer what = {0};
    const char *before = resume->header.schema_text;
    if (before != NULL) {
        schema_lines_compare_objects(before, resume->run->session->schema_text, &what);
    }
    if (what.length > 0) {
        resume->run->warning_count++;
        log_write(LOG_WARNING,
                  "the source is not what it was when the run began: %s; what was made of it by "
                  "then stays as it is",
                  buffer_string(&what));
    }
    buffer_free(&what);
}

static enum status check_policies(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    const struct ledger_table *other = NULL;
    if (run->loads_rejects) {
        return STATUS_OK; /* it takes what a mended record needs */
    }
    policies_take(run, &resume->header, &other);
    if (other == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_PLAN_CHANGED, other->name,
              "the run began with `existing: %s` for it, which is another one now",
              ledger_existing_name(other->existing));
    error_hint(error, "give it as it was, or leave --existing out");
    return STATUS_FAILED;
}

/* Do only indexes and constraints differ, of a run whose feed brings what happens meanwhile? */
static bool differs_beside_records(const struct resume *resume)
{
    struct buffer what = {0};
    bool beside = resume->run->session->kept.copies_on && resume->header.schema_text != NULL;
    if (beside) {
        schema_lines_compare(resume->header.schema_text, resume->run->session->schema_text, &what);
        beside = what.length == 0;
    }
    buffer_free(&what);
    return beside;
}

enum status resume_check_match(struct resume *resume, struct error *error)
{
    const struct run_session *session = resume->run->session;
    const struct ledger_header *header = &resume->header;
    if (strcmp(header->source_identity, session->source_identity) != 0 &&
        !resume->follows_elsewhere) {
        error_set(error, ERROR_SOURCE_CHANGED, session->source_uri->shown,
                  "it is not the source that the run began with: that was %s, this is %s",
                  header->source_identity, session->source_identity);
        error_hint(error, "resume with that source; or empty the target, `transhume reset "
                          "--confirm`, and migrate again");
        return STATUS_FAILED;
    }
    enum status adopts = resume->adopts ? adopt_check(resume->run, header, error) : STATUS_OK;
    if (adopts == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (strcmp(header->fingerprint, session->fingerprint) != 0 && !resume->leaves &&
        !resume->follows && !differs_beside_records(resume)) {
        return schema_differs(resume, error);
    }
    if (strcmp(header->target_identity, session->target_identity) != 0) {
        error_set(error, ERROR_PLAN_CHANGED, session->target_uri->shown,
                  "it is not the target that the run began with: that was %s, this is %s",
                  header->target_identity, session->target_identity);
        error_hint(error, "put the target back in its place; or empty this one, `transhume reset "
                          "--confirm`, and migrate again");
        return STATUS_FAILED;
    }
    if (resume->leaves) {
        return STATUS_OK;
    }
    if (adopts == STATUS_END ||
        (!resume->follows && strcmp(header->mapping_hash, session->plan->mapping_hash) != 0)) {
        return mapping_differs(header->mapping_text, session->plan->mapping_text, error);
    }
    tell_changed_objects(resume);
    return check_policies(resume, error);
}
