/*
 * Changing the schema of a database: each step is one command of the server, as alter.h has it. The
 * history and the lease are a store of their own, the collection _transhume_schema. Nothing is a
 * transaction, in a replica set neither: commands that change a schema take no part in one.
 */
#include "connectors/mongodb/alter.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- sessions */

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    *opened = NULL;
    if (options->history_schema != NULL) {
        error_set(error, ERROR_USAGE, options->history_schema,
                  "the history of a database of MongoDB is kept in that database");
        return error_hint(error, "leave --history-schema out");
    }
    struct alter_session *session = memory_allocate_zeroed(1, sizeof(*session));
    history_store_open(session, database, mongodb_store_open_in(database, HISTORY_TABLE),
                       &mongodb_store);
    session->before_failpoint = "mongodb.before_history";
    session->after_failpoint = "mongodb.after_history";
    *opened = session;
    return STATUS_OK;
}

static void alter_close(struct alter_session *session)
{
    if (session != NULL) {
        history_store_close(session);
        free(session);
    }
}

/* ---------------------------------------------------------------- statements */

static void take_answer(const struct mongodb_step *step, const bson_t *reply,
                        struct alter_answer *answer)
{
    bool modifies = strcmp(step->name, "update") == 0;
    answer->counts = bson_has_field(reply, "n");
    answer->rows = (uint64_t)mongodb_number(reply, modifies ? "nModified" : "n", 0);
}

static enum status run_step(struct alter_session *session, const struct mongodb_step *step,
                            const struct alter_request *request, struct alter_answer *answer,
                            struct error *error)
{
    bson_t reply;
    enum status status = mongodb_step_send(session, step, request, &reply, error);
    if (status == STATUS_OK) {
        take_answer(step, &reply, answer);
    } else if (error->native_code > 0) {
        snprintf(answer->state, sizeof(answer->state), "%u",
                 (unsigned)(error->native_code % 10000000));
    }
    bson_destroy(&reply);
    return status;
}

static enum status alter_run(struct alter_session *session, const struct alter_request *request,
                             struct alter_answer *answer, struct error *error)
{
    struct mongodb_step step;
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_MONGO || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, NULL,
                         "MongoDB takes its own commands alone");
    }
    if (mongodb_step_read(mongodb_of(session->database), request->text, request->length, &step,
                          &answer->fault, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = failpoint_hit("mongodb.before_alter", error);
    status = status == STATUS_OK ? run_step(session, &step, request, answer, error) : status;
    mongodb_step_free(&step);
    return status == STATUS_OK ? failpoint_hit("mongodb.after_alter", error) : status;
}

static enum status alter_ask(struct alter_session *session, const char *sql, struct arena *arena,
                             const char **text, struct error *error)
{
    struct mongodb_step step;
    bson_t reply;
    *text = NULL;
    if (mongodb_step_read(mongodb_of(session->database), sql, strlen(sql), &step, NULL, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (mongodb_step_writes(&step)) {
        error_set(error, ERROR_TARGET_WRITE, step.object, "%s is no question", step.name);
        mongodb_step_free(&step);
        return STATUS_FAILED;
    }
    enum status status = mongodb_step_send(session, &step, NULL, &reply, error);
    *text = status == STATUS_OK ? mongodb_step_answer(&step, &reply, arena) : NULL;
    bson_destroy(&reply);
    mongodb_step_free(&step);
    return status;
}

const struct alter_functions mongodb_alter = {
    HISTORY_STORE_FUNCTIONS,
    .languages = 1u << ALTER_MONGO,
    .open = alter_open,
    .close = alter_close,
    .run = alter_run,
    .ask = alter_ask,
    .settle = mongodb_alter_settle,
};
