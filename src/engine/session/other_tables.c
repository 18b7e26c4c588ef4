/* Tables of the source that are others than those that were read. */
#include "engine/session/other_tables.h"

#include "base/log.h"
#include "engine/follow/adopt.h"
#include "engine/ledger/learnt.h"
#include "engine/session/recall.h"
#include "model/schema_compare.h"
#include <string.h>

static bool is_other(const struct table_change *table)
{
    bool other = table->difference == TABLE_REPLACED;
    for (uint32_t i = 0; i < table->column_count; i++) {
        enum column_difference difference = table->columns[i].difference;
        other = other || difference == COLUMN_REPLACED || difference == COLUMN_REWRITTEN;
    }
    return other;
}

void other_tables_find(struct run *run)
{
    const struct run_session *session = run->session;
    const struct learnt *learnt = session->kept.learnt;
    struct schema_changes *changes = arena_allocate_zeroed(run->arena, 1, sizeof *changes);
    uint32_t count = 0;
    run->following.changes = NULL;
    if (learnt == NULL || run->header.feed != NULL) {
        return;
    }
    schema_compare(learnt->source, session->schema,
                   strcmp(learnt->source_identity, session->source_identity) == 0, run->arena,
                   changes);
    for (uint32_t i = 0; i < changes->table_count; i++) {
        if (is_other(&changes->tables[i])) {
            changes->tables[count++] = changes->tables[i];
        }
    }
    changes->table_count = count;
    run->following.changes = count > 0 ? changes : NULL;
}

bool other_tables_were_read(const struct run *run, uint32_t stream)
{
    bool reads = false;
    bool begun = ledger_marks_apart(run->session->ledger);
    for (uint64_t i = run->chunks.stream_first[stream]; i < run->chunks.stream_first[stream + 1];
         i++) {
        begun = begun || run->chunks.done[i];
    }
    for (uint32_t i = 0; run->following.changes != NULL && i < run->following.changes->table_count;
         i++) {
        reads = reads || other_tables_stream_reads(&run->session->plan->streams[stream],
                                                   run->following.changes->tables[i].name);
    }
    return begun && reads;
}

enum status other_tables_keep(struct run *run, struct error *error)
{
    struct buffer what = {0};
    if (run->following.changes == NULL) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < run->following.changes->table_count; i++) {
        table_change_append(&run->following.changes->tables[i], &what);
        log_event(LOG_WARNING,
                  EVENT_OF(EVENT_MESSAGE, .table = run->following.changes->tables[i].name),
                  "the source's schema: %s", buffer_string(&what));
        buffer_clear(&what);
    }
    buffer_free(&what);
    enum status status = recall_raise(run, error);
    run->following.changes = NULL;
    return status;
}

static bool request_reads(const struct read_request *request, const char *table)
{
    bool reads = request->table != NULL && strcmp(request->table, table) == 0;
    for (uint32_t i = 0; i < request->join_count && !reads; i++) {
        reads = strcmp(request->joins[i].table, table) == 0;
    }
    return reads;
}

bool other_tables_stream_reads(const struct plan_stream *stream, const char *table)
{
    bool reads = request_reads(&stream->request, table);
    for (uint32_t c = 0; c < stream->child_count && !reads; c++) {
        reads = request_reads(&stream->children[c].request, table);
    }
    return reads;
}
